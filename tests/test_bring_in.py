"""A chat model that comes later is served like those that were there from the start, without a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mainspring.cli.serve.larger_model import arriving
from mainspring.core.errors import MainspringError, ModelNotPulled, NotFound, UnknownModel
from mainspring.core.path import collect
from mainspring.core.settings import ModelsSettings, Settings
from mainspring.core.types import ChatRequest, Context, Message, Sampling
from mainspring.engines.catalogue.larger_model import BackgroundPull, Progress, State
from mainspring.system import System

SMALL = "smollm2-135m-instruct"


def asked(model: str) -> ChatRequest:
    return ChatRequest(model, (Message("user", "Name a river."),), Sampling(max_tokens=4, temperature=0))


@pytest.mark.slow
async def test_a_model_is_brought_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(home=tmp_path, models=ModelsSettings(chat=()))
    async with System.open(settings) as system:
        context = Context(system.local)
        names = [served.name for served in await system.registry.models(system.local)]
        assert SMALL not in names
        assert "auto" not in names
        with pytest.raises(UnknownModel):
            await system.respond(asked(SMALL), context)
        written = ChatRequest("document-qa", asked(SMALL).messages, options={"mode": "generative"})
        with pytest.raises(MainspringError) as without:
            await system.respond(written, context)
        assert not isinstance(without.value, NotFound)

        # How far it is, is said to whoever asks for it before it is there.
        system.registry.coming[SMALL] = lambda: Progress(SMALL, "pulling", "download", 1, 4)
        with pytest.raises(ModelNotPulled, match="is being pulled: download 25 %"):
            await system.respond(asked(SMALL), context)
        del system.registry.coming[SMALL]

        said: list[str] = []
        monkeypatch.setattr("mainspring.cli.serve.larger_model._say", said.append)
        states: list[str] = []
        tell = BackgroundPull.tell

        def told(self: BackgroundPull, state: State, detail: str = "") -> None:
            states.append(state)
            tell(self, state, detail)

        monkeypatch.setattr(BackgroundPull, "tell", told)
        async with arriving(system, SMALL):
            while SMALL in system.registry.coming:
                await asyncio.sleep(0.01)
        assert states == ["loading", "served"]
        assert said[-1] == f"{SMALL} is served"

        names = [served.name for served in await system.registry.models(system.local)]
        assert {SMALL, "auto", "document-qa"} <= set(names)
        for name in (SMALL, "auto"):
            answer = await collect(await system.respond(asked(name), Context(system.local)))
            assert answer.usage.completion_tokens > 0
        # Without a temperature the model draws in its own way: a fact is no matter of luck.
        question = (Message("user", "What is the capital of France?"),)
        for seed in range(6):
            request = ChatRequest(SMALL, question, Sampling(max_tokens=12, seed=seed))
            assert "Paris" in (await collect(await system.respond(request, Context(system.local)))).text
        assert await system.readiness() == {}
        page, _ = system.telemetry.metrics.render()
        assert f'mainspring_engine_running{{engine="{SMALL}"}}'.encode() in page
        # The answerer of documents has a writer now, too: what it lacks are documents.
        with pytest.raises(NotFound, match="no documents"):
            await system.respond(written, Context(system.local))
        (engine,) = (replica.engine for replica in system.engines.chat[SMALL].all_replicas())
    assert not engine.healthy()
