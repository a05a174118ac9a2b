"""vLLM as an engine: its server started, watched and ended. The real one runs in the conformance suite."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import EngineDied, ModelError
from mainspring.core.settings import Settings
from mainspring.core.settings.endpoints import VllmModel
from mainspring.core.types import Finish, Grammar, Message, Sampling, Text, Usage
from mainspring.engines import builtin
from mainspring.engines.base import Generation
from mainspring.engines.remote.vllm import VllmEngine
from tests.conformance.engine_cases import run

FAKE = (sys.executable, str(Path(__file__).parents[1] / "fake_vllm.py"))


@asynccontextmanager
async def started(model: str = "words", **fields: Any) -> AsyncIterator[VllmEngine]:
    engine = VllmEngine("v", VllmModel(model=model, command=FAKE, **fields))
    engine.spawn()
    try:
        await engine.start()
        yield engine
    finally:
        await engine.close()


def chat(text: str, **sampling: Any) -> Generation:
    return Generation("", Sampling(**sampling), (Message("user", text),))


def server_of(engine: VllmEngine) -> int:
    """Process id of the server below the supervised child."""
    assert engine._supervisor is not None
    pid: int = engine._supervisor.greeting["pid"]
    return pid


def runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


async def answered(engine: VllmEngine, text: str) -> str:
    """Its answer, asked again as the call ring does: until its death is noticed, connections break."""
    for _ in range(20):
        with contextlib.suppress(EngineDied):
            return (await run(engine, chat(text))).text()
        await asyncio.sleep(0.1)
    raise AssertionError("it did not come back")


async def ended(pid: int) -> bool:
    for _ in range(100):
        if not runs(pid):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_its_server_is_started_answers_and_is_ended() -> None:
    async with started() as engine:
        assert engine.healthy()
        assert (await run(engine, chat("all is well"))).text() == "all is well "
        assert (await run(engine, Generation("raw text", Sampling()))).events[-2:] == [Usage(2, 2, 1), Finish("stop")]
        pid, folder = server_of(engine), engine._directory
        assert runs(pid)
    assert await ended(pid)
    assert folder is not None
    assert not Path(folder.name).exists()


async def test_its_own_parameters_go_along() -> None:
    async with started() as engine:
        outcome = await run(engine, chat("x", grammar=Grammar("regex", "[0-9]+"), top_k=7))
        assert '"structured_outputs": {"regex": "[0-9]+"}' in outcome.text()
        assert '"top_k": 7' in outcome.text()
        assert await engine.count_tokens("one two three") == 3
        assert await engine.count_tokens("") == 0


async def test_what_its_prefix_cache_spared_is_counted() -> None:
    async def cached(**fields: Any) -> list[int]:
        async with started(**fields) as engine:
            seen = await run(engine, chat("one two three"))
        return [event.cached_tokens for event in seen.events if isinstance(event, Usage)]

    assert await cached() == [2]
    assert await cached(arguments=("--no-enable-prompt-tokens-details",)) == [0]


async def test_a_server_that_dies_fails_its_streams_and_is_started_again() -> None:
    async with started("slow") as engine:
        stream = await engine.generate(chat("one two three"))
        assert isinstance(await stream.__anext__(), Text)
        first = server_of(engine)
        os.kill(first, signal.SIGKILL)
        with pytest.raises(EngineDied):
            async for _ in stream:
                pass
        assert (await answered(engine, "again")) == "again "
        assert server_of(engine) != first
        assert engine.statistics()["restarts"] == 1


async def test_the_server_does_not_outlive_the_process_that_keeps_it() -> None:
    async with started() as engine:
        pid, child = server_of(engine), engine.pid
        assert child is not None
        os.kill(child, signal.SIGKILL)
        assert await ended(pid)


async def test_a_model_that_cannot_be_loaded_is_reported_in_its_own_words() -> None:
    engine = VllmEngine("v", VllmModel(model="broken", command=FAKE, environment={"WHERE": "nowhere"}))
    with pytest.raises(ModelError, match=r"ValueError: no such model: nowhere.*models\.vllm\.v"):
        await engine.start()
    assert not engine.healthy()
    await engine.close()


async def test_a_command_that_does_not_exist_is_named() -> None:
    engine = VllmEngine("v", VllmModel(model="m", command=("no-such-vllm", "serve")))
    with pytest.raises(ModelError, match="no-such-vllm cannot be started"):
        await engine.start()
    await engine.close()


def test_settings_make_one_engine_a_replica() -> None:
    settings = Settings.model_validate(
        {
            "models": {
                "vllm": {
                    "here": {"model": "m", "replicas": 2, "fingerprint": "w1"},
                    "there": {"model": "m", "url": "http://gpu:8000/v1"},
                }
            }
        }
    )
    here, there = builtin.vllm_models(settings)
    assert [each.local for each in here.replicas] == [True, True]
    assert [each.local for each in there.replicas] == [False]
    assert here.provider == "vllm"
    assert here.engine.pid is None  # type: ignore[attr-defined]
