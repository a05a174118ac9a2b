"""A chat model's word on which passages answer: what it is asked, and what follows from it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mainspring.core.errors import Overloaded
from mainspring.core.path import collect
from mainspring.core.types import Context
from mainspring.rag.answer.evidence.confirm import INSTRUCTION, MOST, Confirm
from mainspring.rag.answer.generate import REFUSAL
from mainspring.rag.answer.write.writer import NoteWriter
from tests.rag.answer.test_responder import ask, fill
from tests.rag.answer.write.test_writer import Model as Writing
from tests.rag.conftest import Room

QUESTION = "How many days of holiday does everybody have?"


class Model:
    """Says yes to texts that hold ``likes``, and keeps what it was asked; ``fault`` is raised, ``slow`` waits."""

    def __init__(self, likes: str, *, fault: Exception | None = None, slow: float = 0.0) -> None:
        self.likes, self.fault, self.slow = likes, fault, slow
        self.asked: list[str] = []
        self.running = self.most = 0

    def __call__(self, context: Context) -> Any:
        return self

    async def yes(self, instruction: str, text: str) -> float | None:
        assert instruction == INSTRUCTION
        self.asked.append(text)
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(self.slow)
        self.running -= 1
        if self.fault is not None:
            raise self.fault
        return 0.95 if self.likes in text else 0.02


async def test_the_passage_that_the_model_confirms_comes_first_and_alone(room: Room, asker: Context) -> None:
    await fill(room)
    room.settings = room.settings.model_copy(update={"confirm": "always"})
    plain = await collect(await room.answerer().respond(ask(QUESTION), asker))
    assert plain.text.startswith("Everybody has **25 days**")
    model = Model("expire in March")
    found = await collect(await room.answerer(confirmer=Confirm(model, 5.0, "m")).respond(ask(QUESTION), asker))
    assert found.text.startswith("Unused days expire")
    assert "25 days" not in found.text
    assert all(text.startswith(f"Question: {QUESTION}\nText: ") for text in model.asked)
    assert 1 < len(model.asked) <= MOST
    assert model.most <= 4
    assert asker.settlement.records[-1].facts.plain()["features"]["confirmed"] == 0.95


async def test_nothing_confirmed_is_refused_below_the_setting(room: Room, asker: Context) -> None:
    await fill(room)
    room.settings = room.settings.model_copy(update={"confirm": "always", "confirm_below": 0.0})
    confirm = Confirm(Model("nothing like it"), 5.0, "m")
    found = await collect(await room.answerer(confirmer=confirm).respond(ask(QUESTION), asker))
    assert found.answered
    room.settings = room.settings.model_copy(update={"confirm_below": 0.1})
    found = await collect(await room.answerer(confirmer=confirm).respond(ask(QUESTION), asker))
    assert not found.answered
    assert found.text.startswith(REFUSAL)


@pytest.mark.parametrize("model", [Model("", fault=Overloaded("busy")), Model("expire", slow=5.0)])
async def test_without_the_model_the_answer_is_what_it_was(room: Room, asker: Context, model: Model) -> None:
    await fill(room)
    room.settings = room.settings.model_copy(update={"confirm": "always"})
    plain = await collect(await room.answerer().respond(ask(QUESTION), asker))
    found = await collect(await room.answerer(confirmer=Confirm(model, 0.05, "m")).respond(ask(QUESTION), asker))
    assert found.text == plain.text
    assert model.running == 0 or model.slow


async def test_it_is_asked_where_the_model_writes_or_always(room: Room, asker: Context) -> None:
    await fill(room)
    model = Model("25 days")
    answerer = room.answerer(confirmer=Confirm(model, 5.0, "m"))
    await collect(await answerer.respond(ask(QUESTION, mode="verbatim"), asker))
    assert model.asked == []
    for wanted, asked in (("always", True), ("never", False)):
        room.settings = room.settings.model_copy(update={"confirm": wanted})
        model.asked.clear()
        answerer = room.answerer(confirmer=Confirm(model, 5.0, "m"))
        await collect(await answerer.respond(ask(QUESTION, mode="verbatim"), asker))
        assert bool(model.asked) is asked
    others = [room.answerer(confirmer=Confirm(model, 5.0, name)) for name in ("m", "n")]
    assert len({each.fingerprint(ask(QUESTION), asker) for each in (*others, room.answerer())}) == 3


async def test_summaries_comparisons_and_other_languages_are_not_asked_about(room: Room, asker: Context) -> None:
    await fill(room)
    room.settings = room.settings.model_copy(update={"confirm": "always"})
    model = Model("25 days")
    for question in ("Summarise the holidays.", "What is the difference between holidays and workshops?"):
        await collect(await room.answerer(confirmer=Confirm(model, 5.0, "m")).respond(ask(question), asker))
    assert model.asked == []


async def test_auto_reads_for_a_writer_alone_and_not_for_what_it_quotes(room: Room, asker: Context) -> None:
    await fill(room)
    model = Model("25 days")
    writer = NoteWriter(
        Writing("Everybody has 25 days of holiday a year."), room.embedder, model="m", context_window=2048
    )
    answerer = room.answerer(writer=writer, grounded=True, confirmer=Confirm(model, 5.0, "m"))
    await collect(await answerer.respond(ask(QUESTION), asker))
    assert model.asked == []
    await collect(await answerer.respond(ask(QUESTION, mode="written"), asker))
    assert model.asked
