"""The ledger: spending by purpose and payer, summed over ``call`` events; savings of caches, summed over answers.

There is no second account: a sum here is a sum of facts that requests settled.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import sqlalchemy as sa

from mainspring.core.errors import InvalidRequest
from mainspring.core.facts.answers import GIVEN_AGAIN, AnswerFacts
from mainspring.core.facts.base import name_of
from mainspring.core.facts.calls import UNCHARGED, CallFacts
from mainspring.core.facts.derived import summed
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.row_access import RowAccess

Dimension = Literal["tenant", "key", "application", "model", "day", "hour", "request"]
DIMENSIONS: tuple[Dimension, ...] = ("tenant", "key", "application", "model", "day", "hour", "request")
# Names of each in the facts of calls and of answers.
_FIELDS = {
    "key": (name_of(CallFacts, "key_id"), name_of(AnswerFacts, "key_id")),
    "application": (name_of(CallFacts, "application"), name_of(AnswerFacts, "requested")),
    "model": (name_of(CallFacts, "model"), name_of(AnswerFacts, "model")),
}
_CHARGED, _COST = name_of(CallFacts, "charged"), name_of(CallFacts, "cost_nanousd")
_HOUR, _DAY = 3600, 24
# Fields of a line that are sums of call facts, and counts of calls with a fact, have the names of these facts.
_SUMS, _COUNTS = summed(CallFacts, "sum"), summed(CallFacts, "count")


@dataclass(slots=True)
class LedgerLine:
    """Sums of one group: ``of`` has the group's value in each dimension. Money is in nano-US-dollars.

    ``saved_nanousd`` is what cached parts of prompts did not cost, ``hits`` how many answers came from a cache and
    ``cache_saved_nanousd`` what those would have cost. ``unpriced`` calls are of models without a known price: they
    count as 0 but are not free. ``routed`` answers came through the router. With only its large model they would have
    cost ``routing_saved_nanousd`` more (or less, if negative), without the ``routing_unknown`` answers, whose price is
    unknown.
    """

    of: dict[str, str]
    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost_nanousd: int = 0
    saved_nanousd: int = 0
    unpriced: int = 0
    hits: int = 0
    cache_saved_nanousd: int = 0
    routed: int = 0
    routing_saved_nanousd: int = 0
    routing_unknown: int = 0


@dataclass(frozen=True, slots=True)
class LedgerQuery:
    """Which events to sum: those of ``tenant`` (None: of all) from ``since`` until before ``until``, in Unix seconds,
    where each of ``where`` holds."""

    tenant: str | None = None
    since: float | None = None
    until: float | None = None
    where: Mapping[Dimension, str] = field(default_factory=dict)


class Ledger:
    """Sums over what all requests settled."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sums(
        self, by: Sequence[Dimension] = (), asked: LedgerQuery = LedgerQuery(), *, most: int | None = None
    ) -> list[LedgerLine]:
        """One line for each combination of the dimensions ``by``, the dearest first; a single one for none.

        Raises ``InvalidRequest`` for an unknown dimension, and for more than ``most`` lines.
        """
        for name in (*by, *asked.where):
            if name not in DIMENSIONS:
                raise InvalidRequest(
                    f"costs cannot be grouped by {name}", remedy=f"There are: {', '.join(DIMENSIONS)}", param="by"
                )

        def work(connection: sa.Connection) -> list[LedgerLine]:
            lines: dict[tuple[str, ...], LedgerLine] = {}
            for kind in ("call", "answer"):
                query = _query(connection, kind, by, asked)
                for row in connection.execute(query if most is None else query.limit(most + 1)):
                    group = tuple(str(value or "") for value in row[: len(by)])
                    line = lines.setdefault(group, LedgerLine(dict(zip(by, group, strict=True))))
                    _add(line, kind, row[len(by) :])
            # Answers that cost nothing and saved nothing made a group of their own.
            return [line for line in lines.values() if line.calls or line.hits]

        found = await self._database.read(work)
        if most is not None and len(found) > most:
            raise InvalidRequest(
                f"the result has more than {most} lines",
                remedy="Narrow it by since and until, or by a filter",
                param="by",
            )
        return sorted(found, key=lambda line: (-line.cost_nanousd, tuple(line.of.values())))

    async def hourly(self, since: int, until: int, tenant: str | None = None) -> dict[tuple[str, str], dict[int, int]]:
        """Nano-US-dollars of each (tenant, model) by hours since 1970, from ``since`` until before ``until``.

        It reads one day at a time, so that no other query waits long, and it reads only the calls of these hours.
        """

        def work(connection: sa.Connection, first: int, end: int) -> list[tuple[str, str, int, int]]:
            hours: sa.ColumnElement[Any] = events.c.at / _HOUR
            # Postgres rounds where SQLite cuts off.
            cut = sa.func.floor(hours) if connection.dialect.name == "postgresql" else hours
            hour = sa.cast(cut, sa.BigInteger)
            groups = (events.c.tenant, _field(connection, name_of(CallFacts, "model")), hour)
            cost = sa.func.coalesce(sa.func.sum(_number(connection, _COST)), 0)
            query = sa.select(*groups, cost).where(
                events.c.kind == sa.literal_column("'call'"),
                events.c.at >= first * _HOUR,
                events.c.at < end * _HOUR,
                _field(connection, _CHARGED) != UNCHARGED,
            )
            if tenant is not None:
                query = query.where(events.c.tenant == tenant)
            # By place: Postgres takes two parameters of one value for two.
            found = connection.execute(query.group_by(sa.text("1"), sa.text("2"), sa.text("3")))
            return [(row[0], str(row[1]), int(row[2]), int(row[3])) for row in found]

        series: dict[tuple[str, str], dict[int, int]] = {}
        for first in range(since, until, _DAY):
            part = functools.partial(work, first=first, end=min(first + _DAY, until))
            for owner, model, hour, cost in await self._database.read(part):
                series.setdefault((owner, model), {})[hour] = cost
        return series

    async def prefixes(self, asked: LedgerQuery = LedgerQuery()) -> list[tuple[str, str, int, float]]:
        """(model, prefix, its tokens, Unix seconds) of the calls that began with one long enough to be kept."""

        def work(connection: sa.Connection) -> list[tuple[str, str, int, float]]:
            prefix, model = (_field(connection, name_of(CallFacts, each)) for each in ("prefix", "model"))
            query = sa.select(model, prefix, _number(connection, name_of(CallFacts, "prefix_tokens")), events.c.at)
            found = connection.execute(query.where(_matches(connection, "call", asked), prefix != ""))
            return [(row[0], row[1], int(row[2]), row[3]) for row in found]

        return await self._database.read(work)

    async def total(self, asked: LedgerQuery = LedgerQuery()) -> LedgerLine:
        """The sum of everything that is asked for."""
        lines = await self.sums((), asked)
        return lines[0] if lines else LedgerLine({})


def total(lines: Iterable[LedgerLine]) -> LedgerLine:
    """The sum of lines."""
    summed = LedgerLine({})
    for line in lines:
        for each in fields(LedgerLine):
            if each.name != "of":
                setattr(summed, each.name, getattr(summed, each.name) + getattr(line, each.name))
    return summed


def spent(connection: sa.Connection, asked: LedgerQuery) -> tuple[int, int]:
    """Nano-US-dollars and tokens of the calls that are asked for, within a transaction of the caller's."""
    cost, prompt, completion = (
        sa.func.coalesce(sa.func.sum(_number(connection, name)), 0)
        for name in (_COST, name_of(CallFacts, "prompt_tokens"), name_of(CallFacts, "completion_tokens"))
    )
    query = sa.select(cost, prompt + completion).where(_matches(connection, "call", asked))
    row = connection.execute(query).one()
    return int(row[0]), int(row[1])


def _query(connection: sa.Connection, kind: str, by: Sequence[Dimension], asked: LedgerQuery) -> sa.Select[Any]:
    groups: list[Any] = [_dimension(connection, kind, name) for name in by]
    matching = _matches(connection, kind, asked)
    count = sa.func.count()
    if kind == "answer":
        saved = sa.func.coalesce(sa.func.sum(_number(connection, name_of(AnswerFacts, "saved_nanousd"))), 0)
        hit = RowAccess(connection, frozenset()).field(events.c.facts, name_of(AnswerFacts, "cache")).in_(GIVEN_AGAIN)
        query: sa.Select[Any] = sa.select(*groups, count, saved).where(matching, hit)
    else:
        sums = [sa.func.coalesce(sa.func.sum(_number(connection, name)), 0) for name in _SUMS]
        sight = RowAccess(connection, frozenset())
        counts = [sa.func.count(sight.field(events.c.facts, name)) for name in _COUNTS]
        query = sa.select(*groups, count, *sums, *counts).where(matching)
    return query.group_by(*groups) if groups else query


def _add(line: LedgerLine, kind: str, values: Sequence[Any]) -> None:
    numbers = [int(value) for value in values]
    if kind == "answer":
        line.hits, line.cache_saved_nanousd = numbers
        return
    line.calls = numbers[0]
    for name, number in zip((*_SUMS, *_COUNTS), numbers[1:], strict=True):
        setattr(line, name, number)


def _matches(connection: sa.Connection, kind: str, asked: LedgerQuery) -> sa.ColumnElement[bool]:
    def conditions() -> Iterable[sa.ColumnElement[bool]]:
        yield events.c.kind == kind
        if kind == "call":
            yield _field(connection, _CHARGED) != UNCHARGED
        if asked.tenant is not None:
            yield events.c.tenant == asked.tenant
        if asked.since is not None:
            yield events.c.at >= asked.since
        if asked.until is not None:
            yield events.c.at < asked.until
        for name, value in asked.where.items():
            yield _dimension(connection, kind, name) == value

    return sa.and_(*conditions())


def _dimension(connection: sa.Connection, kind: str, name: Dimension) -> sa.ColumnElement[str]:
    if name == "tenant":
        return events.c.tenant
    if name == "request":
        return events.c.trace_id
    if name in ("day", "hour"):
        if connection.dialect.name == "postgresql":
            at = sa.func.timezone("UTC", sa.func.to_timestamp(events.c.at))
            # Literal, so that the expression in GROUP BY is the same one to the server.
            return sa.func.to_char(at, sa.literal_column("'YYYY-MM-DD'" if name == "day" else "'YYYY-MM-DD\"T\"HH24'"))
        pattern = "'%Y-%m-%d'" if name == "day" else "'%Y-%m-%dT%H'"
        return sa.func.strftime(sa.literal_column(pattern), events.c.at, sa.literal_column("'unixepoch'"))
    of_call, of_answer = _FIELDS[name]
    return _field(connection, of_call if kind == "call" else of_answer)


def _field(connection: sa.Connection, name: str) -> sa.ColumnElement[str]:
    # The name is one of ours: as a literal, it lets the server see that SELECT and GROUP BY are the same.
    if connection.dialect.name == "postgresql":
        facts: sa.ColumnElement[Any] = sa.cast(events.c.facts, sa.dialects.postgresql.JSONB)
        return sa.func.coalesce(sa.func.jsonb_extract_path_text(facts, sa.literal_column(f"'{name}'")), "")
    return sa.func.coalesce(sa.func.json_extract(events.c.facts, sa.literal_column(f"'$.{name}'")), "")


def _number(connection: sa.Connection, name: str) -> sa.ColumnElement[int]:
    return sa.cast(RowAccess(connection, frozenset()).field(events.c.facts, name), sa.BigInteger)
