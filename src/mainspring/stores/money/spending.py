"""Budgets, and the statements that count spending, for use within a transaction."""

from __future__ import annotations

import calendar
import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sqlalchemy as sa

import mainspring.stores.keys.lineage as lineage
from mainspring.core.errors import InvalidRequest
from mainspring.stores.money.ledger import LedgerQuery
from mainspring.stores.schema import budget_periods, budgets, reservations

Scope = Literal["global", "tenant", "key", "application"]
Window = Literal["day", "month", "total"]
Setter = Literal["operator", "tenant"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
WINDOWS: tuple[Window, ...] = get_args(Window)
MOST = 2**62
"""More than any budget, and as much as the columns hold."""

# This statement runs for every request and is written as text: building it takes longer than executing it. Nothing
# from outside is in the texts.
_OF_TENANT = sa.text(
    'SELECT tenant, id, name, scope, subject, "window", limit_nanousd, limit_tokens, hard, created_at, setter'
    " FROM budgets WHERE tenant = :tenant OR tenant = '' ORDER BY tenant, id"
)
_BEGIN = sa.text(
    "INSERT INTO budget_periods (tenant, budget_id, period) VALUES (:tenant, :budget_id, :period)"
    " ON CONFLICT DO NOTHING"
)
_TAKE = sa.text(
    "UPDATE budget_periods SET reserved_nanousd = reserved_nanousd + :nanousd,"
    " reserved_tokens = reserved_tokens + :tokens"
    " WHERE tenant = :tenant AND budget_id = :budget_id AND period = :period"
    " AND spent_nanousd + reserved_nanousd + :nanousd <= :money AND spent_tokens + reserved_tokens + :tokens <= :most"
    " RETURNING period, spent_nanousd, spent_tokens, reserved_nanousd, reserved_tokens, crossed_at"
)
_HOLD = sa.text(
    "INSERT INTO reservations (tenant, budget_id, id, period, nanousd, tokens, expires_at)"
    " VALUES (:tenant, :budget_id, :id, :period, :nanousd, :tokens, :expires_at)"
)
_GIVE_BACK = sa.text("DELETE FROM reservations WHERE id = :id RETURNING tenant, budget_id, period, nanousd, tokens")
_CHARGE = sa.text(
    "INSERT INTO budget_periods (tenant, budget_id, period, spent_nanousd, spent_tokens)"
    " VALUES (:tenant, :budget_id, :period, :nanousd, :tokens) ON CONFLICT (tenant, budget_id, period) DO UPDATE SET"
    " spent_nanousd = budget_periods.spent_nanousd + :nanousd, spent_tokens = budget_periods.spent_tokens + :tokens,"
    " reserved_nanousd = budget_periods.reserved_nanousd - :given_nanousd,"
    " reserved_tokens = budget_periods.reserved_tokens - :given_tokens"
    " RETURNING period, spent_nanousd, spent_tokens, reserved_nanousd, reserved_tokens, crossed_at"
)


@dataclass(frozen=True, slots=True)
class Budget:
    """``scope`` is all tenants (``global``), a ``tenant``, one of its keys or one of its applications; ``subject`` is
    the key's id or the requested name. ``window`` is a day or month of UTC, or ``total``: since it was made. A ``hard``
    one refuses requests beyond a limit, a soft one reports them. None: no limit of that kind. A tenant's administrators
    cannot change a budget set by the ``operator``."""

    tenant: str
    id: str
    name: str
    scope: Scope
    subject: str
    window: Window
    limit_nanousd: int | None
    limit_tokens: int | None
    hard: bool
    created_at: float
    setter: Setter = "operator"


@dataclass(frozen=True, slots=True)
class Spending:
    """The amounts spent and reserved in one period; ``crossed_at``: when a limit was reached (None: it was not)."""

    period: str
    spent_nanousd: int = 0
    spent_tokens: int = 0
    reserved_nanousd: int = 0
    reserved_tokens: int = 0
    crossed_at: float | None = None

    def reaches(self, budget: Budget) -> bool:
        """Whether a limit of ``budget`` is reached."""
        money, tokens = budget.limit_nanousd, budget.limit_tokens
        return (money is not None and self.spent_nanousd >= money) or (
            tokens is not None and self.spent_tokens >= tokens
        )


@dataclass(frozen=True, slots=True)
class Charge:
    """One call, with the fields that budgets count. ``at`` is Unix seconds."""

    tenant: str
    key_id: str
    application: str
    at: float
    nanousd: int
    tokens: int


class Exhausted(Exception):
    """A hard budget cannot hold the reservation at the Unix time ``at``, which identifies its period. ``soon``: the
    amount would fit without other reservations."""

    def __init__(self, budget: Budget, spent: Spending, at: float, *, soon: bool) -> None:
        super().__init__(budget.id)
        self.budget = budget
        self.spent = spent
        self.at = at
        self.soon = soon


def check(budget: Budget) -> None:
    """Raises ``InvalidRequest`` naming the field that makes no sense."""
    limits = (("limit_usd", budget.limit_nanousd), ("limit_tokens", budget.limit_tokens))
    if all(limit is None for _, limit in limits):
        raise InvalidRequest("a budget needs limit_usd or limit_tokens", param="limit_usd")
    for name, limit in limits:
        if limit is not None and not 0 <= limit <= MOST:
            raise InvalidRequest(f"{name} must not be negative or impossibly large", param=name)
    if budget.scope not in SCOPES:
        raise InvalidRequest(f"unknown scope {budget.scope}", remedy=f"There are: {', '.join(SCOPES)}", param="scope")
    if budget.window not in WINDOWS:
        raise InvalidRequest(
            f"unknown window {budget.window}", remedy=f"There are: {', '.join(WINDOWS)}", param="window"
        )
    if (budget.scope in ("key", "application")) != bool(budget.subject):
        wanted = "the id of a key" if budget.scope == "key" else "the name that is asked for as model"
        needs = f"needs {wanted}" if budget.scope in ("key", "application") else "has none"
        raise InvalidRequest(f"subject: a budget of scope {budget.scope} {needs}", param="subject")


def period(window: Window, at: float) -> str:
    """The name of the period of Unix time ``at``: ``2026-11-25``, ``2026-11`` or ``all``."""
    return "all" if window == "total" else time.strftime("%Y-%m-%d" if window == "day" else "%Y-%m", time.gmtime(at))


def begins(window: Window, at: float) -> float | None:
    """When the period of ``at`` began, in Unix seconds; None for one without a beginning."""
    if window == "total":
        return None
    now = time.gmtime(at)
    return float(calendar.timegm((now.tm_year, now.tm_mon, now.tm_mday if window == "day" else 1, 0, 0, 0)))


def counted_since(budget: Budget) -> float:
    """From when on calls count for it, in Unix seconds: the beginning of the period in which it was made."""
    began = begins(budget.window, budget.created_at)
    return budget.created_at if began is None else began


def ends(window: Window, at: float) -> float | None:
    """When the period of ``at`` ends, in Unix seconds; None for one without an end."""
    if window == "total":
        return None
    now = time.gmtime(at)
    day = (now.tm_year, now.tm_mon, now.tm_mday + 1) if window == "day" else (now.tm_year, now.tm_mon + 1, 1)
    # Days and months past the last one are those of the next month and year.
    year, month = (day[0] + 1, 1) if day[1] > 12 else day[:2]
    return float(calendar.timegm((year, month, 1, 0, 0, 0)) + (day[2] - 1) * 86_400)


def scopes(tenant: str, key_id: str, application: str, above: Sequence[str] = ()) -> list[tuple[Scope, str, str]]:
    """(scope, tenant, subject) of the budgets that a request counts for; ``above`` is its key's lineage."""
    named: list[tuple[Scope, str, str]] = [
        ("global", "", ""),
        ("tenant", tenant, ""),
        ("key", tenant, key_id),
        ("application", tenant, application),
    ]
    return [*named, *(("key", tenant, each) for each in above)] if above else named


def asked(connection: sa.Connection, budget: Budget, at: float) -> list[LedgerQuery]:
    """The parts of the ledger that the period of ``at`` is the sum of; none if it begins with the budget."""
    since = begins(budget.window, at)
    if since is None:
        return []
    tenant = None if budget.scope == "global" else budget.tenant
    if budget.scope == "key":
        held = lineage.held_by(connection, budget.tenant, budget.subject)
        return [LedgerQuery(tenant, since, where={"key": each}) for each in held]
    return [LedgerQuery(tenant, since, where={"application": budget.subject} if budget.scope == "application" else {})]


def row(budget: Budget) -> dict[str, Any]:
    """The budget as a row."""
    return dataclasses.asdict(budget)


def find(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Budget]:
    """The budgets for which ``condition`` holds, oldest first."""
    query = sa.select(budgets).where(condition).order_by(budgets.c.tenant, budgets.c.id)
    return [Budget(**found._mapping) for found in connection.execute(query)]


def read(connection: sa.Connection, budget: Budget, of: str) -> Spending:
    """The spending in one period."""
    columns = [budget_periods.c[each.name] for each in dataclasses.fields(Spending)]
    found = connection.execute(sa.select(*columns).where(_here(budget, of))).one_or_none()
    return Spending(of) if found is None else Spending(*found)


def begin(connection: sa.Connection, budget: Budget, at: float, nanousd: int, tokens: int) -> None:
    """Write the first period of a new budget."""
    here = {"tenant": budget.tenant, "budget_id": budget.id, "period": period(budget.window, at)}
    connection.execute(sa.insert(budget_periods), {**here, "spent_nanousd": nanousd, "spent_tokens": tokens})


def reserve(
    connection: sa.Connection,
    wanted: Sequence[Budget],
    reservation: str,
    now: float,
    nanousd: int,
    tokens: int,
    lease_s: float,
) -> list[tuple[Budget, Spending]]:
    """Reserve an amount of each budget of ``wanted`` that still exists; returns each with its amounts spent and
    reserved.

    Raises ``Exhausted``, which must roll the transaction back.
    """
    names = {(budget.tenant, budget.id) for budget in wanted}
    tenant = max(budget.tenant for budget in wanted)
    # Always in this order, as everybody who locks more than one of these rows.
    current = [budget for budget in of_tenant(connection, tenant) if (budget.tenant, budget.id) in names]
    taken = []
    held = []
    for budget in current:
        here = {"tenant": budget.tenant, "budget_id": budget.id, "period": period(budget.window, now)}
        found = _take(connection, budget, here, nanousd, tokens)
        if found is None:
            # The first ones of a period may all miss its row, which one of them makes: the others wait for that here.
            if not _begun(connection, here):
                _reclaim(connection, budget, now)
            found = _take(connection, budget, here, nanousd, tokens)
        if found is None:
            spent = read(connection, budget, here["period"])
            raise Exhausted(budget, spent, now, soon=_fits(budget, spent, nanousd, tokens))
        taken.append((budget, found))
        held.append({**here, "id": reservation, "nanousd": nanousd, "tokens": tokens, "expires_at": now + lease_s})
    if held:
        connection.execute(_HOLD, held)
    return taken


def of_tenant(connection: sa.Connection, tenant: str) -> list[Budget]:
    """The tenant's budgets and those over all tenants, in the order in which they are locked."""
    found = connection.execute(_OF_TENANT, {"tenant": tenant})
    return [Budget(**{**row._mapping, "hard": bool(row.hard)}) for row in found]


def _take(
    connection: sa.Connection, budget: Budget, here: dict[str, str], nanousd: int, tokens: int
) -> Spending | None:
    # A free call passes a limit of money, whatever was spent.
    money = budget.limit_nanousd if budget.hard and nanousd else None
    most = budget.limit_tokens if budget.hard and tokens else None
    limits = {"money": MOST if money is None else money, "most": MOST if most is None else most}
    found = connection.execute(_TAKE, {**here, "nanousd": nanousd, "tokens": tokens, **limits}).one_or_none()
    return None if found is None else Spending(*found)


def _begun(connection: sa.Connection, here: dict[str, str]) -> bool:
    """Make the row of a period; whether this made it."""
    return connection.execute(_BEGIN, here).rowcount > 0


def _fits(budget: Budget, spent: Spending, nanousd: int, tokens: int) -> bool:
    money, most = budget.limit_nanousd, budget.limit_tokens
    return (money is None or not nanousd or spent.spent_nanousd + nanousd <= money) and (
        most is None or not tokens or spent.spent_tokens + tokens <= most
    )


def _reclaim(connection: sa.Connection, budget: Budget, now: float) -> None:
    """Return the reservations of processes that no longer renewed their leases."""
    table = reservations.c
    mine = sa.and_(table.tenant == budget.tenant, table.budget_id == budget.id)
    # One that is being settled at this moment is its owner's.
    over = sa.select(table.id).where(mine, table.expires_at < now).with_for_update(skip_locked=True)
    found = connection.execute(over).scalars().all()
    gone = sa.delete(reservations).where(mine, table.id.in_(found)).returning(table.period, table.nanousd, table.tokens)
    freed = connection.execute(gone).all() if found else []
    for of, nanousd, tokens in freed:
        charge_period(connection, (budget.tenant, budget.id, of), 0, 0, nanousd, tokens)


Key = tuple[str, str, str]
"""Tenant, budget and period."""


def give_back(connection: sa.Connection, settled: Sequence[str]) -> dict[Key, tuple[int, int]]:
    """Delete reservations: the nano-US-dollars and tokens that they held of each period."""
    held: dict[Key, tuple[int, int]] = {}
    # Sorted, so that two transactions never wait for each other's rows in a circle.
    for reservation in sorted(settled):
        for tenant, budget_id, of, nanousd, tokens in connection.execute(_GIVE_BACK, {"id": reservation}):
            before = held.get((tenant, budget_id, of), (0, 0))
            held[tenant, budget_id, of] = before[0] + nanousd, before[1] + tokens
    return held


def charge_period(
    connection: sa.Connection, key: Key, nanousd: int, tokens: int, given_nanousd: int, given_tokens: int
) -> Spending:
    """Add the cost to a period and remove the reservation; returns the new amounts."""
    here = {"tenant": key[0], "budget_id": key[1], "period": key[2]}
    given = {"given_nanousd": given_nanousd, "given_tokens": given_tokens}
    found = connection.execute(_CHARGE, {**here, "nanousd": nanousd, "tokens": tokens, **given}).one()
    return Spending(*found)


def settle(
    connection: sa.Connection, charges: Sequence[Charge], settled: Sequence[str], now: float
) -> list[tuple[Budget, Spending]]:
    """Count ``charges``, whose events this transaction has just written, and give back the reservations ``settled``.

    Returns the budgets whose limit was reached by it, each once a period.
    """
    # One look at a table that is empty for most: it must come after the events were written, see ``Budgets.create``.
    if connection.exec_driver_sql("SELECT 1 FROM budgets LIMIT 1").first() is None:
        return []
    given = give_back(connection, settled)
    known: dict[tuple[str, str, str], dict[str, Budget]] = {}
    for tenant in {charge.tenant for charge in charges}:
        for budget in of_tenant(connection, tenant):
            known.setdefault((budget.scope, budget.tenant, budget.subject), {})[budget.id] = budget
    above = _lineages(connection, charges, {tenant for scope, tenant, _ in known if scope == "key"})
    added: dict[Key, tuple[int, int]] = {}
    concerned: dict[Key, Budget] = {}
    for charge in charges:
        lineage_of = above.get((charge.tenant, charge.key_id), ())
        for name in scopes(charge.tenant, charge.key_id, charge.application, lineage_of):
            for budget in known.get(name, {}).values():
                if charge.at < counted_since(budget):
                    continue
                key = (budget.tenant, budget.id, period(budget.window, charge.at))
                concerned[key] = budget
                before = added.get(key, (0, 0))
                added[key] = before[0] + charge.nanousd, before[1] + charge.tokens
    crossed = []
    for key in sorted({*added, *given}):
        spent = charge_period(connection, key, *added.get(key, (0, 0)), *given.get(key, (0, 0)))
        budget_then = concerned.get(key)
        if budget_then is not None and spent.crossed_at is None and spent.reaches(budget_then):
            connection.execute(sa.update(budget_periods).where(_here(budget_then, key[2])).values(crossed_at=now))
            crossed.append((budget_then, dataclasses.replace(spent, crossed_at=now)))
    return crossed


def _lineages(
    connection: sa.Connection, charges: Sequence[Charge], tenants: set[str]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """The lineages of the keys that are charged, of the tenants that have budgets of keys."""
    return {
        (tenant, key_id): found
        for tenant in tenants
        for key_id, found in lineage.of(
            connection, tenant, {charge.key_id for charge in charges if charge.tenant == tenant}
        ).items()
    }


def _here(budget: Budget, of: str) -> sa.ColumnElement[bool]:
    table = budget_periods.c
    return sa.and_(table.tenant == budget.tenant, table.budget_id == budget.id, table.period == of)
