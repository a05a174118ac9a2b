"""How SQLite finds events: the plans of the queries that a piece of code asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import sqlalchemy as sa

from mainspring.stores import Stores


async def plans(opened: Stores, ask: Callable[[], Awaitable[object]]) -> list[str]:
    """The plan of each query from ``events`` while ``ask`` runs."""
    seen: list[tuple[str, Any]] = []

    def watch(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if "FROM events" in statement and not statement.startswith("EXPLAIN"):
            seen.append((statement, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", watch)
    try:
        await ask()
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", watch)

    def work(connection: sa.Connection) -> list[str]:
        found = []
        for statement, parameters in seen:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            found.append(next(str(row[3]) for row in rows if " events " in f"{row[3]} "))
        return found

    return await opened.database.read(work)
