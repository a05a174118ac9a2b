"""The sentences that represent a document, or a section of it, in a summary."""

from __future__ import annotations

import dataclasses

from mainspring.core.path import collect
from mainspring.core.types import Context
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.answer.write import summary
from mainspring.rag.answer.write.writer import NoteWriter
from mainspring.rag.ingest.pipeline import Source
from mainspring.rag.search.hit import Hit
from tests.rag.answer.test_responder import ask
from tests.rag.answer.write.test_writer import Model
from tests.rag.conftest import Room

RETURNS = """# Returns

Goods that are unused can be returned within 45 days of delivery.

## Refunds

Refunds go to the card that was used for the order. Refunds take five days after the goods arrive. We like cards.

## Engraved goods

Engraved goods cannot be returned unless they are faulty. Faulty engraved goods are replaced.
"""
OTHER = "# Stoves\n\nStoves burn gas from canisters with a screw valve. They are returned to us for repair."


def passage(name: str, text: str, words: str) -> Passage:
    start = text.index(words)
    heading = text.partition("\n")[0].strip("# ")
    hit = Hit("c", name, "v", name, text, 0, len(text), None, heading, 1.0, 1.0, None, 1, None, "b")
    return Passage(hit, words, start, start + len(words), "sentence", heading, 1.0, 1.0)


TEXTS = {"returns.md": RETURNS, "stoves.md": OTHER}
FOUND = [passage("stoves.md", OTHER, "Stoves burn gas"), passage("returns.md", RETURNS, "Refunds take five days")]


def test_the_document_that_is_named_is_summarised_each_section_by_what_it_repeats() -> None:
    found = summary.passages("Summarise the returns document", FOUND, TEXTS)
    assert {each.hit.source for each in found} == {"returns.md"}
    assert [each.heading for each in found] == ["Returns", "Refunds", "Refunds", "Engraved goods", "Engraved goods"]
    assert all(RETURNS[each.start : each.end] == each.text for each in found)
    assert "We like cards." not in [each.text for each in found]


def test_each_sentence_has_the_page_of_its_own_chunk_or_none() -> None:
    first, second = RETURNS.index("## Refunds"), RETURNS.index("## Engraved")
    pages = [
        dataclasses.replace(
            each, hit=dataclasses.replace(each.hit, text=RETURNS[start:end], start=start, end=end, page=page)
        )
        for each, start, end, page in ((FOUND[1], first, second, 7), (FOUND[1], 0, first, 6))
    ]
    found = summary.passages("Summarise the returns document", pages, TEXTS)
    assert [each.hit.page for each in found] == [6, 7, 7, None, None]
    assert all(each.text in each.hit.text for each in found)


def test_without_a_writer_the_typical_sentences_are_the_summary() -> None:
    found = summary.quoted("Summarise the returns document", FOUND, TEXTS, max_sentences=3, max_words=40)
    assert [each.heading for each in found] == ["Returns", "Refunds", "Engraved goods"]
    few = summary.quoted("Summarise the returns document", FOUND, TEXTS, max_sentences=3, max_words=12)
    assert [each.text for each in few] == ["Goods that are unused can be returned within 45 days of delivery."]
    section = "Summarise the section on engraved goods of the shop"
    named = summary.quoted(section, FOUND[::-1], TEXTS, max_sentences=3, max_words=40)
    assert {each.heading for each in named} == {"Engraved goods"}
    listed = "# Duties\n\n- The cook bakes bread every day.\n- The cook washes the plates at night.\n"
    items = [passage("duties.md", listed, "The cook bakes bread every day.")]
    both = summary.quoted("Summarise it", items, {"duties.md": listed}, max_sentences=3, max_words=40)
    assert [each.kind for each in both] == ["item", "item"]
    assert summary.quoted("Summarise it", [], {}, max_sentences=3, max_words=40) == []


async def test_a_summary_in_the_documents_own_words_is_of_the_document_that_is_named(
    room: Room, asker: Context
) -> None:
    texts = {"returns.md": RETURNS, "stoves.md": OTHER}
    await room.ingestor.ingest(room.collection, [Source(name, name, text.encode) for name, text in texts.items()])
    request = ask("Summarise the rules for returns of goods", mode="verbatim")
    found = await collect(await room.answerer().respond(request, asker))
    assert {each.source for each in found.citations} == {"returns.md"}
    assert [each.heading.rpartition(" > ")[2] for each in found.citations][:2] == ["Returns", "Refunds"]
    assert [each.start for each in found.citations] == sorted(each.start for each in found.citations)


def test_of_a_section_that_is_named_only_that_is_summarised() -> None:
    found = summary.passages("Give me an overview of the section on engraved goods", FOUND[::-1], TEXTS)
    assert {each.heading for each in found} == {"Engraved goods"}


def test_of_a_long_document_every_part_has_a_say() -> None:
    text = "# Long\n\n" + "\n\n".join(
        f"## Part {number}\n\nPart {number} says that thing number {number} is blue." for number in range(60)
    )
    (first,) = [passage("long.md", text, "Part 3 says that")]
    found = summary.passages("Summarise it", [first], {"long.md": text})
    assert len(found) == summary.MOST
    assert found == sorted(found, key=lambda each: each.start)
    assert found[-1].start > 0.8 * len(text)


def test_nothing_was_found() -> None:
    assert summary.passages("Summarise it", [], {}) == []


async def test_a_summary_is_written_over_the_document_and_checked(room: Room, asker: Context) -> None:
    sources = [Source(name, name, text.encode) for name, text in TEXTS.items()]
    await room.ingestor.ingest(room.collection, sources)
    model = Model(
        "Unused goods can be returned within 45 days of delivery. Refunds take nine days after the goods arrive. "
        "Engraved goods cannot be returned unless they are faulty."
    )
    writer = NoteWriter(model, room.embedder, model="m", context_window=2048)
    answerer = room.answerer(writer=writer, grounded=True)
    found = await collect(await answerer.respond(ask("Summarise the returns policy of goods and refunds"), asker))
    prompt = model.asked[0].messages[1].content
    assert "Refunds go to the card" in prompt
    assert "Faulty engraved goods are replaced" in prompt
    assert found.text.startswith("Unused goods can be returned within 45 days of delivery. [1]")
    assert "nine" not in found.text
    assert "Refunds take five days after the goods arrive." in found.text
    assert len(found.citations) == 3
