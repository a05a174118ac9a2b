"""A conversion that takes long holds up neither other tenants nor a withdrawal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mainspring.core.errors import Conflict
from mainspring.core.settings import Settings
from mainspring.features.train.versions import entering, serving
from mainspring.features.train.versions.serving import Serving
from mainspring.stores.events.audit_log import ITSELF
from tests.features.train.test_reach import version
from tests.features.train.world import World, world


class Slow(Serving):
    """Conversions that last until they are let go."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.begun: list[str] = []
        self.go = asyncio.Event()
        self.dropped: list[str] = []

    async def _load(self, row: Any, pulled: Any) -> Any:
        self.begun.append(f"{row.tenant}/{row.name}")
        await self.go.wait()

        async def close() -> None: ...

        engine = SimpleNamespace(close=close)
        return serving._Loaded(row.tenant, f"{row.name}@{row.number}", frozenset(), None, engine)

    def _pull(self, name: str) -> Any:
        return SimpleNamespace(entry=SimpleNamespace(name=name))

    def _drop(self, name: str) -> None:
        self.dropped.append(name)

    async def _agrees(self, *_: Any) -> dict[str, float]:
        return {}

    async def _base(self, _: Any) -> str:
        return ""


def slow(home: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Slow:
    monkeypatch.setattr(entering, "entry_of", lambda *_: {})
    monkeypatch.setattr(entering, "enter", lambda *_: None)
    rooms = SimpleNamespace(
        settings=Settings.model_validate({"home": tmp_path, "train": settings}),
        path=SimpleNamespace(registry=SimpleNamespace(attach=lambda _: None)),
        stores=home.stores,
    )
    made = home.service.serving = Slow(rooms, home.service.kept, home.service.places)
    return made


async def until(wanted: Any) -> None:
    async with asyncio.timeout(10):
        while not wanted():
            await asyncio.sleep(0.01)


async def test_tenants_take_turns_at_converting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path, works=False) as home:
        made = slow(home, tmp_path, monkeypatch, conversions=2)
        for name in ("a", "b"):
            await version(home, name, "reranker")
        await version(home, "c", "reranker", tenant="other")
        find = home.service.kept.find
        tasks = [
            asyncio.create_task(made.serve(await find(tenant, f"{name}@1"), ITSELF))
            for tenant, name in (("acme", "a"), ("acme", "b"), ("other", "c"))
        ]
        await until(lambda: len(made.begun) == 2)
        await asyncio.sleep(0.1)
        # Which of two that begin at once is first does not matter, nor which of one tenant's.
        assert sorted(each.split("/")[0] for each in made.begun) == ["acme", "other"]
        # What is served by other processes is followed meanwhile.
        await asyncio.wait_for(made.follow(), 60)
        made.go.set()
        assert await asyncio.gather(*tasks) == ["a@1", "b@1", "c@1"]


async def test_one_that_is_withdrawn_while_it_is_converted_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, works=False) as home:
        made = slow(home, tmp_path, monkeypatch)
        await version(home, "a", "reranker")
        row = await home.service.kept.find("acme", "a@1")
        task = asyncio.create_task(made.serve(row, ITSELF))
        await until(lambda: made.begun)
        await asyncio.wait_for(made.withdraw(row, ITSELF), 60)
        before = len(made.dropped)
        made.go.set()
        with pytest.raises(Conflict, match="withdrawn meanwhile"):
            await task
        assert not made._loaded
        assert len(made.dropped) == before + 1
        assert (await home.service.kept.row("acme", "a", 1)).served == ""
