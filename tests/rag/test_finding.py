"""The small parts of finding: highlights, facets, diversity, selection, decay, words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.rag.search import diversity, highlight
from mainspring.rag.search.facets import facets
from mainspring.rag.search.hit import Hit
from mainspring.rag.search.selection import SearchOptions, decay, largest_drop, select
from mainspring.rag.text import sentences, terms

TEXT = "Warranties of grinders last two years. The burrs, which wear, are excluded from the warranty’s cover."


def hit(number: int, score: float, text: str = "", document: str = "d", **attributes: object) -> Hit:
    return Hit(
        *(f"c{number}", document, "vs", f"{document}.txt", text, 0, len(text), None, "", score, score, None, 1, None),
        text_blob="",
        attributes=attributes,
    )


def test_highlights_are_the_words_in_any_form() -> None:
    found = highlight.shown(terms.content("grinder warranty burr"), TEXT)[0]
    assert [TEXT[start:end] for start, end in found] == ["Warranties", "grinders", "burrs", "warranty"]
    assert highlight.marked("a red apple", [(2, 5)]) == "a **red** apple"


@given(st.text(max_size=300), st.text(max_size=60), st.integers(1, 120))
def test_snippets_are_exact_and_short(text: str, query: str, most: int) -> None:
    found = highlight.shown(terms.content(query), text, most)[1]
    assert 0 <= found.start <= found.end <= min(len(text), found.start + most)
    for start, end in found.spans:
        assert found.start <= start < end <= found.end
        assert terms.content(text[start:end]) <= terms.content(query)


def test_a_snippet_shows_where_most_of_the_words_are() -> None:
    found = highlight.shown(terms.content("burrs excluded"), TEXT, 60)[1]
    assert TEXT[found.start : found.end].startswith("The burrs, which wear, are excluded")


@pytest.mark.parametrize(
    ("one", "other"),
    [("burr", "burrs"), ("stop", "stopped"), ("policy", "policies"), ("warranty", "warranties"), ("use", "uses")],
)
def test_forms_of_a_word_have_one_stem(one: str, other: str) -> None:
    assert terms.stem(one) == terms.stem(other)


def test_facets_count_documents() -> None:
    hits = [
        hit(1, 1, document="a", team="north", year=2024),
        hit(2, 0.9, document="a", team="north", year=2024),
        hit(3, 0.8, document="b", team="south", year=True),
        hit(4, 0.7, document="c", team="north", tags=["x", "y"]),
    ]
    found = facets(hits, ["team", "year", "tags", "name", "absent"])
    assert [(each.value, each.documents) for each in found["team"]] == [("north", 2), ("south", 1)]
    assert sorted(str(each.value) for each in found["year"]) == ["2024", "True"]
    assert [each.value for each in found["tags"]] == ["x", "y"]
    assert len(found["name"]) == 3
    assert found["absent"] == []


def test_mmr_prefers_what_is_new() -> None:
    texts = ["red apples are sweet", "red apples are sweet", "trains run on rails"]
    likeness = diversity.similarities(texts)
    assert likeness[0, 1] == pytest.approx(1, abs=1e-5)
    assert likeness[0, 2] == 0
    scores = [0.9, 0.89, 0.5]
    assert diversity.mmr(scores, likeness, 1.0, 3) == [0, 1, 2]
    assert diversity.mmr(scores, likeness, 0.5, 2) == [0, 2]


@given(st.lists(st.floats(0, 1), max_size=20), st.integers(0, 25), st.floats(0, 1))
def test_mmr_chooses_each_once_and_the_best_first(scores: list[float], k: int, weight: float) -> None:
    chosen = diversity.mmr(scores, diversity.similarities([str(number) for number in range(len(scores))]), weight, k)
    assert len(chosen) == len(set(chosen)) == min(k, len(scores))
    if chosen and weight > 0.01:
        assert scores[chosen[0]] == max(scores)


def test_selection_follows_the_options() -> None:
    hits = [hit(1, 0.9), hit(2, 0.85), hit(3, 0.3), hit(4, 0.28), hit(5, 0.26)]
    assert len(select(hits, 4, SearchOptions())) == 4
    assert len(select(hits, 5, SearchOptions(score_threshold=0.29))) == 3
    assert len(select(hits, 4, SearchOptions(adaptive_k=True))) == 2
    assert largest_drop([0.5, 0.4, 0.3, 0.2], 3) == 3
    assert largest_drop([], 3) == 3


def test_age_halves_a_score() -> None:
    assert decay(10 * 86_400, 10) == pytest.approx(0.5)
    assert decay(10 * 86_400, 0) == 1
    assert decay(-5, 10) == 1


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"mode": "psychic"}, "options.mode"),
        ({"mode": ["dense"]}, "options.mode"),
        ({"effort": 2}, "options.effort"),
        ({"effort": True}, "options.effort"),
        ({"mmr_lambda": "much"}, "options.mmr_lambda"),
        ({"half_life_days": float("inf")}, "options.half_life_days"),
        ({"adaptive_k": 1}, "options.adaptive_k"),
        ({"speed": 1}, "options.speed"),
    ],
)
def test_wrong_options_are_named(given: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        SearchOptions.parse(given)
    assert refused.value.param == param
    assert isinstance(refused.value, Unsupported) == ("speed" in given)


def test_options_are_read() -> None:
    options = SearchOptions.parse({"mode": "dense", "effort": 1, "mmr_lambda": 0.5, "adaptive_k": True, "fusion": None})
    assert options == SearchOptions(mode="dense", effort=1.0, mmr_lambda=0.5, adaptive_k=True)


def test_a_passage_is_split_into_sentences_once(monkeypatch: pytest.MonkeyPatch) -> None:
    split, text = [], "The burrs are of steel. They are warranted for two years. " + "Nothing is excluded. " * 9

    def counted(text: str) -> Any:
        split.append(text)
        return sentences.split(text)

    monkeypatch.setattr(highlight, "sentences", SimpleNamespace(split=counted))
    shown = [highlight.shown(terms.content(query), text) for query in ("burrs", "years", "excluded burrs", "otters")]
    assert len(split) == 1
    assert [len(spans) for spans, _ in shown] == [1, 1, 10, 0]
    assert shown[3][1].start == 0
