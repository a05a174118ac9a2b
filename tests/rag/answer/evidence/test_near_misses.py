"""A reader's word on whether what was found answers: what it reads, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mainspring.core.errors import EngineError
from mainspring.core.path import collect
from mainspring.core.types import Context
from mainspring.engines.base import Reranked
from mainspring.rag.answer.evidence import near_misses
from mainspring.rag.answer.generate import REFUSAL
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
    # The best sentence is read with what stands around it, under its heading, and only once.
    teller = Teller(1.0)
    await room.answerer(near_misses=teller).respond(ask(QUESTION), asker)
    first, *others = teller.read
    assert first == (
        "Holidays: Everybody has 25 days of holiday a year. Unused days expire in March. "
        "Ask your manager before you book."
    )
    assert first not in others
    assert len(others) <= 1


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


def test_a_neighbourhood_stays_within_its_paragraph_and_is_short() -> None:
    text = "Another thing.\n\n" + " ".join(f"w{place}." for place in range(300)) + "\n\nA third."
    for word in ("w0.", "w150.", "w299."):
        place = text.index(word)
        start, end = near_misses.around(text, place, place + len(word))
        found = text[start:end].split()
        assert word in found
        assert 70 <= len(found) <= 90
        assert all(each.startswith("w") for each in found), found
    assert near_misses.around("One.", 0, 4) == (0, 4)
