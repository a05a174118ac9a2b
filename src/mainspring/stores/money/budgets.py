"""Budgets: what a scope may spend in a window of time.

Spending is booked in the commit that writes the ``call`` events: a period's ``spent`` always equals the sum of its
calls. Before an answer, one conditional UPDATE reserves its maximum cost, so that no interleaving of requests or
processes passes a hard limit; the settling commit replaces the reservation by the cost. A reservation is a lease: a
process that dies gives it back by doing nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

import mainspring.stores.money.ledger as ledger
import mainspring.stores.money.spending as spending
import mainspring.stores.sql.ids as ids
from mainspring.core.errors import Conflict, MainspringError, NotFound
from mainspring.core.types import Principal
from mainspring.stores.events.audit_log import LOCAL, Actor, Audit, HashedText
from mainspring.stores.keys.quotas import Quotas
from mainspring.stores.money.spending import Budget, Exhausted, Spending
from mainspring.stores.schema import budget_periods, budgets, reservations
from mainspring.stores.sql.database import Database

PREFIX = "budget_"
# A budget that another process makes is reserved against here after this long at most; it is charged at once.
REMEMBERED_S = 3.0
REREAD_S = 1.0
LEASE_S = 60.0
RENEW_S = 20.0
# Ids in one statement.
CHUNK = 500

_log = logging.getLogger(__name__)


class Budgets:
    """The budgets of all tenants."""

    def __init__(self, database: Database, audit: Audit | None = None, quotas: Quotas | None = None) -> None:
        self._database = database
        self._quotas = quotas or Quotas(database)
        self._audit = audit or Audit(database)
        self._known: dict[tuple[str, str, str], list[Budget]] | None = None
        self._read_at = 0.0
        self._changes = 0
        self._live: set[str] = set()
        self._beside: dict[str, asyncio.Task[None]] = {}

    async def create(
        self,
        tenant: str,
        scope: spending.Scope,
        subject: str = "",
        *,
        window: spending.Window,
        limit_nanousd: int | None = None,
        limit_tokens: int | None = None,
        hard: bool = True,
        name: str = "",
        setter: spending.Setter = "operator",
        by: Actor = LOCAL,
    ) -> Budget:
        """A new budget, which includes the spending of its current day or month; one without an end (``total``) starts
        at zero. Raises ``InvalidRequest`` naming the field, ``Conflict`` if there is such a budget."""
        now = time.time()
        owner = "" if scope == "global" else tenant
        made = Budget(
            owner, ids.new(PREFIX), name, scope, subject, window, limit_nanousd, limit_tokens, hard, now, setter
        )
        spending.check(made)

        def work(connection: sa.Connection) -> None:
            if connection.dialect.name == "postgresql":
                # A concurrent writer of calls has either committed them before this sum, or looks for budgets after
                # writing them and finds this one.
                connection.execute(sa.text("LOCK TABLE events IN SHARE MODE"))
            if owner:
                # Every server holds all budgets in memory.
                self._quotas.hold(connection, owner, "budgets")
            connection.execute(sa.insert(budgets), spending.row(made))
            if asked := spending.asked(connection, made, now):
                sums = [ledger.spent(connection, each) for each in asked]
                spending.begin(connection, made, now, sum(each for each, _ in sums), sum(each for _, each in sums))
            self._audit.append(connection, owner, "budget.created", by, object=made.id, details=_told(made))

        try:
            await self._database.write(work, durable=True)
        except sa.exc.IntegrityError:
            raise Conflict(
                "there is a budget of that scope, window and kind already", remedy="Change that one", param="scope"
            ) from None
        self._forget()
        return made

    async def get(self, tenant: str, budget_id: str) -> Budget:
        """Raises ``NotFound``."""
        mine = sa.and_(budgets.c.tenant == tenant, budgets.c.id == budget_id)
        found = await self._database.read(lambda connection: spending.find(connection, mine))
        if not found:
            raise _unknown(budget_id)
        return found[0]

    async def list(self, tenant: str | None = None) -> Sequence[Budget]:
        """The tenant's budgets, or those of all tenants, oldest first; budgets over all tenants are stored under
        ``""``."""
        mine = sa.true() if tenant is None else budgets.c.tenant == tenant
        return await self._database.read(lambda connection: spending.find(connection, mine))

    async def change(self, tenant: str, budget_id: str, *, by: Actor = LOCAL, **changes: Any) -> Budget:
        """Another ``limit_nanousd``, ``limit_tokens`` or ``name``. Raises ``NotFound`` and what ``create`` raises."""

        def work(connection: sa.Connection) -> Budget:
            mine = sa.and_(budgets.c.tenant == tenant, budgets.c.id == budget_id)
            if connection.execute(sa.update(budgets).where(mine).values(**changes)).rowcount == 0:
                raise _unknown(budget_id)
            (found,) = spending.find(connection, mine)
            spending.check(found)
            # It may be reached again under another limit.
            period = sa.and_(budget_periods.c.tenant == tenant, budget_periods.c.budget_id == budget_id)
            connection.execute(sa.update(budget_periods).where(period).values(crossed_at=None))
            self._audit.append(connection, tenant, "budget.changed", by, object=budget_id, details=_told(found))
            return found

        changed = await self._database.write(work, durable=True)
        self._forget()
        return changed

    async def delete(self, tenant: str, budget_id: str, *, by: Actor = LOCAL) -> None:
        """Delete the budget and its counts; the ledger stays. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            for table, name in ((reservations, "budget_id"), (budget_periods, "budget_id"), (budgets, "id")):
                mine = sa.and_(table.c.tenant == tenant, table.c[name] == budget_id)
                gone = connection.execute(sa.delete(table).where(mine)).rowcount
            if gone == 0:
                raise _unknown(budget_id)
            self._audit.append(connection, tenant, "budget.deleted", by, object=budget_id)

        await self._database.write(work, durable=True)
        self._forget()

    async def spending(self, budget: Budget, at: float | None = None) -> Spending:
        """The spending in the period of the Unix time ``at`` (None: now)."""
        period = spending.period(budget.window, time.time() if at is None else at)
        return await self._database.read(lambda connection: spending.read(connection, budget, period))

    # --- the path of a request ------------------------------------------------------------------------------------

    async def concerning(self, principal: Principal, application: str) -> Sequence[Budget]:
        """The budgets that a request for ``application`` counts for; remembered, so that none costs nothing."""
        age = time.monotonic() - self._read_at
        if self._known is None or age > REMEMBERED_S:
            await self._read()
        elif age > REREAD_S:
            self._run_beside("reread", self._reread)
        if not self._known:
            return ()
        names = spending.scopes(principal.tenant, principal.key_id, application, principal.lineage)
        return [budget for name in names for budget in self._known.get(name, ())]

    async def reserve(
        self, wanted: Sequence[Budget], nanousd: int, tokens: int
    ) -> tuple[str, Sequence[tuple[Budget, Spending]]]:
        """Reserve the amount in each, all or nothing; returns the reservation's id, and each budget with its spending.

        Raises ``Exhausted``. The lease is renewed until ``done``.
        """
        reservation, now = ids.new("hold_"), time.time()

        def work(connection: sa.Connection) -> list[tuple[Budget, Spending]]:
            return spending.reserve(connection, wanted, reservation, now, nanousd, tokens, LEASE_S)

        # Not synced: a reservation that the power took along would have ended with its request anyway.
        taking = asyncio.ensure_future(self._database.write(work, durable=False))
        try:
            taken = await asyncio.shield(taking)
        except asyncio.CancelledError:
            # No process knows this reservation any more, so none can settle it.
            self._run_beside(f"give back {reservation}", partial(self._give_back, taking, reservation))
            raise
        self._live.add(reservation)
        self._run_beside("renew", self._renew)
        return reservation, taken

    def done(self, reservation: str) -> None:
        """Renew it no more: it is settled now, or its lease ends."""
        self._live.discard(reservation)

    async def release(self, reservation: str) -> None:
        """Return a reservation that is settled elsewhere; if the database fails, its lease expires."""
        self.done(reservation)
        try:
            await self._database.write(
                lambda connection: spending.settle(connection, (), [reservation], time.time()) and None
            )
        except MainspringError as error:
            _log.warning("reservation %s was not given back: %s", reservation, error)

    async def close(self) -> None:
        """Stop background work."""
        for task in list(self._beside.values()):
            task.cancel()
        await asyncio.gather(*self._beside.values(), return_exceptions=True)

    async def _give_back(self, taking: asyncio.Future[Any], reservation: str) -> None:
        try:
            await taking
            await self._database.write(
                lambda connection: spending.settle(connection, (), [reservation], time.time()) and None,
                durable=False,
            )
        except (Exhausted, MainspringError) as error:
            _log.debug("reservation %s has no owner: %s", reservation, error)

    async def _renew(self) -> None:
        while self._live:
            await asyncio.sleep(RENEW_S)
            live = sorted(self._live)
            for start in range(0, len(live), CHUNK):
                held = reservations.c.id.in_(live[start : start + CHUNK])
                await self._write_quietly(sa.update(reservations).where(held).values(expires_at=time.time() + LEASE_S))

    async def _write_quietly(self, statement: sa.Update) -> None:
        try:
            await self._database.write(lambda connection: connection.execute(statement) and None, durable=False)
        except MainspringError as error:
            # The leases hold for two more rounds.
            _log.warning("reservations were not renewed: %s", error)

    async def _reread(self) -> None:
        try:
            await self._read()
        except MainspringError as error:
            # A remembered budget still expires; the next request sees it.
            _log.warning("the budgets could not be read again: %s", error)

    async def _read(self) -> None:
        while True:
            asked_at, changes = time.monotonic(), self._changes
            found = await self.list()
            # A value that was read before a change must be read again.
            if changes == self._changes:
                break
        known: dict[tuple[str, str, str], list[Budget]] = {}
        for budget in found:
            known.setdefault((budget.scope, budget.tenant, budget.subject), []).append(budget)
        self._known, self._read_at = known, asked_at

    def _forget(self) -> None:
        self._changes += 1
        self._known = None

    def _run_beside(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if name not in self._beside:
            task = asyncio.create_task(work(), name=f"budgets {name}")
            self._beside[name] = task
            task.add_done_callback(lambda _: self._beside.pop(name, None))


def _unknown(budget_id: str) -> NotFound:
    return NotFound(f"there is no budget {budget_id}", remedy="`mainspring budgets list` shows them")


def _told(budget: Budget) -> dict[str, Any]:
    """The audit log's record of a budget; the budget's name and scope may identify a person."""
    return {
        "scope": budget.scope,
        "of": HashedText(budget.subject),
        "window": budget.window,
        "limit_nanousd": budget.limit_nanousd,
        "limit_tokens": budget.limit_tokens,
        "hard": budget.hard,
        "setter": budget.setter,
    }
