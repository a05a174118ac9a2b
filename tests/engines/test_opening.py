"""The engines room is opened and left, with engines that only record their calls."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from mainspring import engines
from mainspring.core import plugins
from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import Settings
from mainspring.engines import ChatModel, Prepared, builtin
from mainspring.engines.scripted import ScriptedEngine


class Noting(ScriptedEngine):
    closed = False

    async def start(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.closed = True
        await super().close()


class Reading:
    closed = False

    async def close(self) -> None:
        self.closed = True


def prepared(engine: Noting) -> Prepared:
    model = ChatModel("chat", engine, cast(Any, None), False, "scripted")
    return Prepared(plugins.Registry(), [model])


async def test_what_was_started_is_ended_where_the_rest_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    async def missing(_: Settings) -> Any:
        raise ModelNotPulled("the embedder was not pulled")

    monkeypatch.setattr(builtin, "embedder", missing)
    engine, before = Noting({}), asyncio.all_tasks()
    with pytest.raises(ModelNotPulled):
        async with engines.open(Settings(), prepared(engine)):
            pass
    assert engine.closed
    assert asyncio.all_tasks() == before


async def test_all_of_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, ranking, engine = Reading(), Reading(), Noting({})

    async def found(_: Settings) -> Any:
        return reading

    monkeypatch.setattr(builtin, "embedder", found)
    monkeypatch.setattr(builtin, "reranker", lambda _: ranking)
    async with engines.open(Settings(), prepared(engine)) as opened:
        assert opened.chat["chat"].engine is engine
        assert not any(each.closed for each in (engine, reading, ranking))
    assert engine.closed
    assert reading.closed
    assert ranking.closed
