"""Databases of a test's own: SQLite always, and on the Postgres that ``MAINSPRING_STORES__DATABASE`` names, if any.

A test that needs Postgres has the word in its id: by it `make test-services` finds what it runs.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core import settings as configuration
from mainspring.core.settings import Settings, StoresSettings
from mainspring.stores import Stores
from mainspring.stores.sql import database as database_module

MISSING = "no Postgres is named: `make test-services` starts one and runs this"
PREFIX = "mainspring_"


def named() -> str:
    """The URL of the Postgres that is named, for asyncpg; empty where none is."""
    url = configuration.load().settings.stores.database
    if not url.startswith("postgres"):
        return ""
    return sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@asynccontextmanager
async def database(*, template: str = "", vectors: bool = False) -> AsyncIterator[str]:
    """The URL of a new database, which is dropped afterwards: a copy of ``template``, or empty. Skips the test where
    no Postgres is named, or with ``vectors`` one without pgvector."""
    if not (server := named()):
        pytest.skip(MISSING)
    import asyncpg

    name = PREFIX + uuid.uuid4().hex
    admin = await asyncpg.connect(server)
    try:
        if vectors and not await admin.fetchval("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"):
            pytest.skip("this Postgres has no pgvector: apt-get install postgresql-17-pgvector")
        await admin.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
        await admin.execute(f"DROP DATABASE {name}")
    finally:
        await admin.close()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database that our migrations made, for copies: a copy is made four times as fast. Empty where no
    Postgres is named."""
    if not named():
        yield ""
        return
    with asyncio.Runner() as runner:
        made = database()
        url = runner.run(made.__aenter__())
        runner.run(_migrate(Settings(home=tmp_path_factory.mktemp("home"), stores=StoresSettings(database=url))))
        yield str(sa.make_url(url).database)
        runner.run(made.__aexit__(None, None, None))


async def _migrate(settings: Settings) -> None:
    async with stores.open(settings):
        pass


@pytest.fixture(scope="session", autouse=True)
def schemas_made_once() -> Iterator[None]:
    """An empty SQLite file gets what the first one got from our migrations: that is made eight times as fast. Files
    with anything in them are migrated."""
    migrate = database_module._upgrade
    made: list[tuple[str, tuple[Any, ...]]] = []

    def upgrade(connection: sa.Connection, name: str) -> None:
        if connection.dialect.name != "sqlite" or sa.inspect(connection).get_table_names():
            migrate(connection, name)
        elif made:
            # By the driver itself: it is a third of the time.
            cursor = connection.connection.cursor()
            for statement, values in made:
                cursor.execute(statement, values)
            cursor.close()
        else:
            migrate(connection, name)
            made[:] = _dump(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database_module, "_upgrade", upgrade)
        yield


def _dump(connection: sa.Connection) -> list[tuple[str, tuple[Any, ...]]]:
    """Statements and their values that make the same tables, indexes and rows."""
    ours = "FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    made: list[tuple[str, tuple[Any, ...]]] = [
        (sql, ()) for (sql,) in connection.exec_driver_sql(f"SELECT sql {ours} ORDER BY rowid")
    ]
    for (table,) in connection.exec_driver_sql(f"SELECT name {ours} AND type = 'table'").all():
        for row in connection.exec_driver_sql(f'SELECT * FROM "{table}"'):
            made.append((f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(row))})', tuple(row)))
    return made


@pytest.fixture(params=["sqlite", "postgres"])
async def unmigrated(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings of stores that were never opened."""
    if request.param == "sqlite":
        yield Settings(home=tmp_path / "home")
        return
    async with database() as url:
        yield Settings(home=tmp_path / "home", stores=StoresSettings(database=url))


@pytest.fixture(params=["sqlite", "postgres"])
async def settings(request: pytest.FixtureRequest, tmp_path: Path, migrated: str) -> AsyncIterator[Settings]:
    """Settings of stores that are empty."""
    if request.param == "sqlite":
        yield Settings(home=tmp_path / "home")
        return
    async with database(template=migrated) as url:
        yield Settings(home=tmp_path / "home", stores=StoresSettings(database=url))


@pytest.fixture
async def opened(settings: Settings) -> AsyncIterator[Stores]:
    async with stores.open(settings) as each:
        yield each
