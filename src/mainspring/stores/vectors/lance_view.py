"""Tables of chunks as searches see them: one version each, with its cached rows.

A search uses the view of the newest version, which all searches share until the next write. The vectors of tables that
were recently compared row by row are kept in memory, within the budget.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import mainspring.stores.vectors.lance_rows as lance_rows
from mainspring.stores.vectors.lance_index import kinds
from mainspring.stores.vectors.lance_rows import Rows

# Bytes of vectors in memory, of all tables together: 1.3 million of 384 dimensions.
VECTOR_BYTES = 1 << 30
_BYTES_A_FLOAT = 2


@dataclass(frozen=True, slots=True)
class View:
    """A table at ``version`` (``table`` is checked out there), the kinds of its indexes by column, and its rows."""

    name: str
    table: Any
    version: int
    kinds: Mapping[str, str]
    columns: frozenset[str]
    rows: Rows


class Views:
    """The newest views of tables. Belongs to one event loop."""

    def __init__(self) -> None:
        # The most recently used last.
        self._views: dict[str, View] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def of(self, name: str, table: Any) -> View:
        """The view of ``table``, which was just opened and stays at that version."""
        version = await table.version()
        view = self._views.get(name)
        if view is None or view.version < version:
            async with self._locks.setdefault(name, asyncio.Lock()):
                view = self._views.get(name)
                if view is None or view.version < version:
                    view = await _made(name, table, version, view)
        self._keep(view)
        return view

    async def with_vectors(self, view: View, dimensions: int) -> View | None:
        """``view`` with its vectors; None if they are more than may be kept in memory."""
        if len(view.rows.numbers) * dimensions * _BYTES_A_FLOAT > VECTOR_BYTES:
            return None
        async with self._locks.setdefault(view.name, asyncio.Lock()):
            newest = self._views.get(view.name, view)
            known = newest if newest.version == view.version else view
            full = replace(known, rows=await lance_rows.with_vectors(known.table, known.rows))
            if newest.version == view.version:
                self._keep(full)
        return full

    def forget(self, name: str) -> bool:
        """Forget a table that is gone or was replaced under the same name; returns whether a view of it was known."""
        return self._views.pop(name, None) is not None

    def _keep(self, view: View) -> None:
        newest = self._views.pop(view.name, view)
        if newest.version > view.version:
            view = newest
        self._views[view.name] = view
        room = VECTOR_BYTES
        for name, each in reversed(list(self._views.items())):
            room -= each.rows.bytes
            if room < 0 and each.rows.matrix is not None:
                self._views[name] = replace(each, rows=replace(each.rows, matrix=None))


async def _made(name: str, table: Any, version: int, known: View | None) -> View:
    await table.checkout(version)
    rows = await (lance_rows.read(table) if known is None else lance_rows.follow(table, known.rows))
    columns = frozenset((await table.schema()).names)
    return View(name, table, version, await kinds(table), columns, rows)
