"""The contract of every SQL database when stores are opened: SQLite always, Postgres if one is named."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import StoreError
from mainspring.core.settings import Settings
from mainspring.core.types import Message
from mainspring.stores import Stores
from tests.conformance.stored import SECRET, event, publish, turn
from tests.databases import opened, settings, unmigrated

__all__ = ["opened", "settings", "unmigrated"]


async def test_everything_is_there_after_reopening(settings: Settings) -> None:
    record = event(content=SECRET)
    async with stores.open(settings) as first:
        await first.events.settle([record], [turn(Message("user", "hello"))])
        _, secret = await first.keys.create("cli", scopes=frozenset({"chat"}))
        file = await first.files.add("a", "notes.txt", b"notes", "assistants")
        collection = await first.collections.create("a", "handbook", embedder="mini")
        document = await publish(first, collection, "a.txt", "text of a")
    async with stores.open(settings) as second:
        assert await second.events.get("a", record.id) == record
        assert await second.sessions.history("a", "chat", 10) == [Message("user", "hello")]
        assert (await second.keys.authenticate(secret)).tenant == "default"
        assert await second.files.content("a", file.id) == b"notes"
        assert await second.collections.current(collection, None) == dict([document])


async def test_two_openings_at_once_migrate_once(unmigrated: Settings) -> None:
    async def use() -> str:
        async with stores.open(unmigrated) as each:
            return (await each.keys.create("k", scopes=frozenset({"admin"})))[1]

    secrets = await asyncio.gather(*(use() for _ in range(4)))
    async with stores.open(unmigrated) as each:
        assert len({(await each.keys.authenticate(secret)).key_id for secret in secrets}) == 4


async def test_a_database_of_a_newer_schema_is_refused(settings: Settings) -> None:
    async with stores.open(settings) as each:
        await each.database.write(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(StoreError, match=r"9999.*Upgrade mainspring"):
        async with stores.open(settings):
            pass


async def test_migrations_build_the_schema(opened: Stores) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from mainspring.stores.schema import all_tables

    def difference(connection: sa.Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), all_tables()))

    assert await opened.database.write(difference) == []


async def test_reads_cannot_write(opened: Stores) -> None:
    with pytest.raises(StoreError):
        await opened.database.read(lambda connection: connection.execute(sa.text("DELETE FROM events")))
