"""``mainspring eval online``: acceptance, retention, time to complete and conversion, from recorded events."""

from __future__ import annotations

import asyncio
import json
import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.core.types import EventRecord
    from mainspring.evaluation.online import Watch
    from mainspring.statistics.significance import Estimate

MOST = 2_000_000
_LONGEST_LINE = 4_000_000


def online(
    context: typer.Context,
    events: Annotated[
        Path | None,
        typer.Option(help="JSON lines of events, as GET /v1/events has them, in place of the database's", exists=True),
    ] = None,
    days: Annotated[float, typer.Option(min=0.01, max=3_650, help="Only the last days")] = 28.0,
    until: Annotated[float | None, typer.Option(help="End of the period, in Unix seconds", show_default="now")] = None,
    tenant: Annotated[str, typer.Option(help="Tenant of the traffic")] = "default",
    accepted: Annotated[
        list[str] | None,
        typer.Option(help="Outcome metric: a suggestion was accepted", show_default="all that end in `accepted`"),
    ] = None,
    completed: Annotated[str, typer.Option(help="Outcome metric: a task was completed")] = "completed",
    converted: Annotated[str, typer.Option(help="Outcome metric: a user became a paying one")] = "converted",
    seconds: Annotated[str, typer.Option(help="Outcome metric: the seconds that a task took")] = "",
    period: Annotated[int, typer.Option(min=1, max=365, help="Days of a retention period")] = 7,
    by: Annotated[Literal["person", "key", "session"], typer.Option(help="What identifies a user")] = "person",
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Measure acceptance, thumbs, time to complete, conversion and retention from recorded events.

    Intervals are 95 % and count each user once. The server need not run.
    """
    from mainspring.evaluation.online import Definition, Watch
    from mainspring.statistics.significance import stats_library

    stats_library()
    watch = Watch(Definition(tuple(accepted or ()), completed, converted, seconds, period, by))
    end = time.time() if until is None else until
    since = end - days * 86_400.0
    if events is not None:
        for record in read(events, tenant):
            if since <= record.at < end:
                watch.add(record)
    else:
        asyncio.run(_stored(context, watch, tenant, since, end))
    found = watch.figures(end)
    if as_json:
        show.as_json(told(watch, found))
        return
    print(f"{watch.answers} answers, {watch.unnamed} of them to unnamed users")
    rows = [
        (metric, arm or "all", *_shown(metric, value)) for metric, arms in found.items() for arm, value in arms.items()
    ]
    show.table(("METRIC", "ARM", "VALUE", "95 %", "N"), rows)


def told(watch: Watch, found: dict[str, dict[str, Estimate]]) -> dict[str, Any]:
    """It as JSON; an end of an interval that is not known is null."""
    return {
        "answers": watch.answers,
        "unnamed": watch.unnamed,
        "metrics": [
            {
                "metric": metric,
                "arm": arm,
                "value": value.value,
                "low": value.low if math.isfinite(value.low) else None,
                "high": value.high if math.isfinite(value.high) else None,
                "n": value.n,
            }
            for metric, arms in found.items()
            for arm, value in arms.items()
        ],
    }


def read(path: Path, tenant: str) -> list[EventRecord]:
    """The events of a file, by time. Raises ``InvalidRequest`` naming the line."""
    from mainspring.core.errors import InvalidRequest
    from mainspring.core.facts.answers import AnswerFacts
    from mainspring.core.facts.registry import read as facts_of
    from mainspring.core.types import EventRecord
    from mainspring.stores.events.uses import KINDS

    found: list[EventRecord] = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), ""), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                at = float(row.get("created_at", row.get("at")))
                kind = str(row["kind"])
                if kind in KINDS:
                    facts = facts_of(kind, row["facts"])
                    user = facts.user if isinstance(facts, AnswerFacts) else None
                    person, subject = str(row.get("person") or user or ""), str(row.get("subject") or "")
                    found.append(EventRecord(str(row["id"]), at, tenant, "", subject, facts, person=person))
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                raise InvalidRequest(
                    f"{path.name}, line {number} is not an event",
                    param="events",
                    remedy="Each line is an object with id, created_at, kind, subject and facts",
                ) from None
            _bounded(len(found))
    return sorted(found, key=lambda each: (each.at, each.id))


async def _stored(context: typer.Context, watch: Watch, tenant: str, since: float, until: float) -> None:
    from mainspring import stores
    from mainspring.core.settings import load
    from mainspring.stores.events.uses import uses

    count = 0
    async with stores.open(load(context.obj).settings) as opened:
        async for piece in uses(opened.database, tenant, since, until):
            count += len(piece)
            _bounded(count)
            for record in piece:
                watch.add(record)


def _bounded(count: int) -> None:
    from mainspring.core.errors import InvalidRequest

    if count > MOST:
        raise InvalidRequest(f"there are more than {MOST:,} events", param="days", remedy="Give fewer --days")


def _shown(metric: str, value: Estimate) -> tuple[str, str, int]:
    digits = 1 if metric == "time_to_complete" else 3
    unit = " s" if digits == 1 else ""
    known = math.isfinite(value.high)
    each = f"{value.low:.{digits}f}-{value.high:.{digits}f}{unit}" if known else "too few"
    return f"{value.value:.{digits}f}{unit}", each, value.n
