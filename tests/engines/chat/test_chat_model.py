"""What of a chat model counts as this server's own state."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from mainspring.core.plugins import Registry
from mainspring.core.settings import EnginesSettings, ModelsSettings, Settings
from mainspring.engines import builtin
from mainspring.engines.catalogue.pull import PulledModel, Puller
from mainspring.engines.chat.chat_model import ChatModel, Replica
from mainspring.engines.scripted import ScriptedEngine


async def engine(*, healthy: bool) -> ScriptedEngine:
    made = ScriptedEngine(lambda _: ["yes"])
    if not healthy:
        await made.close()
    assert made.healthy() is healthy
    return made


async def model(*replicas: tuple[bool, bool]) -> ChatModel:
    """``replicas`` are (whether it runs here, whether it is healthy)."""
    nothing = cast(Any, None)
    made = [Replica(str(at), await engine(healthy=well), nothing, here) for at, (here, well) in enumerate(replicas)]
    return ChatModel("m", made[0].engine, nothing, False, "scripted", replicas=tuple(made))


async def test_a_server_is_ready_whatever_endpoints_elsewhere_do() -> None:
    """Else an upstream that is away makes every server unready, and without requests none sees it come back."""
    assert (await model((False, False))).ready()
    assert (await model((False, False), (False, False))).ready()
    assert (await model((True, False), (False, False))).ready()


async def test_a_server_whose_engine_is_away_is_not() -> None:
    assert not (await model((True, False))).ready()
    assert not (await model((True, False), (True, False))).ready()
    assert (await model((True, False), (True, True))).ready()
    alone = ChatModel("m", await engine(healthy=False), cast(Any, None), False, "scripted")
    assert not alone.ready()


def test_a_large_model_gets_the_cache_that_its_entry_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("smollm2-135m-instruct", "qwen2.5-coder-1.5b-instruct")

    def local(puller: Puller, name: str) -> PulledModel:
        return PulledModel(puller.catalogue.get(name), tmp_path, {}, "weights", None, {}, {})

    def made(_: PulledModel, settings: Settings) -> Any:
        given.append(settings.engines.kv_tokens)
        return ScriptedEngine(lambda _: ["yes"])

    monkeypatch.setattr(Puller, "local", local)
    registry, given = Registry(), list[int]()
    registry.add("engine", "openvino", made)
    default = EnginesSettings().kv_tokens
    for engines, wanted in ((EnginesSettings(), [default, 32768]), (EnginesSettings(kv_tokens=4096), [4096, 4096])):
        given.clear()
        builtin.local_models(Settings(engines=engines, models=ModelsSettings(chat=names)), registry)
        assert given == wanted
