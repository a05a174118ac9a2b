"""What is known of the facts: how often documents of a collection change, and what ingesting them costs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from mainspring.core.errors import BudgetExceeded
from mainspring.core.types import Context, EmbedRequest, Principal, Priority, Settlement
from mainspring.feature import Rooms
from mainspring.features.advise.rule.money import MONTH_S
from mainspring.stores.schema import documents
from mainspring.stores.sql.pages import Page

_DAY_S = 86_400.0
LEAST_DAYS = 7.0
"""Younger collections say nothing on how often their documents change."""
_PIECE, _MOST_PIECES, _MOST_DOCUMENTS = 1_000, 16, 20
_NANO = 1e9
NAME = "advise"
"""The application of what embedding takes."""


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of a collection. ``days``: on how many days after the first one a document came, or came anew, that
    is still there."""

    count: int
    chars: int
    rereads: int
    days: int
    since_days: float

    @property
    def changes(self) -> float | None:
        """Days with a change in a month; None: the collection is too young to tell."""
        return None if self.since_days < LEAST_DAYS else self.days * MONTH_S / _DAY_S / self.since_days

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "documents": self.count,
            "characters": self.chars,
            "read_again": self.rereads,
            "days_with_changes": self.days,
            "days": round(self.since_days, 2),
            "changes_per_month": self.changes,
        }


async def history(rooms: Rooms, principal: Principal, name: str, now: float | None = None) -> Documents:
    """How a collection came to be. Raises ``NotFound``."""
    collection = await rooms.library.get(principal, name)
    d = documents.c
    mine = sa.and_(d.tenant == principal.tenant, d.collection_id == collection.id, d.generation > 0)
    sums = sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(d.chars), 0),
        sa.func.coalesce(sa.func.sum(d.generation - 1), 0),
        sa.func.min(d.created_at),
    ).where(mine)

    def work(connection: sa.Connection) -> Documents:
        count, chars, rereads, first = connection.execute(sums).one()
        began = float(first if first is not None else collection.created_at)
        # Whole days since the first document, so that a first ingestion of hours is no change.
        days: set[int] = set()
        for moment in (d.created_at, sa.case((d.generation > 1, d.updated_at), else_=d.created_at)):
            since = (moment - began) / _DAY_S
            # Postgres rounds where it casts, and SQLite cuts off.
            whole = sa.func.floor(since) if connection.dialect.name == "postgresql" else since
            day = sa.cast(whole, sa.BigInteger)
            days.update(connection.execute(sa.select(day).where(mine).distinct()).scalars())
        days.discard(0)
        age = max(0.0, (now or time.time()) - began) / _DAY_S
        return Documents(int(count), int(chars), int(rereads), len(days), age)

    return await rooms.stores.database.read(work)


async def ingestion(rooms: Rooms, principal: Principal, name: str, found: Documents) -> dict[str, float]:
    """What embedding all documents costs, from some pieces that are embedded now: US dollars as the ledger counts them,
    and seconds. Parsing is left out. It is charged to ``principal``. Raises ``BudgetExceeded``."""
    page = await rooms.library.documents_page(principal, name, Page(_MOST_DOCUMENTS), "completed")
    pieces: list[str] = []
    for each in page.rows:
        if not each.text_blob or len(pieces) >= _MOST_PIECES:
            continue
        text = await rooms.library.search.text(each.text_blob)
        pieces += [text[at : at + _PIECE] for at in range(0, min(len(text), 4 * _PIECE), _PIECE)]
    pieces = [each for each in pieces if each.strip()][:_MOST_PIECES]
    read = sum(map(len, pieces))
    if not read:
        return {"usd": 0.0, "seconds": 0.0, "pieces": 0.0}
    context = Context(principal, settlement=Settlement(NAME), priority=Priority.BATCH)
    embedder = rooms.path.charged.embedder(rooms.engines.embedder, context)
    async with _paid(rooms, context, EmbedRequest(embedder.name, tuple(pieces))):
        began = time.perf_counter()
        await embedder.embed(pieces)
        seconds = time.perf_counter() - began
    times = found.chars / read
    cost = context.allowance.spent.cost_nanousd / _NANO
    return {"usd": cost * times, "seconds": seconds * times, "pieces": float(len(pieces))}


@asynccontextmanager
async def _paid(rooms: Rooms, context: Context, request: EmbedRequest) -> AsyncIterator[None]:
    """The most that embedding may cost is set aside while the block runs; what it took is settled then."""
    purse = rooms.path.services.purse
    found = [] if purse is None else await purse.budgets.concerning(context.principal, NAME)
    full = None
    if purse is not None and found:
        full = await purse.hold(context.allowance, found, *await purse.most(request, context))
    if full is not None:
        raise BudgetExceeded(
            f"budget {full.name or full.id} holds no more for embedding pieces of the collection",
            remedy="Leave the collection out, or raise the budget",
            param="collection",
        )
    reservation = context.allowance.reservation
    try:
        yield
    finally:
        # A call that was made has been paid for, whatever its result.
        records = [each.about(NAME, kept=False) for each in context.settlement.records]
        try:
            if records or reservation:
                await rooms.stores.events.settle(records, (), reservation)
        finally:
            if purse is not None and reservation:
                purse.budgets.done(reservation)
