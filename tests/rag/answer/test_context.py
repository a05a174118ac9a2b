"""What is read to answer: merged, whole, once, within its budget, the best at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.rag.answer.context import Candidate, ContextReading, ContextSpan, assemble, at_the_ends, spans, within
from mainspring.rag.search.hit import Hit

TABLE = """# Rates

Prices in pounds.

| Zone: 1 | Express: 9.95 |
| Zone: 2 | Express: 14.95 |
| Zone: 3 | Express: 23.95 |

Delivery takes two days. It is tracked."""


def hit(document: str, text: str, start: int, end: int, parent: tuple[int, int] = (-1, -1)) -> Hit:
    return Hit(
        f"{document}{start}", document, "c", f"{document}.md", text[start:end], start, end, None, "", 0.5, 0.5, None, 1,
        None, "blob", parent_start=parent[0], parent_end=parent[1],
    )  # fmt: skip


async def words(sources: Sequence[ContextSpan]) -> list[int]:
    return [len(source.text.split()) for source in sources]


def found(text: str, part: str, document: str = "d", parent: tuple[int, int] = (-1, -1)) -> Hit:
    start = text.index(part)
    return hit(document, text, start, start + len(part), parent)


async def read(hits: Sequence[Hit], texts: dict[str, str], budget: int = 1000) -> ContextReading:
    return await assemble(spans(hits, texts), budget, words)


async def test_chunks_that_overlap_or_touch_are_one_source() -> None:
    text = "One two three four. Five six seven.\n\nEight nine ten."
    hits = [found(text, "Five six seven."), found(text, "four. Five six"), found(text, "Eight nine ten.")]
    reading = await read(hits, {"d": text})
    assert [source.text for source in reading.sources] == ["four. Five six seven.\n\nEight nine ten."]
    assert (reading.tokens, reading.left_out) == (7, ())


async def test_two_that_a_third_joins_become_one() -> None:
    text = "a1 a2 a3 b1 b2 b3 c1 c2 c3"
    hits = [found(text, "a1 a2"), found(text, "c2 c3"), found(text, "a2 a3 b1 b2 b3 c1 c2")]
    assert [source.text for source in (await read(hits, {"d": text})).sources] == [text]


async def test_children_are_read_as_their_parent_once() -> None:
    text = "Intro. Alpha one. Beta two. Gamma three. Outro."
    parent = (text.index("Alpha"), text.index(" Outro"))
    hits = [found(text, "Alpha one.", parent=parent), found(text, "Gamma three.", parent=parent)]
    (source,) = (await read(hits, {"d": text})).sources
    assert source.text == "Alpha one. Beta two. Gamma three."


async def test_a_parent_that_does_not_fit_leaves_its_child() -> None:
    text = "Alpha one. " + "filler word " * 40 + "Omega."
    reading = await read([found(text, "Alpha one.", parent=(0, len(text)))], {"d": text}, budget=10)
    assert [source.text for source in reading.sources] == ["Alpha one."]


async def test_a_small_table_is_read_whole_and_a_large_one_by_its_rows() -> None:
    (source,) = (await read([found(TABLE, "| Zone: 2 | Express: 14.95 |")], {"d": TABLE})).sources
    assert source.text == TABLE[TABLE.index("| Zone: 1") : TABLE.index("\n\nDelivery")]
    large = "\n".join(f"| Zone: {number} | Express: {number}.95 |" for number in range(200))
    (source,) = (await read([found(large, "| Zone: 77 | Express: 77.95 |")], {"d": large})).sources
    assert source.text == "| Zone: 77 | Express: 77.95 |"


async def test_what_is_said_already_is_left_out_and_a_changed_number_is_not() -> None:
    base = "Everybody who works in the office has 25 days of holiday a year, to be booked a week before."
    texts = {
        "a": base,
        "b": base.replace(", to be", " to be"),
        "c": base.replace("25", "28"),
        "d": base.replace("has 25", "has not 25"),
        "e": base.upper(),
    }
    reading = await read([hit(name, text, 0, len(text)) for name, text in texts.items()], texts)
    assert {source.document_id for source in reading.sources} == {"a", "c", "d"}
    assert [(left.document_id, left.why) for left in reading.left_out] == [("b", "said already"), ("e", "said already")]


async def test_what_says_more_takes_the_place_of_what_it_repeats() -> None:
    texts = {"a": "Beta two.", "b": "Alpha one. Beta two. Gamma three."}
    reading = await read([hit(name, text, 0, len(text)) for name, text in texts.items()], texts)
    assert [(source.document_id, source.rank) for source in reading.sources] == [("b", 0)]
    assert [left.document_id for left in reading.left_out] == ["a"]


async def test_the_best_stands_first_and_the_second_best_last() -> None:
    sources = [ContextSpan("d", "d", str(rank), rank, rank + 1, rank) for rank in range(5)]
    assert [source.rank for source in at_the_ends(sources)] == [0, 2, 4, 3, 1]


async def test_the_first_is_cut_after_a_sentence_or_a_word() -> None:
    text = "One two three. Four five six. Seven eight nine."
    for budget, left in ((7, "One two three. Four five six."), (2, "One two"), (0, None)):
        reading = await read([hit("d", text, 0, len(text))], {"d": text}, budget)
        assert [source.text for source in reading.sources] == ([left] if left else [])
    assert reading.left_out[0].why == "no room"


async def test_an_index_that_does_not_fit_its_text_is_not_read() -> None:
    wrong = found("Alpha beta.", "beta.")
    assert (await read([wrong], {"d": "Something else"})).sources == ()
    assert (await read([wrong], {})).sources == ()


WORDS = st.lists(st.sampled_from(["ant", "bee", "cat.", "Dog", "25", "30", "not", "|", "\n", "\n\n"]), min_size=1)
TEXTS = st.dictionaries(st.sampled_from("abc"), WORDS.map(" ".join), min_size=1)


@st.composite
def findings(draw: st.DrawFn) -> tuple[dict[str, str], list[Hit]]:
    texts = draw(TEXTS)
    hits = []
    for _ in range(draw(st.integers(1, 8))):
        name = draw(st.sampled_from(sorted(texts)))
        text = texts[name]
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        parent = (draw(st.integers(0, start)), draw(st.integers(end, len(text)))) if draw(st.booleans()) else (-1, -1)
        hits.append(hit(name, text, start, end, parent))
    return texts, hits


@settings(max_examples=200)
@given(findings(), st.integers(0, 40), st.booleans())
async def test_never_over_budget_nothing_twice_all_verbatim(
    made: tuple[dict[str, str], list[Hit]], budget: int, ends: bool
) -> None:
    texts, hits = made
    reading = await assemble(spans(hits, texts), budget, words, ends=ends)
    assert reading.tokens <= budget
    assert [source.tokens for source in reading.sources] == await words(reading.sources)
    for source in reading.sources:
        assert texts[source.document_id][source.start : source.end] == source.text
    for one, other in combinations(reading.sources, 2):
        assert not within(one.text, other.text)
        assert not within(other.text, one.text)
        apart = one.end <= other.start or other.end <= one.start
        assert one.document_id != other.document_id or apart


@given(findings())
async def test_every_chunk_is_read_or_named_where_there_is_room(made: tuple[dict[str, str], list[Hit]]) -> None:
    texts, hits = made
    reading = await assemble(spans(hits, texts), 10_000, words)
    spans_ = [(each.document_id, each.start, each.end) for each in reading.sources]
    spans_ += [(each.document_id, each.start, each.end) for each in reading.left_out]
    for each in hits:
        text = each.text.strip()
        if text:
            start = each.start + each.text.index(text)
            assert any(d == each.document_id and s <= start and start + len(text) <= e for d, s, e in spans_)
    assert all(left.why == "said already" for left in reading.left_out)


async def test_candidates_may_be_given_by_hand() -> None:
    source = ContextSpan("d", "d.md", "Alpha one.", 0, 10, 0)
    assert (await assemble([Candidate(source)], 2, words)).sources[0].tokens == 2
