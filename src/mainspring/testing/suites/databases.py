"""The contract of databases."""

from __future__ import annotations

import asyncio

import pytest
import pytest_asyncio
import sqlalchemy as sa

from mainspring.core.errors import StoreError
from mainspring.stores.sql.database import Database

_TABLE = sa.table("suite_rows", sa.column("id"), sa.column("text"))


@pytest.mark.asyncio
class DatabaseSuite:
    """A subclass has a fixture ``database``, a new and empty one, which it closes afterwards."""

    @pytest_asyncio.fixture
    async def rows(self, database: Database) -> Database:
        """The database with an empty table of its own."""

        def create(connection: sa.Connection) -> None:
            connection.execute(sa.text("CREATE TABLE suite_rows (id INTEGER PRIMARY KEY, text VARCHAR)"))

        await database.write(create)
        return database

    async def test_it_has_the_newest_schema_after_an_upgrade(self, database: Database) -> None:
        await database.upgrade()
        await database.upgrade()

        def count(connection: sa.Connection) -> int:
            return int(connection.execute(sa.text("SELECT count(*) FROM events")).scalar_one())

        assert await database.read(count) == 0

    async def test_what_was_written_is_read(self, rows: Database) -> None:
        await self._add(rows, 1, "The harbour opens at six. 日本語 😀")
        assert await self._texts(rows) == ["The harbour opens at six. 日本語 😀"]

    async def test_a_transaction_that_fails_leaves_nothing(self, rows: Database) -> None:
        def broken(connection: sa.Connection) -> None:
            connection.execute(sa.insert(_TABLE).values(id=1, text="half"))
            raise ValueError("in the middle")

        with pytest.raises(ValueError, match="in the middle"):
            await rows.write(broken)
        assert await self._texts(rows) == []

    async def test_a_violated_constraint_is_told_apart(self, rows: Database) -> None:
        await self._add(rows, 1, "first")
        with pytest.raises(sa.exc.IntegrityError):
            await self._add(rows, 1, "second")
        assert await self._texts(rows) == ["first"]

    async def test_another_failure_is_a_store_error_without_credentials(self, rows: Database) -> None:
        with pytest.raises(StoreError) as caught:
            await rows.read(lambda connection: connection.execute(sa.text("SELECT * FROM no_such_table")).all())
        assert "://" not in str(caught.value) or "@" not in str(caught.value) or ":***@" in str(caught.value)
        assert rows.name

    async def test_a_reader_does_not_write(self, rows: Database) -> None:
        def write(connection: sa.Connection) -> None:
            connection.execute(sa.insert(_TABLE).values(id=1, text="by a reader"))

        with pytest.raises(StoreError):
            await rows.read(write)
        assert await self._texts(rows) == []

    async def test_many_transactions_run_beside_each_other(self, rows: Database) -> None:
        await asyncio.gather(*(self._add(rows, number, str(number)) for number in range(40)))
        assert sorted(map(int, await self._texts(rows))) == list(range(40))

    async def test_a_cancelled_caller_does_not_split_a_transaction(self, rows: Database) -> None:
        def both(connection: sa.Connection) -> None:
            connection.execute(sa.insert(_TABLE).values(id=1, text="one"))
            connection.execute(sa.insert(_TABLE).values(id=2, text="two"))

        task = asyncio.ensure_future(rows.write(both))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        # A transaction that had begun is awaited by the next write.
        await self._add(rows, 3, "three")
        assert len(await self._texts(rows)) in (1, 3)

    async def test_it_can_be_compacted(self, rows: Database) -> None:
        await self._add(rows, 1, "kept")
        await rows.compact()
        assert await self._texts(rows) == ["kept"]

    async def _add(self, database: Database, number: int, text: str) -> None:
        await database.write(lambda connection: connection.execute(sa.insert(_TABLE).values(id=number, text=text)))

    async def _texts(self, database: Database) -> list[str]:
        found = await database.read(
            lambda connection: connection.execute(sa.select(_TABLE.c.text).order_by(_TABLE.c.id)).scalars().all()
        )
        return list(found)
