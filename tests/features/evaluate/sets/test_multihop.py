"""Questions built over pairs of passages: each one certainly needs both passages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.features.evaluate.sets.loading import load
from mainspring.features.evaluate.sets.multihop import Passage, build, plain

FILM = "The Long Pier (film) is a 1951 drama film directed by Ada Holm and starring Bo Lind."
ADA = "Ada Holm (born 3 May 1912, in Oslo) was a Norwegian film director."


def questions(**texts: str) -> list[tuple[str, tuple[str, ...]]]:
    titled = {name.replace("_", " "): text for name, text in texts.items()}
    passages = [Passage(f"w{number}", title, text) for number, (title, text) in enumerate(titled.items())]
    return [(query.text, query.answers) for query in build(passages)]


def test_a_bridge_asks_for_a_fact_of_the_second_passage_by_the_first() -> None:
    assert questions(The_Long_Pier=FILM, Ada_Holm=ADA) in (
        [("On what date was the director of The Long Pier born?", ("3 May 1912",))],
        [("In which place was the director of The Long Pier born?", ("Oslo",))],
    )


def test_both_passages_are_judged_and_halves_alternate(tmp_path: Path) -> None:
    rows = []
    for number in range(6):
        rows += [
            {"title": f"Film {number}", "text": f"It is a film directed by Ada Holm{'abcdef'[number]}."},
            {"title": f"Ada Holm{'abcdef'[number]}", "text": f"Ada (3 May 191{number} – 9 June 1980) was a director."},
        ]
    path = tmp_path / "2wikimultihopqa_corpus.json"
    path.write_text(json.dumps(rows))
    found = load("2wiki", tmp_path)
    assert len(found.documents) == 12
    assert len(found.queries) == 6
    assert all(len(query.gains) == 2 for query in found.queries)
    assert [query.split for query in found.queries] == ["development", "reported"] * 3
    assert load("2wiki", path).queries == found.queries


@pytest.mark.parametrize(
    "texts",
    [
        {"The_Long_Pier": FILM.replace("Ada Holm", "Ada Holm and Eva Berg"), "Ada_Holm": ADA},
        {"The_Long_Pier": FILM + " She was born on 3 May 1912 in Oslo.", "Ada_Holm": ADA},
        {"The_Long_Pier": FILM, "Ada_Holm": "Ada Holm was a director."},
        {"The_Long_Pier": FILM, "Eva_Berg": ADA},
        {"Ada_Holm": ADA.replace("was", "directed by Ada Holm was")},
    ],
    ids=["two directors", "the answer is in the first", "no fact", "no second passage", "itself"],
)
def test_what_is_not_certain_is_left_out(texts: dict[str, str]) -> None:
    assert not questions(**texts)


def test_titles_that_exist_twice_are_left_out() -> None:
    one, other = Passage("w0", "The Long Pier (1951 film)", FILM), Passage("w1", "The Long Pier (novel)", "A novel.")
    assert plain(one.title) == "The Long Pier"
    assert not build([one, other, Passage("w2", "Ada Holm", ADA)])


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "corpus.json"
    path.write_text('[{"text": "no title"}]')
    with pytest.raises(InvalidRequest, match="not a list of objects with title and text"):
        load("2wiki", path)
