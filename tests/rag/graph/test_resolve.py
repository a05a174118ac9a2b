"""Which names are one: what is joined, what never is, and that neither order nor repetition changes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.rag.graph.read.graph_model import Kind
from mainspring.rag.graph.resolve import key, resolve, singular


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("The Harbour Office", "harbour office", "term"),
        ("Sick leaves", "sick leave", "term"),
        ("Ada Holm's", "Ada Holm", "name"),
        ("KG-38", "KG 38", "code"),
        ("SLAs", "SLA", "acronym"),
        ("policies", "Policy", "term"),
    ],
)
def test_spellings_of_one_thing_have_one_key(one: str, other: str, kind: Kind) -> None:
    assert key(one, kind) == key(other, kind)


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("KG-38", "KG-39", "code"),
        ("John Adams", "John Adam", "name"),
        ("World War I", "World War II", "name"),
        ("Version 1.2", "Version 12", "term"),
    ],
)
def test_different_things_have_different_keys(one: str, other: str, kind: Kind) -> None:
    assert key(one, kind) != key(other, kind)


def test_one_slip_in_a_long_word_is_forgiven_and_another_name_is_not() -> None:
    found = resolve({"annual percentage rate": 5, "annual precentage rate": 1, "maria alonso": 2, "mario alonso": 2})
    assert found["annual precentage rate"] == "annual percentage rate"
    assert found["maria alonso"] != found["mario alonso"]


def test_numbers_and_models_are_never_joined() -> None:
    words = ["model kg38a", "model kg39a", "convention 1951", "convention 1952", "chapter11aaaaaa", "chapter12aaaaaa"]
    assert set(resolve(dict.fromkeys(words, 1)).values()) == set(words)


def test_an_acronym_with_two_meanings_stays_apart() -> None:
    counts = {"apr": 3, "annual percentage rate": 2, "april": 1, "authorised purchase request": 1}
    once = resolve(counts, shorts=[("apr", "annual percentage rate")])
    assert once["apr"] == once["annual percentage rate"]
    twice = resolve(counts, shorts=[("apr", "annual percentage rate"), ("apr", "authorised purchase request")])
    assert twice["apr"] == "apr"


def test_an_alias_joins_what_the_text_says_is_one() -> None:
    found = resolve({"ada holm": 2, "the iron lady": 1}, aliases=[("ada holm", "the iron lady")])
    assert found == {"ada holm": "ada holm", "the iron lady": "ada holm"}


WORDS = st.sampled_from(
    "percentage rate,precentage rate,percentagee rate,trail trial,trail trials,kg 38,kg 39,apr,sla,service level,"
    "service levels,harbour,harbour office,convention 1951".split(",")
)
Pairs = list[tuple[str, str]]
PAIRS = st.lists(st.tuples(WORDS, WORDS), max_size=4)


@given(st.dictionaries(WORDS, st.integers(1, 5)), PAIRS, PAIRS, st.randoms())
def test_order_changes_nothing(counts: dict[str, int], aliases: Pairs, shorts: Pairs, random: object) -> None:
    shuffled = list(counts.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert resolve(counts, aliases, shorts) == resolve(dict(shuffled), aliases[::-1], shorts[::-1])


@given(st.dictionaries(WORDS, st.integers(1, 5)), PAIRS, PAIRS)
def test_resolving_again_changes_nothing(counts: dict[str, int], aliases: Pairs, shorts: Pairs) -> None:
    found = resolve(counts, aliases, shorts)
    summed: dict[str, int] = {}
    for word, best in found.items():
        assert found[best] == best
        summed[best] = summed.get(best, 0) + counts[word]
    moved = [[(found.get(a, a), found.get(b, b)) for a, b in pairs] for pairs in (aliases, shorts)]
    assert set(resolve(summed, *moved).values()) == set(found.values())


@given(st.text(alphabet="abciesuhxz", max_size=12))
def test_a_singular_is_no_longer_than_its_plural(word: str) -> None:
    assert len(singular(word)) <= len(word)
