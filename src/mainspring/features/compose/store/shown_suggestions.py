"""Suggestions that were shown, and what came of each.

That something was shown is written a moment later, together with others: nobody waits for it. What came of it is
durable before it is acknowledged, and an event.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
from mainspring.core.errors import Conflict, MainspringError, NotFound
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import OutcomeFacts
from mainspring.core.types import EventRecord, Principal
from mainspring.features.compose.settings import ComposeSettings
from mainspring.features.compose.tables import compose_shown as shown
from mainspring.statistics.sampling import wilson
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql.database import Database

_log = logging.getLogger(__name__)
Outcome = Literal["accepted", "dismissed", "typed"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
EPISODE, METRIC = "answer", "compose_accepted"
_SOON_S, _MOST_WAITING = 0.25, 10_000
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class ShownSuggestion:
    """An answer with suggestions; ``characters`` and ``confidence`` are those of the first."""

    tenant: str
    id: str
    owner: str
    person: str
    mail: str
    at: float
    characters: int
    confidence: float


def mail_name(tenant: str, session: str) -> str:
    """A digest: a session's name may name a person."""
    return hashlib.sha256(f"compose {tenant}\0{session}".encode()).hexdigest()[:26] if session else ""


class ShownSuggestions:
    """Writes and counts them."""

    def __init__(self, database: Database, settings: ComposeSettings) -> None:
        self._database = database
        self._settings = settings
        self._waiting: list[ShownSuggestion] = []
        self._writing: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    def note(self, one: ShownSuggestion) -> None:
        """Write it soon. Beyond what can wait the oldest is not counted."""
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.pop(0)
        self._waiting.append(one)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._soon(), name="compose: shown")

    async def flush(self) -> None:
        """Write what waits."""
        async with self._lock:
            batch, self._waiting = self._waiting, []
            if not batch:
                return
            rows = [{name: getattr(each, name) for name in ShownSuggestion.__slots__} for each in batch]
            try:
                await self._database.write(lambda connection: connection.execute(sa.insert(shown), rows))
            except MainspringError:
                self._waiting = batch + self._waiting
                raise

    async def tell(
        self,
        principal: Principal,
        name: str,
        outcome: Outcome,
        characters: int | None,
        answer: EventRecord | None = None,
    ) -> Mapping[str, Any]:
        """Say what came of a suggestion of the principal's tenant, the ``answer`` (None: it is gone). The same twice is
        once. Raises ``NotFound``, and ``Conflict`` if something else came of it."""
        await self.flush()

        def work(connection: sa.Connection) -> dict[str, Any]:
            mine = sa.and_(shown.c.tenant == principal.tenant, shown.c.id == name, shown.c.owner == principal.person)
            row = connection.execute(sa.select(shown).where(mine).with_for_update()).one_or_none()
            if row is None:
                raise NotFound(f"there is no suggestion {name:.100} of yours", param="suggestion_id")
            if row.outcome and row.outcome != outcome:
                raise Conflict(f"this suggestion was {row.outcome}", remedy="Tell one outcome of it", param="outcome")
            told = {"id": name, "outcome": outcome, "saved": row.saved}
            if row.outcome:
                return told
            saved = 0
            if outcome == "accepted":
                # Accepting costs one key.
                saved = max(0, min(row.characters if characters is None else characters, row.characters) - 1)
            now = time.time()
            values = {"outcome": outcome, "saved": saved, "told_at": now}
            connection.execute(sa.update(shown).where(mine).values(**values))
            given = None if answer is None else AnswerFacts.of(answer.facts)
            arms = {given.requested: given.arm} if given is not None and given.arm else None
            facts = OutcomeFacts(metric=METRIC, value=float(outcome == "accepted"), episode=EPISODE, arms=arms)
            trace = "" if answer is None else answer.trace_id
            EventLog.within(connection, [EventRecord(ids.new("evt_"), now, principal.tenant, trace, name, facts)])
            return told | {"saved": saved}

        return await self._database.write(work, durable=True)

    async def figures(self, tenant: str, since: float) -> Mapping[str, Any]:
        """Counts and rates of what was shown since then (Unix seconds)."""
        await self.flush()

        def work(connection: sa.Connection) -> dict[str, Any]:
            mine = sa.and_(shown.c.tenant == tenant, shown.c.at >= since)
            counted = dict.fromkeys(("", *OUTCOMES), 0)
            saved = 0
            sums = sa.select(shown.c.outcome, sa.func.count(), sa.func.sum(shown.c.saved)).where(mine)
            for outcome, number, characters in connection.execute(sums.group_by(shown.c.outcome)):
                counted[outcome] = number
                saved += int(characters or 0)
            mails = sa.select(sa.func.count(shown.c.mail.distinct())).where(mine, shown.c.mail != "")
            helped = mails.where(shown.c.outcome == "accepted")
            return {
                "shown": sum(counted.values()),
                **{name: counted[name] for name in OUTCOMES},
                "characters_saved": saved,
                "mails": connection.execute(mails).scalar_one(),
                "mails_helped": connection.execute(helped).scalar_one(),
            }

        found = await self._database.read(work)
        return {
            **found,
            "acceptance": _rate(found["accepted"], found["shown"]),
            "usage": _rate(found["mails_helped"], found["mails"]),
        }

    async def tidy(self, now: float) -> None:
        """Delete what is too old, and of each tenant what is too much."""

        def work(connection: sa.Connection) -> None:
            old = now - self._settings.shown_days * _DAY_S
            connection.execute(sa.delete(shown).where(shown.c.at < old))
            counts = sa.select(shown.c.tenant, sa.func.count()).group_by(shown.c.tenant)
            for tenant, number in connection.execute(counts).all():
                beyond = number - self._settings.most_shown
                if beyond <= 0:
                    continue
                mine = sa.select(shown.c.at).where(shown.c.tenant == tenant).order_by(shown.c.at)
                last = connection.execute(mine.offset(beyond - 1).limit(1)).scalar_one()
                connection.execute(sa.delete(shown).where(shown.c.tenant == tenant, shown.c.at <= last))

        await self._database.write(work)

    async def close(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
        try:
            await self.flush()
        except MainspringError as error:
            _log.warning("the last suggestions are not counted: %s", error)

    async def _soon(self) -> None:
        while self._waiting:
            await asyncio.sleep(_SOON_S)
            try:
                await self.flush()
            except MainspringError as error:
                _log.warning("shown suggestions are not counted yet: %s", error)
                await asyncio.sleep(20 * _SOON_S)


def _rate(count: int, of: int) -> dict[str, Any] | None:
    """A share with its 95 % interval (Wilson); None of nothing."""
    if not of:
        return None
    found = wilson(count, of)
    return {"value": round(count / of, 4), "low": round(found.low, 4), "high": round(found.high, 4), "n": of}
