"""Which of several chat models writes over documents: the one that may, wherever it stands in the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.core.path import Answer, collect
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, Message
from mainspring.engines import ChatModel
from mainspring.engines.base import Generation
from mainspring.engines.catalogue.entries import Catalogue
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine
from mainspring.system import System
from tests.world import opened, use_engines

pytestmark = pytest.mark.slow
TEXT = "# Boats\n\nA rowing boat costs 14 pounds an hour. A pedal boat costs 19 pounds an hour.\n"


def model(name: str, says: str, *, notes: bool) -> ChatModel:
    def script(_: Generation) -> list[str]:
        return [says]

    engine = ScriptedEngine(script, templates=True)
    responder = ModelResponder(engine, model_name=name, fingerprint=name)
    return ChatModel(name, engine, responder, False, "scripted", notes=notes)


async def said(system: System, question: str, mode: str) -> Answer:
    request = ChatRequest("boats", (Message("user", question),), options={"mode": mode, "cache": False})
    return await collect(await system.respond(request, Context(system.local)))


async def test_the_model_that_writes_over_notes_writes_though_a_smaller_one_stands_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smaller = model("smaller", "A boat is nice.", notes=False)
    larger = model("larger", "A rowing boat costs 14 pounds an hour.", notes=True)
    use_engines(monkeypatch, {each.name: each for each in (smaller, larger)})
    document = tmp_path / "boats.md"
    document.write_text(TEXT, encoding="utf-8")
    async with opened(tmp_path / "home", {}) as world:
        await world.system.library.ingest(world.system.local, "boats", [document])
        written = await said(world.system, "How much does a rowing boat cost?", "written")
        assert written.text.startswith("A rowing boat costs 14 pounds an hour")
        assert [each.source for each in written.citations] == ["boats.md"]
        summary = await said(world.system, "Summarise the page about boats.", "auto")
        assert "nice" not in summary.text
    assert isinstance(smaller.engine, ScriptedEngine)
    assert isinstance(larger.engine, ScriptedEngine)
    assert not smaller.engine.seen
    assert len(larger.engine.seen) >= 2


async def test_without_such_a_model_nothing_is_written_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smaller = model("smaller", "A boat is nice.", notes=False)
    use_engines(monkeypatch, {"smaller": smaller})
    document = tmp_path / "boats.md"
    document.write_text(TEXT, encoding="utf-8")
    async with opened(tmp_path / "home", {}) as world:
        await world.system.library.ingest(world.system.local, "boats", [document])
        summary = await said(world.system, "Summarise the page about boats.", "auto")
        assert "rowing boat" in summary.text
    assert isinstance(smaller.engine, ScriptedEngine)
    assert not smaller.engine.seen


def test_the_larger_model_of_the_catalogue_writes_over_notes(tmp_path: Path) -> None:
    entry = Catalogue.load(Settings(home=tmp_path)).get("qwen2.5-coder-1.5b-instruct")
    assert (entry.notes, entry.grounded) == (True, False)
