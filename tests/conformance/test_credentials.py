"""Credentials on every SQL database: kept encrypted, found to be changed, guarded by another key without being lost."""

from __future__ import annotations

import base64
import dataclasses
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring.core.errors import InvalidRequest, NotFound, SettingsError, StoreError
from mainspring.core.settings import ModelsSettings, Settings
from mainspring.core.settings.endpoints import RemoteModel, RemoteReplica, RemoteReranker
from mainspring.stores import Stores
from mainspring.stores.events.audit_log import SERVER
from mainspring.stores.keys import credentials as store
from mainspring.stores.keys import keyring
from mainspring.stores.keys.credentials import Credentials
from mainspring.stores.schema import all_tables, credentials
from mainspring.stores.sql.pages import Page
from tests.databases import opened, settings

__all__ = ["opened", "settings"]
SECRET = "sk-marigold-4711-" + "s3cr3t" * 5


async def columns(opened: Stores, name: str) -> dict[str, Any]:
    query = sa.select(credentials).where(credentials.c.name == name)
    return dict((await opened.database.read(lambda connection: connection.execute(query).one()))._mapping)


def _all(query: sa.Select[Any], connection: sa.Connection) -> list[Any]:
    return list(connection.execute(query))


async def put(opened: Stores, name: str, **values: str) -> None:
    statement = sa.update(credentials).where(credentials.c.name == name).values(**values)
    await opened.database.write(lambda connection: connection.execute(statement) and None)


async def test_a_secret_is_kept_replaced_and_forgotten(opened: Stores) -> None:
    kept = opened.credentials
    made = await kept.set("openai", "first")
    changed = await kept.set("openai", SECRET)
    assert (changed.created_at, changed.key_id) == (made.created_at, made.key_id)
    assert await kept.reveal("openai") == SECRET
    assert [each.name for each in await kept.list()] == ["openai"]
    assert SECRET not in repr(await kept.list())
    await kept.remove("openai")
    for call in (kept.remove("openai"), kept.reveal("openai")):
        with pytest.raises(NotFound, match="credentials list"):
            await call


async def test_nothing_that_is_stored_holds_the_secret(opened: Stores, settings: Settings) -> None:
    await opened.credentials.set("openai", SECRET)
    await opened.credentials.set("same", SECRET)
    one, same = await columns(opened, "openai"), await columns(opened, "same")
    # Nor does it tell that two are the same.
    assert one["secret"] != same["secret"]
    assert one["wrapped"] != same["wrapped"]
    wanted = [SECRET.encode(), base64.b64encode(SECRET.encode()), SECRET.encode().hex().encode()]
    for path in settings.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not any(each in content for each in wanted), path
    for table in all_tables().sorted_tables:
        query = sa.select(table)
        found = await opened.database.read(partial(_all, query))
        assert SECRET not in repr(found), table.name
    assert keyring.path_of(settings).stat().st_mode & 0o777 == 0o600


async def test_what_was_changed_is_reported(opened: Stores) -> None:
    kept = opened.credentials
    await kept.set("openai", SECRET)
    await kept.set("other", "another")
    row, other = await columns(opened, "openai"), await columns(opened, "other")

    def flipped(text: str) -> str:
        raw = bytearray(base64.b64decode(text))
        raw[-1] ^= 1
        return base64.b64encode(bytes(raw)).decode()

    changes: list[dict[str, str]] = [
        {"secret": flipped(row["secret"])},
        {"wrapped": flipped(row["wrapped"])},
        {"secret": ""},
        {"secret": "not base64!"},
        # Another credential's, whole: whoever may choose where it is sent would get it.
        {name: other[name] for name in ("secret", "wrapped", "key_id")},
        {"secret": other["secret"]},
    ]
    for change in changes:
        await put(opened, "openai", **{**{name: row[name] for name in ("secret", "wrapped", "key_id")}, **change})
        with pytest.raises(StoreError, match="the credential openai was changed in the database"):
            await kept.reveal("openai")
        # Nor is it made good by another key.
        with pytest.raises(StoreError):
            await kept.rotate()
    await put(opened, "openai", **{name: row[name] for name in ("secret", "wrapped", "key_id")})
    assert await kept.reveal("openai") == SECRET


async def test_another_key_guards_all_and_the_old_one_is_gone(opened: Stores, settings: Settings) -> None:
    kept = opened.credentials
    await kept.set("openai", SECRET)
    await kept.set("other", "another")
    before, written = await columns(opened, "openai"), keyring.read(keyring.path_of(settings))
    count, key_id = await kept.rotate()
    after = await columns(opened, "openai")
    assert (count, after["key_id"]) == (2, key_id)
    assert key_id != before["key_id"]
    assert await kept.reveal("openai") == SECRET
    now = keyring.read(keyring.path_of(settings))
    assert len(now) == 1
    assert not set(now) & set(written)
    # The row of a backup opens with the file of that backup alone.
    await put(opened, "openai", **{name: before[name] for name in ("secret", "wrapped", "key_id")})
    with pytest.raises(StoreError, match=f"guarded by the key {before['key_id']}, which is not in"):
        await kept.reveal("openai")
    keyring.write(keyring.path_of(settings), [*now, *written])
    assert await kept.reveal("openai") == SECRET


async def test_keys_may_come_from_the_configuration(opened: Stores, settings: Settings) -> None:
    one, two = keyring.new_key(), keyring.new_key()

    def under(value: str) -> Credentials:
        chosen = settings.stores.model_copy(update={"credentials_key": value})
        return Credentials(opened.database, settings.model_copy(update={"stores": chosen}))

    await under(one).set("openai", SECRET)
    assert not keyring.path_of(settings).exists()
    assert await under(f"{two}, {one}").reveal("openai") == SECRET
    with pytest.raises(StoreError, match=r"not in stores\.credentials_key"):
        await under(two).reveal("openai")
    assert (await under(f"{two},{one}").rotate())[0] == 1
    assert await under(two).reveal("openai") == SECRET
    for wrong in ("short", "!" * 44, f"{one},x"):
        with pytest.raises(SettingsError, match=r"of stores\.credentials_key is not 32 bytes"):
            await under(wrong).reveal("openai")


async def test_a_key_file_that_others_may_read_is_refused(opened: Stores, settings: Settings) -> None:
    await opened.credentials.set("openai", SECRET)
    path = keyring.path_of(settings)
    path.chmod(0o640)
    with pytest.raises(SettingsError, match=f"chmod 600 {path}"):
        await opened.credentials.reveal("openai")
    path.unlink()
    with pytest.raises(SettingsError, match="is not there"):
        await opened.credentials.reveal("openai")


@pytest.mark.parametrize(("name", "secret"), [("a b", "x"), ("", "x"), ("a/b", "x"), ("a", ""), ("a", "x\ny")])
async def test_nonsense_is_refused(opened: Stores, name: str, secret: str) -> None:
    with pytest.raises(InvalidRequest):
        await opened.credentials.set(name, secret)
    with pytest.raises(InvalidRequest):
        await opened.credentials.set("a", "x" * 10_000)


async def test_the_audit_log_tells_who_did_it_and_no_secret(opened: Stores) -> None:
    await opened.credentials.set("openai", SECRET)
    await opened.credentials.rotate()
    await opened.credentials.remove("openai")
    found = (await opened.audit.page(SERVER, Page(10))).rows
    actions = [(each.action, each.object) for each in found if each.action.startswith("credential")]
    assert actions == [("credential.removed", "openai"), ("credentials.rotated", ""), ("credential.set", "openai")]
    assert SECRET not in json.dumps([dataclasses.asdict(each) for each in found], default=str)


async def test_settings_get_their_secrets(opened: Stores, settings: Settings) -> None:
    await opened.credentials.set("openai", SECRET)
    await opened.credentials.set("other", "another")
    endpoint = RemoteReplica(url="http://b", api_key="credential:other")
    remote = RemoteModel(url="http://a", model="m", api_key="credential:openai", replicas=(endpoint,))
    reranker = RemoteReranker(url="http://c", model="m", api_key="credential:openai")
    plain = RemoteModel(url="http://d", model="m", api_key="sk-plain")
    models = ModelsSettings(remote={"big": remote, "plain": plain}, remote_rerankers={"r": reranker})
    chosen = settings.model_copy(update={"models": models})
    found = (await store.resolved(chosen)).models
    assert found.remote["big"].api_key == SECRET
    assert found.remote["big"].replicas[0].api_key == "another"
    assert found.remote_rerankers["r"].api_key == SECRET
    assert found.remote["plain"].api_key == "sk-plain"
    assert SECRET not in repr(found)
    assert chosen.models.remote["big"].api_key == "credential:openai"
    await opened.credentials.remove("other")
    with pytest.raises(SettingsError, match=r"models\.remote\.big\.replicas\.0\.api_key is credential:other"):
        await store.resolved(chosen)
    await put(opened, "openai", secret="AAAA")
    with pytest.raises(SettingsError, match=r"models\.remote\.big\.api_key: the credential openai was changed"):
        await store.resolved(chosen)
    redis = settings.stores.model_copy(update={"redis": "credential:openai"})
    with pytest.raises(SettingsError, match=r"stores\.redis cannot be a credential"):
        await store.resolved(settings.model_copy(update={"stores": redis}))


def test_two_who_make_the_file_at_once_have_the_same_key(tmp_path: Path) -> None:
    chosen = Settings(home=tmp_path)
    assert keyring.keyring(chosen, make=True) == keyring.keyring(chosen, make=True)
    keyring._write(keyring.path_of(chosen), [keyring.new_key()], replace=False)
    assert len(keyring.read(keyring.path_of(chosen))) == 1
    assert [path.name for path in tmp_path.iterdir()] == [keyring.FILE_NAME]
