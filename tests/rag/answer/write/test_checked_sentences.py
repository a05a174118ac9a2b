"""Sentences that leave with a source, are written again, or give way to the source's own words."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

import pytest

from mainspring.core.path import Answer
from mainspring.core.types import Citation, Event, Finish, Head, Text, Usage
from mainspring.rag.answer.context import ContextSpan
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.answer.write.answer_form import Wish
from mainspring.rag.answer.write.checked_sentences import CheckedSentences, marked
from mainspring.rag.answer.write.claims import Problem
from mainspring.rag.answer.write.sources import Note, notes
from mainspring.rag.search.hit import Hit

LINES = (
    "Unused grinders can be returned within 45 days.",
    "Stoves can be returned within 20 days.",
    "Engraved goods cannot be returned unless they are faulty.",
    "The small press holds 400 ml.",
    "The large press holds 750 ml.",
)
DOCUMENT = "\n\n".join(LINES)


def note(line: str) -> Note:
    start = DOCUMENT.index(line)
    hit = Hit("c", "d", "v", "returns.md", DOCUMENT, 0, len(DOCUMENT), None, "Returns", 1.0, 1.0, None, 1, None, "b")
    passage = Passage(hit, line, start, start + len(line), "sentence", "Returns", 1.0, 1.0)
    return Note(ContextSpan("d", "Returns", line, start, start + len(line), 0), (passage,), line)


class Room:
    """A checker over ``LINES``, and what is written again when it asks."""

    def __init__(self, question: str, *again: str, wish: Wish | None = None, most: int = 3) -> None:
        self.asked: list[tuple[str, list[str], int]] = []
        self._replies = list(again)
        notes = [note(line) for line in LINES]
        self.checked = CheckedSentences(notes, {"d": DOCUMENT}, question, wish or Wish(), self._again, most=most)

    async def _again(self, text: str, problems: Sequence[Problem], number: int) -> tuple[str, Usage]:
        self.asked.append((text, [problem.kind for problem in problems], number))
        return self._replies.pop(0) if self._replies else "", Usage(7, 3)

    async def events(self, text: str) -> list[Event]:
        async def pieces() -> AsyncGenerator[Event, None]:
            for start in range(0, len(text), 5):
                yield Text(text[start : start + 5], tokens=1)
            yield Usage(10, 5)
            yield Finish("stop")

        return [event async for event in self.checked.through(pieces())]

    async def answer(self, text: str) -> Answer:
        found = Answer(Head("m"))
        for event in await self.events(text):
            found.add(event)
        return found


async def test_a_sentence_gets_the_note_that_bears_it_out() -> None:
    room = Room("How long can I return a grinder?")
    found = await room.answer("You can return unused grinders within 45 days.")
    assert found.text == "You can return unused grinders within 45 days. [1]"
    (citation,) = found.citations
    assert citation.quote == LINES[0]
    assert citation.support is not None
    assert room.asked == []


async def test_sentences_leave_one_by_one_each_before_the_next_is_written() -> None:
    room = Room("How long can I return things?")
    events = await room.events("Unused grinders can be returned within 45 days. Stoves can be returned within 20 days.")
    assert [type(each) for each in events] == [Text, Citation, Text, Citation, Usage, Finish]
    assert [each.text for each in events if isinstance(each, Text)] == [
        "Unused grinders can be returned within 45 days. [1]",
        " Stoves can be returned within 20 days. [2]",
    ]


async def test_a_wrong_number_is_written_again_once() -> None:
    room = Room("Sum up the returns", "You can return stoves within 20 days.", wish=Wish("summary"))
    found = await room.answer("You can return stoves within 25 days.")
    assert found.text == "You can return stoves within 20 days. [1]"
    assert room.asked == [("You can return stoves within 25 days.", ["number"], 2)]
    # What it cost is part of what the answer cost.
    assert found.usage == Usage(17, 8)
    assert room.checked.tally.facts().plain()["rewritten"] == 1


async def test_what_is_wrong_again_gives_way_to_the_source_itself() -> None:
    room = Room("Sum up the returns", "Return stoves within 30 days.", wish=Wish("summary"))
    found = await room.answer("You can return stoves within 25 days. You can return grinders within 46 days.")
    assert found.text == f"{LINES[1]} [1] {LINES[0]} [2]"
    # The second wrong sentence is quoted at once: writing again costs time.
    assert len(room.asked) == 1
    assert [citation.support for citation in found.citations] == [None, None]
    assert room.checked.tally.facts().plain()["verbatim"] == 2


async def test_a_plain_answer_that_is_wrong_is_quoted_at_once() -> None:
    room = Room("How long can I return a stove?", "You can return stoves within 20 days.")
    found = await room.answer("You can return stoves within 25 days.")
    assert found.text == f"{LINES[1]} [1]"
    assert room.asked == []


@pytest.mark.parametrize(
    "sentence",
    [
        "Engraved goods can be returned.",
        "Unused grinders can be returned within 45 weeks.",
        "The small press holds 750 ml of gin.",
        "Herons eat frogs.",
    ],
)
async def test_nothing_leaves_that_its_source_does_not_bear_out(sentence: str) -> None:
    found = await Room("What about it?").answer(sentence)
    assert sentence not in found.text
    assert all(quote in LINES for quote in (citation.quote for citation in found.citations))


async def test_a_sentence_of_two_notes_cites_both() -> None:
    found = await Room("Compare the small and the large press").answer(
        "The small press holds 400 ml and the large press holds 750 ml."
    )
    assert found.text.endswith("750 ml. [1][2]")
    assert [citation.quote for citation in found.citations] == [LINES[3], LINES[4]]


async def test_a_yes_that_the_source_denies_is_left_out() -> None:
    room = Room("Can engraved goods be returned?", wish=Wish("yes_no"))
    found = await room.answer("Yes, engraved goods cannot be returned unless they are faulty.")
    assert found.text == f"{LINES[2]} [1]"
    kept = await Room("Can engraved goods be returned?", wish=Wish("yes_no")).answer(
        "No, engraved goods cannot be returned unless they are faulty."
    )
    assert kept.text == "No, engraved goods cannot be returned unless they are faulty. [1]"


async def test_a_bare_yes_gives_way_to_the_source() -> None:
    found = await Room("Can stoves be returned?", wish=Wish("yes_no")).answer("Yes.")
    assert "Yes" not in found.text
    assert found.citations


async def test_repetitions_and_more_than_the_most_are_left_out() -> None:
    text = " ".join([LINES[0], LINES[0], LINES[1], LINES[3], LINES[4]])
    room = Room("What can be returned?", most=2)
    found = await room.answer(text)
    assert found.text == f"{LINES[0]} [1] {LINES[1]} [2]"


async def test_an_evasion_gives_way_to_the_best_note() -> None:
    found = await Room("How long can I return a grinder?").answer("The notes do not say how long.")
    assert found.text == f"{LINES[0]} [1]"


async def test_of_another_language_numbers_are_checked() -> None:
    wish = Wish(language="es")
    found = await Room("How long can I return a grinder? Answer in Spanish.", wish=wish).answer(
        "Puede devolverlo en 45 días. Puede devolverlo en 54 días."
    )
    assert "45 días. [1]" in found.text
    assert "54" not in found.text


def test_marks_of_the_model_are_read_and_left_out() -> None:
    assert marked("[2] Stoves may be returned.", 5) == ([2], "Stoves may be returned.")
    assert marked("Answer: Stoves may be returned [1, 9].", 5) == ([1], "Stoves may be returned.")
    assert marked("<</notes-0123456789abcdef>>\nStoves.", 5) == ([], "Stoves.")


async def test_what_a_lists_lead_in_denies_is_not_said_of_its_items() -> None:
    said = "Fire may be used within 3 m of gas bottles."
    line = "Within 3 m of gas bottles in the workshop"
    document = f"Where you cannot use fire:\n\n- {line}\n"
    start = document.index(line)
    hit = Hit("c", "d", "v", "fire.md", document, 0, len(document), None, "Fire", 1.0, 1.0, None, 1, None, "b")
    told = Passage(hit, line, start, start + len(line), "item", "Fire", 1.0, 1.0, before="Where you cannot use fire:")
    (noted,) = notes([ContextSpan("d", "Fire", line, start, start + len(line), 0)], [told], "How close may fire be?")
    assert noted.text == f"Where you cannot use fire – {line}"

    async def again(*_: object) -> tuple[str, Usage]:
        return "", Usage()

    async def answer(text: str, about: Note) -> str:
        checked = CheckedSentences(
            [about], {"d": document}, "How close to gas bottles may fire be used?", Wish(), again
        )

        async def events() -> AsyncGenerator[Event, None]:
            yield Text(text)
            yield Finish("stop")

        return "".join([each.text async for each in checked.through(events()) if isinstance(each, Text)])

    assert "may be used" not in await answer(said, noted)
    assert await answer("You cannot use fire within 3 m of gas bottles.", noted) == (
        "You cannot use fire within 3 m of gas bottles. [1]"
    )
    assert "may be used" in await answer(said, replace(noted, text=line)), "the lead-in alone denies it"
