"""What SQL tools need of a database, and rows as JSON values."""

from __future__ import annotations

import base64
import datetime
import decimal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

_CELL = 2_000


@dataclass(frozen=True, slots=True)
class Access:
    """The rights of statements: the ``tables`` (None: all), whether they may ``write``, and the limits."""

    tables: frozenset[str] | None
    write: bool
    rows: int
    seconds: float


class Statements(Protocol):
    """A database that runs one statement."""

    async def run(self, sql: str, access: Access) -> dict[str, Any]:
        """``columns`` and ``rows``, or how many rows were ``changed``. Raises ``InvalidRequest`` with the database's
        words."""
        ...

    async def describe(self, access: Access) -> str:
        """The permitted tables with their columns, in words."""
        ...


def shown(columns: Sequence[str], found: Sequence[Sequence[Any]], most: int) -> dict[str, Any]:
    """Rows as JSON values."""
    rows = [[cell(each) for each in row] for row in found[:most]]
    return {"columns": list(columns), "rows": rows, "cut": len(found) > most}


def cell(value: Any) -> Any:
    """A value of a row as a JSON value."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value[:_CELL]).decode()
    if isinstance(value, decimal.Decimal | datetime.date | datetime.time | datetime.timedelta):
        return str(value)
    text = str(value)
    return text if len(text) <= _CELL else f"{text[:_CELL]}[cut]"
