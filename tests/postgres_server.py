"""New databases on the Postgres server that ``MAINSPRING_STORES__DATABASE`` names, dropped when the test ends."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring.core import settings as configuration

MISSING = "no Postgres is named: `make test-services` starts one and runs this"


@contextmanager
def databases(count: int, *, vectors: bool) -> Iterator[list[str]]:
    """Addresses of ``count`` empty databases. Skips without a server, and where ``vectors`` and it lacks pgvector."""
    url = configuration.load().settings.stores.database
    if not url.startswith("postgres"):
        pytest.skip(MISSING)
    server = sa.make_url(url).set(drivername="postgresql")
    if vectors and not query(server, "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"):
        pytest.skip("this Postgres has no pgvector: apt-get install postgresql-17-pgvector")
    names = [f"mainspring_{uuid.uuid4().hex}" for _ in range(count)]
    for name in names:
        query(server, f"CREATE DATABASE {name}")
    yield [server.set(database=name).render_as_string(hide_password=False) for name in names]
    for name in names:
        query(server, f"DROP DATABASE {name} WITH (FORCE)")


def query(url: sa.URL | str, statement: str) -> Any:
    """The first value of what ``statement`` gives, in a connection of its own."""

    async def asked() -> Any:
        import asyncpg

        address = url if isinstance(url, str) else url.render_as_string(hide_password=False)
        connection = await asyncpg.connect(address)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(asked())
