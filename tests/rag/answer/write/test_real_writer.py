"""Answers that the real writing model writes: `make test-writer`. What is looked for was not tuned on."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring.core.errors import ModelNotPulled
from mainspring.core.path import Answer, collect
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, Message
from mainspring.engines.catalogue import grade
from mainspring.engines.catalogue.pull import Puller
from mainspring.rag.answer.write import claims
from mainspring.system import System

pytestmark = [pytest.mark.writer, pytest.mark.timeout(600)]
NAME = "qwen2.5-coder-1.5b-instruct"
TEXT = """# Boat hire

## Prices

A rowing boat costs 14 pounds an hour. A pedal boat costs 19 pounds an hour. Dogs are not allowed in pedal boats.

## Hours

Boats are let from 10 to 18 on every day from May to September. The pier is closed on 1 July.
"""


def ungraded(directory: Path, place: Path) -> Path:
    """The models of ``directory`` at ``place``, without the grade that somebody may have given the writing one: it
    counts for more than a catalogue."""
    (place / NAME).mkdir(parents=True)
    for each in directory.iterdir() if directory.exists() else ():
        if each.name != NAME:
            (place / each.name).symlink_to(each)
            continue
        for file in each.iterdir():
            if file.name != grade.FILE:
                (place / NAME / file.name).symlink_to(file)
    return place


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    """One whose catalogue trusts the model with answers from documents."""
    trusted = tmp_path / "catalogue.yaml"
    trusted.write_text(f"models:\n  {NAME}:\n    grounded: true\n", encoding="utf-8")
    directory = ungraded(Settings().models.directory, tmp_path / "models")
    models = Settings().models.model_copy(update={"chat": (NAME,), "catalogues": (trusted,), "directory": directory})
    rag = Settings().rag.model_copy(update={"confirm_within_s": 120.0})
    settings = Settings(home=tmp_path / "home", models=models, rag=rag)
    try:
        Puller(settings).local(NAME)
    except ModelNotPulled as error:
        pytest.skip(f"{error.message}: {error.remedy}")
    document = tmp_path / "boats.md"
    document.write_text(TEXT, encoding="utf-8")
    async with System.open(settings) as system:
        await system.library.ingest(system.local, "boats", [document])
        yield system


async def test_written_answers_hold_the_answer_and_no_number_of_their_own(system: System) -> None:
    async def ask(text: str) -> Answer:
        request = ChatRequest("boats", (Message("user", text),), options={"mode": "written", "cache": False})
        return await collect(await system.respond(request, Context(system.local)))

    right = 0
    for question, word in (
        ("What does a pedal boat cost?", "19"),
        ("Can I take my dog in a pedal boat?", "not"),
        ("On what day is the pier closed?", "1 July"),
        ("How much more does a pedal boat cost than a rowing boat?", "5"),
    ):
        found = await ask(question)
        quotes = "\n".join(citation.quote for citation in found.citations)
        bare = re.sub(r"\[\d+\]", "", found.text).partition("=")[0]
        assert found.citations, question
        assert claims.unsupported_numbers(bare, f"{TEXT}\n{quotes}") == [], question
        right += word in found.text
    # One may be quoted in other words.
    assert right >= 3


async def test_the_model_tells_what_answers_from_what_is_only_about_it(system: System) -> None:
    async def confirmed(text: str) -> tuple[float, bool]:
        request = ChatRequest("boats", (Message("user", text),), options={"mode": "written", "cache": False})
        answer = await collect(await system.respond(request, Context(system.local)))
        name = answer.head.answer_id
        (event,) = await system.stores.events.find(system.local.tenant, kind="retrieval", subject=name)
        return event.facts.plain()["features"]["confirmed"], bool(answer.answered)

    said, answered = await confirmed("What does a pedal boat cost?")
    missed, _ = await confirmed("How deep is the water at the pier?")
    assert answered
    assert said > 0.6 > missed
