"""A reader's word on whether what was found answers: what it reads, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mainspring.core.errors import EngineError
from mainspring.core.path import collect
from mainspring.core.types import Context
from mainspring.engines.base import Reranked
from mainspring.rag.answer.evidence import near_misses
from mainspring.rag.answer.generate import REFUSAL
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit
from tests.rag.answer.test_responder import ask, fill
from tests.rag.conftest import Room

QUESTION = "How many days of holiday does everybody have?"


class Teller:
    """Says the same of every passage, and keeps what it read; below 0 it fails."""

    name = "teller"

    def __init__(self, says: float) -> None:
        self.says = says
        self.read: list[str] = []

    @property
    def fingerprint(self) -> str:
        return f"teller {self.says}"

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        if self.says < 0:
            raise EngineError("the teller is gone")
        self.read = list(passages)
        return Reranked(np.full(len(passages), self.says, np.float32), len(query.split()))

    async def close(self) -> None:
        return None


async def test_what_a_reader_finds_unanswered_is_refused(room: Room, asker: Context) -> None:
    await fill(room)
    below = room.settings.read_below
    for says, answered in ((below + 0.01, True), (below - 0.01, False), (-1.0, True)):
        teller = Teller(says)
        context = replace(asker)
        found = await collect(await room.answerer(near_misses=teller).respond(ask(QUESTION), context))
        assert found.answered is answered, says
        assert found.text.startswith(REFUSAL) is not answered
    # The best sentences are read by themselves, each under its heading and once.
    teller = Teller(1.0)
    await room.answerer(near_misses=teller).respond(ask(QUESTION), asker)
    first, *others = teller.read
    assert first == "Leave > Holidays: Everybody has 25 days of holiday a year."
    assert first not in others
    assert len(others) < 8


async def test_what_it_said_is_recorded_and_another_reader_is_another_answer(room: Room, asker: Context) -> None:
    await fill(room)
    sure = room.answerer(near_misses=Teller(0.9))
    await collect(await sure.respond(ask(QUESTION), asker))
    (record,) = asker.settlement.records
    assert record.facts.plain()["features"]["answers"] == 0.9
    request = ask(QUESTION)
    unsure, without = room.answerer(near_misses=Teller(0.1)), room.answerer()
    assert len({each.fingerprint(request, asker) for each in (sure, unsure, without)}) == 3


async def test_it_is_not_asked_where_rows_are_closest_or_the_setting_is_zero(room: Room, asker: Context) -> None:
    await fill(room)
    teller = Teller(0.0)
    row = await collect(
        await room.answerer(near_misses=teller).respond(ask("How many days has the workshop group?"), asker)
    )
    assert (row.answered, teller.read) == (True, [])
    room.settings = room.settings.model_copy(update={"read_below": 0.0})
    found = await collect(await room.answerer(near_misses=teller).respond(ask(QUESTION), asker))
    assert (found.answered, teller.read) == (True, [])


@pytest.mark.parametrize(
    ("question", "read"),
    [
        (QUESTION, True),
        ("Summarise the holidays.", False),
        ("What is the difference between holidays and expenses?", False),
        ("Wie viele Tage Urlaub haben alle, und wer entscheidet das in diesem Haus?", False),
    ],
)
async def test_it_reads_what_one_sentence_may_answer_in_english(
    room: Room, asker: Context, question: str, read: bool
) -> None:
    await fill(room)
    teller = Teller(1.0)
    await collect(await room.answerer(near_misses=teller).respond(ask(question), asker))
    assert bool(teller.read) is read


async def test_sentences_in_another_language_are_not_read() -> None:
    text = "Alle haben jedes Jahr 25 Tage Urlaub, und wer mehr davon braucht, der fragt das Team oder die Leitung."
    hit = Hit("c", "d", "v", "a.md", text, 0, len(text), None, "Urlaub", 0.9, 0.5, 1, 1, 1, "b")
    passage = Passage(hit, text, 0, len(text), "sentence", "Urlaub", 1.0, 0.5)
    teller = Teller(0.0)
    assert await near_misses.read(QUESTION, [passage], teller) == ([passage], None)
    assert teller.read == []


async def test_each_of_the_first_sentences_has_what_was_said_of_it() -> None:
    texts = [f"The hall number {number} is open." for number in range(10)]
    document = "\n\n".join(texts)
    hit = Hit("c", "d", "v", "a.md", document, 0, len(document), None, "", 0.9, 0.5, 1, 1, 1, "b")
    given = [Passage(hit, text, document.index(text), 0, "sentence", "", 1.0, 0.5) for text in texts]
    found, likely = await near_misses.read("Which hall is open?", given, Teller(0.25))
    assert likely == 0.25
    assert [each.answers for each in found] == [pytest.approx(math.log(1 / 3))] * 8 + [None] * 2


@pytest.mark.parametrize(
    ("question", "text", "said", "phrase"),
    [
        ("Who knows about local history?", "Our historian is Martha Quill.", "Martha Quill", "Martha Quill"),
        ("How many items may I take?", "Adults may take\n12 items at a time.", "take 12 items", "take 12 items"),
        # Words of the question, a clause, most of the sentence, and what stands in the heading say nothing.
        ("What are low doses used with?", "Low doses are used with cytotoxic drugs.", "Low doses", ""),
        ("What is paid?", "If two repairs fail, we pay the price.", "If two repairs fail", ""),
        ("What is it?", "A gift card for friends.", "A gift card for friends", ""),
        ("Which gym is it?", "Steam rooms are in both changing areas.", "Northside Gym", ""),
        # Yes or no, reasons and steps are told by sentences.
        ("Is the library open?", "The library closes on Sundays.", "on Sundays", ""),
        ("Why are fires forbidden?", "Fires are forbidden, for birds are nesting.", "birds are nesting", ""),
        ("How do I reset it?", "Press the button marked R with a pin.", "Press the button", ""),
    ],
)
def test_a_phrase_can_stand_for_an_answer(question: str, text: str, said: str, phrase: str) -> None:
    hit = Hit("c", "d", "v", "a.md", text, 0, len(text), None, "Northside Gym", 0.9, 0.5, 1, 1, 1, "b")
    passage = Passage(hit, text, 0, len(text), "sentence", "Northside Gym", 1.0, 0.5)
    assert near_misses.phrase(question, passage, said) == phrase


class Pointing(Teller):
    """Points at the first name of each passage."""

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        found = await super().rerank(query, passages)
        spans = [(text.find("25 days"), text.find("25 days") + len("25 days")) for text in passages]
        return replace(found, spans=[span if span[0] >= 0 else (0, 0) for span in spans])


async def test_what_a_reader_points_at_is_bold_if_it_is_sure(room: Room, asker: Context) -> None:
    await fill(room)
    asked = ask("What does everybody have each year of holiday?")
    for says, bold in ((0.9, True), (0.6, False)):
        found = await collect(await room.answerer(near_misses=Pointing(says)).respond(asked, replace(asker)))
        assert ("**25 days**" in found.text) is bold, found.text


class Fourth(Teller):
    """Finds the fourth sentence alone likely to answer."""

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        await super().rerank(query, passages)
        return Reranked(np.array([0.9 if number == 3 else 0.1 for number in range(len(passages))], np.float32), 1)


async def test_the_best_three_decide() -> None:
    texts = [f"The hall number {number} is open." for number in range(10)]
    document = "\n\n".join(texts)
    hit = Hit("c", "d", "v", "a.md", document, 0, len(document), None, "", 0.9, 0.5, 1, 1, 1, "b")
    given = [Passage(hit, text, document.index(text), 0, "sentence", "", 1.0, 0.5) for text in texts]
    found, likely = await near_misses.read("Which hall is open?", given, Fourth(0.1))
    assert likely == pytest.approx(0.1)
    assert found[3].answers == pytest.approx(math.log(9), abs=1e-5)
