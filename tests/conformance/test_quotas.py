"""Quotas of tenants on every SQL database: SQLite always, Postgres if one is named."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from mainspring import stores
from mainspring.core.errors import InvalidRequest, QuotaExceeded
from mainspring.core.settings import Settings
from mainspring.core.types import Message, Principal
from mainspring.stores import Stores
from mainspring.stores.keys import quotas
from mainspring.stores.keys.quotas import QUOTAS
from tests.databases import settings

__all__ = ["settings"]
KEY = Principal("acme", "key_1", frozenset({"admin"}))


@pytest.fixture
async def opened(settings: Settings) -> AsyncIterator[Stores]:
    async with stores.open(settings) as each:
        yield each


async def key(at: Stores, number: int, tenant: str = "acme") -> Any:
    return await at.keys.create(f"k{number}", tenant=tenant, scopes=frozenset({"chat"}))


async def store(at: Stores, number: int, tenant: str = "acme") -> Any:
    return await at.collections.create(tenant, f"c{number}", embedder="e")


async def file(at: Stores, number: int, tenant: str = "acme") -> Any:
    return await at.files.add(tenant, f"f{number}", b"12345", "assistants")


async def prompt(at: Stores, number: int, tenant: str = "acme") -> Any:
    return await at.prompts.add(tenant, "p", [Message("user", f"{number}")], [])


async def batch(at: Stores, number: int, tenant: str = "acme") -> Any:
    return await at.batches.create(
        Principal(tenant, "key_1"), endpoint="/v1/x", input_file_id=f"f{number}", window="24h", window_s=9, metadata={}
    )


MAKES: dict[str, Callable[..., Awaitable[Any]]] = {
    "keys": key,
    "vector_stores": store,
    "files": file,
    "file_bytes": file,
    "prompts": prompt,
    "batches": batch,
}


@pytest.mark.parametrize("name", MAKES)
async def test_no_more_is_made_than_may_be_however_many_ask_at_once(opened: Stores, name: str) -> None:
    limit = 17 if name == "file_bytes" else 3
    await opened.quotas.change("acme", {name: limit})
    results = await asyncio.gather(*(MAKES[name](opened, n) for n in range(8)), return_exceptions=True)
    refused = [each for each in results if isinstance(each, BaseException)]
    assert len(refused) == 5
    for each in refused:
        assert isinstance(each, QuotaExceeded)
        assert (each.status, each.param) == (403, name)
        assert f"of {limit} {QUOTAS[name].what}" in each.message
        assert f"limits.tenant.{name}" in str(each.remedy)
    assert (await opened.quotas.used("acme"))[name] == (15 if name == "file_bytes" else 3)
    # Others are not concerned.
    await MAKES[name](opened, 1, "other")
    # More may be made where the operator says so.
    await opened.quotas.change("acme", {name: None})
    await MAKES[name](opened, 9)


async def test_what_ends_makes_room(opened: Stores) -> None:
    await opened.quotas.change("acme", {"keys": 2, "vector_stores": 1})
    first, _ = await key(opened, 1)
    await key(opened, 2)
    with pytest.raises(QuotaExceeded):
        await key(opened, 3)
    await opened.keys.revoke("acme", first.id)
    await key(opened, 3)
    # A key that is replaced needs no more room.
    last = (await opened.keys.list("acme"))[-1]
    await opened.keys.rotate("acme", last.id)
    made = await store(opened, 1)
    with pytest.raises(QuotaExceeded):
        await store(opened, 2)
    await opened.collections.delete("acme", made.id)
    await store(opened, 2)


async def test_far_below_a_limit_nothing_is_counted_each_time(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = 0
    count = quotas.Quotas._count

    def counting(*args: Any) -> int:
        nonlocal counted
        counted += 1
        return count(*args)

    monkeypatch.setattr(quotas.Quotas, "_count", counting)
    for number in range(20):
        await key(opened, number)
    assert counted == 1
    await opened.quotas.change("acme", {"keys": 21})
    await key(opened, 20)
    with pytest.raises(QuotaExceeded):
        await key(opened, 21)
    assert counted == 3


async def test_what_one_process_sets_another_heeds(settings: Settings, opened: Stores) -> None:
    async with stores.open(settings) as other:
        assert (await other.quotas.limits("acme"))["keys"] == 1_000
        await opened.quotas.change("acme", {"keys": 1, "chunks": 5})
        # At once where it is counted, within seconds where it is shown.
        await key(other, 1)
        with pytest.raises(QuotaExceeded):
            await key(other, 2)
        other.quotas._read_at = time.monotonic() - quotas.REMEMBERED_S - 1
        shown = await other.quotas.limits("acme")
        assert (shown["keys"], shown["chunks"], shown["files"]) == (1, 5, 100_000)
        assert (await other.quotas.limits("beta"))["keys"] == 1_000


@pytest.mark.parametrize("changes", [{"nothing": 1}, {"keys": -1}, {"keys": 2**60}])
async def test_what_is_no_limit_is_refused(opened: Stores, changes: dict[str, int]) -> None:
    with pytest.raises(InvalidRequest):
        await opened.quotas.change("acme", changes)


async def test_the_settings_hold_where_nothing_else_is_set(tmp_path: Any) -> None:
    limits = {"tenant": {"keys": 5}, "tenants": {"acme": {"keys": 1, "files": 0}}}
    async with stores.open(Settings.model_validate({"home": tmp_path, "limits": limits})) as at:
        assert ((await at.quotas.limits("acme"))["keys"], (await at.quotas.limits("beta"))["keys"]) == (1, 5)
        await key(at, 1)
        with pytest.raises(QuotaExceeded, match="1 of 1 API keys"):
            await key(at, 2)
        await key(at, 1, "beta")
        await key(at, 2, "beta")
