"""The engines that the conformance suite runs over, and how each is opened.

To add one: write an async context manager that yields a started engine, and a line in ``CASES``.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import EnginesSettings, Settings
from mainspring.core.settings.endpoints import RemoteModel, VllmModel
from mainspring.engines.base import Engine
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.llamacpp.engine import LlamaCppEngine
from mainspring.engines.remote.engine import RemoteEngine
from mainspring.engines.remote.vllm import VllmEngine
from mainspring.engines.scripted import ScriptedEngine
from mainspring.testing.engines import Outcome, job, run
from tests.conformance.openai_server import serve

__all__ = ["CASES", "Case", "Outcome", "default_model_missing", "job", "pulled_files", "run"]

DEFAULT_MODEL = "smollm2-135m-instruct"
SMALL = EnginesSettings(max_sequences=8, max_waiting=32, kv_tokens=16384, max_batched_tokens=256)
"""Enough for the suite, and quick to allocate."""


@dataclass(frozen=True)
class Case:
    """An engine under test. ``missing`` is why it cannot run here, naming the command that helps ("" if it can).

    ``model`` is false where no model is behind it: what it says is not generated, so what depends on the model's
    own choice of words is not asked of it.
    """

    name: str
    open: Callable[[], AbstractAsyncContextManager[Engine]]
    missing: Callable[[], str] = lambda: ""
    model: bool = True


def pulled_files() -> dict[str, Path]:
    """Files of the default chat model by role. Raises ``ModelNotPulled``."""
    return dict(Puller(Settings()).local(DEFAULT_MODEL).files)


def default_model_missing() -> str:
    """Why the default chat model cannot be used; empty if it can."""
    try:
        pulled_files()
    except ModelNotPulled as error:
        return str(error)
    return ""


@asynccontextmanager
async def openvino() -> AsyncIterator[Engine]:
    from mainspring.engines.openvino.engine import OpenVinoEngine

    engine = OpenVinoEngine(pulled_files()["ir"], SMALL, DEFAULT_MODEL, 8192)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def scripted() -> AsyncIterator[Engine]:
    # Slow enough that a caller can leave in the middle.
    yield ScriptedEngine(delay=0.05)


@asynccontextmanager
async def remote() -> AsyncIterator[Engine]:
    async with serve(ScriptedEngine(templates=True, delay=0.05)) as server:
        settings = RemoteModel(url=str(server.make_url("/v1")), model="scripted", context_window=4096)
        engine = RemoteEngine("remote", settings)
        await engine.start()
        try:
            yield engine
        finally:
            await engine.close()


@asynccontextmanager
async def llamacpp() -> AsyncIterator[Engine]:
    engine = LlamaCppEngine(pulled_files()["gguf"], SMALL, DEFAULT_MODEL, 8192)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def llamacpp_missing() -> str:
    """Why llama.cpp cannot run here; empty if it can."""
    if importlib.util.find_spec("xllamacpp") is None:
        return "llama.cpp is not installed: pip install 'mainspring[gguf]'"
    return default_model_missing()


@asynccontextmanager
async def vllm() -> AsyncIterator[Engine]:
    settings = VllmModel(
        model=os.environ["VLLM_MODEL"],
        command=tuple(shlex.split(os.environ["VLLM_COMMAND"])),
        arguments=tuple(shlex.split(os.environ.get("VLLM_ARGUMENTS", ""))),
        context_window=2048,
    )
    engine = VllmEngine("vllm", settings)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def vllm_missing() -> str:
    """Why vLLM cannot run here; empty if it can."""
    if "VLLM_COMMAND" in os.environ and "VLLM_MODEL" in os.environ:
        return ""
    return "vLLM is not named: set VLLM_COMMAND='vllm serve' and VLLM_MODEL to a model's folder"


CASES = [
    Case("openvino", openvino, default_model_missing),
    Case("llamacpp", llamacpp, llamacpp_missing),
    Case("vllm", vllm, vllm_missing),
    Case("remote", remote, model=False),
    Case("scripted", scripted, model=False),
]
