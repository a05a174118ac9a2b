"""The serving room as it is opened: who answers under which name, and what every call passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring import serving, stores, telemetry
from mainspring.core.errors import UnknownModel
from mainspring.core.path import collect
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, EmbedRequest, Message, Sampling
from mainspring.engines import ChatModel, Engines
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine
from tests.serving.house import visitor
from tests.serving.talk import WordVectors


def model(name: str) -> ChatModel:
    engine = ScriptedEngine(lambda _: [f"I am {name}"], templates=True)
    return ChatModel(name, engine, ModelResponder(engine, model_name=name, fingerprint=name), False, "scripted")


async def test_everything_is_served_under_its_name_and_in_the_ledger(tmp_path: Path) -> None:
    scaled = {"voted": {"model": "small", "method": "best_of", "samples": 2, "score": "arithmetic"}}
    routes = {"route": {"arms": {"a": {"model": "large"}}}}
    settings = Settings.model_validate({"home": tmp_path, "serving": {"scaled": scaled}})
    # Which models there are is checked where settings are loaded.
    settings.serving.routes.update(type(settings.serving).model_validate({"routes": routes}).routes)
    engines = Engines({name: model(name) for name in ("small", "large")}, WordVectors())
    async with (
        stores.open(settings) as opened,
        telemetry.open(settings, opened.spans) as told,
        serving.open(settings, opened, told, engines) as path,
    ):
        context = visitor()
        served = await path.registry.models(context.principal)
        assert [(each.name, each.kind) for each in served] == [
            ("small", "chat"),
            ("large", "chat"),
            ("route", "chat"),
            ("auto", "chat"),
            ("voted", "chat"),
            ("words", "embedding"),
        ]
        for name in ("large", "route", "voted"):
            asked = ChatRequest(name, (Message("user", "Who?"),), Sampling(max_tokens=8))
            answer = await collect(await path.responder.respond(asked, visitor()))
            assert answer.text == ("I am small" if name == "voted" else "I am large")
        await collect(await path.responder.respond(EmbedRequest("words", ("one two",)), visitor()))
        calls = await opened.events.find("acme", kind="call")
        assert sorted(each.facts.plain()["model"] for each in calls) == ["large", "large", "small", "words"]
        assert set(path.chat) == {"small", "large", "route"}


async def test_without_chat_models_documents_still_have_a_window(tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path, "models": {"chat": []}})
    async with (
        stores.open(settings) as opened,
        telemetry.open(settings, opened.spans) as told,
        serving.open(settings, opened, told, Engines({}, WordVectors())) as path,
    ):
        context = visitor()
        # Nobody answers under that name, which is found out behind the check of its length.
        with pytest.raises(UnknownModel):
            await path.responder.respond(ChatRequest("nobody", (Message("user", "Hello?"),)), context)
