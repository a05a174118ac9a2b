"""What every SQL database must do for API keys."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import InvalidRequest, NotFound, Unauthenticated
from mainspring.core.scopes import SCOPES
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.stores import Stores
from mainspring.stores.keys import api_keys as keys_store
from tests.databases import opened, settings

__all__ = ["opened", "settings"]


async def test_a_key_opens_what_it_says(opened: Stores) -> None:
    info, secret = await opened.keys.create("k", tenant="a", scopes=frozenset({"chat"}), groups=frozenset({"hr", "it"}))
    principal = await opened.keys.authenticate(secret)
    assert principal == Principal("a", info.id, frozenset({"chat"}), frozenset({"hr", "it"}))
    everything = sa.text("SELECT * FROM keys")
    stored = await opened.database.read(lambda c: str(c.execute(everything).all()))
    assert secret not in stored
    assert secret[10:] not in stored


async def test_admin_implies_all_scopes_of_its_tenant(opened: Stores) -> None:
    assert not await opened.keys.any_admin()
    info, secret = await opened.keys.create("k", scopes=frozenset({"admin"}))
    assert (await opened.keys.authenticate(secret)).scopes == set(SCOPES) - {"operate"}
    assert await opened.keys.any_admin()
    await opened.keys.revoke("default", info.id)
    assert not await opened.keys.any_admin()


@pytest.mark.parametrize("secret", ["", "ms-", "ms-wrong", "x" * 10_000, "\0", "\ud800"])
async def test_an_unknown_secret_is_refused(opened: Stores, secret: str) -> None:
    with pytest.raises(Unauthenticated):
        await opened.keys.authenticate(secret)


async def test_revocation_and_expiry_act_at_once(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    info, secret = await opened.keys.create("k", scopes=frozenset({"chat"}))
    await opened.keys.authenticate(secret)
    await opened.keys.revoke("default", info.id)
    with pytest.raises(Unauthenticated, match="revoked"):
        await opened.keys.authenticate(secret)
    _, expired = await opened.keys.create("k", scopes=frozenset({"chat"}), expires_at=time.time() - 1)
    with pytest.raises(Unauthenticated, match="expired"):
        await opened.keys.authenticate(expired)
    _, short = await opened.keys.create("k", scopes=frozenset({"chat"}), expires_at=time.time() + 60)
    await opened.keys.authenticate(short)
    later = time.time() + 61
    monkeypatch.setattr(keys_store, "time", SimpleNamespace(time=lambda: later, monotonic=time.monotonic))
    with pytest.raises(Unauthenticated, match="expired"):
        await opened.keys.authenticate(short)


async def test_keys_of_other_tenants_cannot_be_touched(opened: Stores) -> None:
    info, secret = await opened.keys.create("k", tenant="a", scopes=frozenset({"chat"}))
    for act in (opened.keys.revoke("b", info.id), opened.keys.rotate("b", info.id), opened.keys.get("b", info.id)):
        with pytest.raises(NotFound):
            await act
    assert await opened.keys.list("b") == []
    await opened.keys.authenticate(secret)


async def test_a_key_has_the_tier_that_it_was_given_last(opened: Stores) -> None:
    info, secret = await opened.keys.create("k", tenant="a", scopes=frozenset({"chat"}), tier="free")
    assert (info.tier, (await opened.keys.authenticate(secret)).tier) == ("free", "free")
    await opened.keys.set_tier("a", info.id, "gold")
    assert (await opened.keys.authenticate(secret)).tier == "gold"
    assert [key.tier for key in await opened.keys.list("a")] == ["gold"]
    with pytest.raises(NotFound):
        await opened.keys.set_tier("b", info.id, "gold")


async def test_rotation_replaces_a_key(opened: Stores) -> None:
    old, old_secret = await opened.keys.create(
        "k", tenant="a", scopes=frozenset({"chat"}), groups=frozenset({"hr"}), tier="gold"
    )
    new, new_secret = await opened.keys.rotate("a", old.id, overlap_s=60)
    assert (await opened.keys.authenticate(old_secret)).key_id == old.id
    principal = await opened.keys.authenticate(new_secret)
    assert (principal.key_id, principal.scopes, principal.groups) == (new.id, old.scopes, old.groups)
    assert principal.tier == "gold"
    await opened.keys.rotate("a", old.id)
    with pytest.raises(Unauthenticated):
        await opened.keys.authenticate(old_secret)


async def test_a_key_that_is_revoked_while_it_is_rotated_has_no_successor(
    opened: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = await opened.keys.create("k", tenant="a", scopes=frozenset({"admin"}))
    read = type(opened.keys).get

    async def overtaken(self: Any, tenant: str, key_id: str) -> Any:
        found = await read(self, tenant, key_id)
        await self.revoke(tenant, key_id)
        return found

    monkeypatch.setattr(type(opened.keys), "get", overtaken)
    with pytest.raises(NotFound):
        await opened.keys.rotate("a", old.id, overlap_s=60)
    assert [key.id for key in await opened.keys.list("a")] == [old.id]


async def test_the_last_use_is_noted(settings: Settings) -> None:
    async with stores.open(settings) as each:
        info, secret = await each.keys.create("k", scopes=frozenset({"chat"}))
        assert info.last_used_at is None
        await each.keys.authenticate(secret)
    async with stores.open(settings) as each:
        (noted,) = await each.keys.list("default")
        assert noted.last_used_at is not None


async def test_an_unknown_scope_is_refused(opened: Stores) -> None:
    with pytest.raises(InvalidRequest, match="root"):
        await opened.keys.create("k", scopes=frozenset({"root"}))
