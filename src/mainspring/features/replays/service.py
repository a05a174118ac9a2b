"""Recorded requests asked again: against another model, prompt version, policy or sampling.

A replay passes the whole request path but is not user traffic: it is recorded as a ``replay`` event, belongs to no
session, is neither read from nor written to a cache, and is charged to its caller. A caller may replay whatever it may
see.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mainspring.core.errors import Conflict, MainspringError, NotFound
from mainspring.core.facts.answers import AnswerFacts, GivenFacts, ReplayFacts
from mainspring.core.facts.opinions import FeedbackFacts, ScoreFacts
from mainspring.core.path import collect
from mainspring.core.types import Context, EventRecord, Principal, Responder
from mainspring.engines.base import Embedder
from mainspring.features.replays.agreement import Agreement, agreement
from mainspring.features.replays.recorded_requests import Changes, RecordedRequests
from mainspring.serving.ring.registry import Registry
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql import ids
from mainspring.stores.sql.pages import Page, Slice

AGREEMENT = "replay_agreement"
# The number of answers that one filter examines.
_LOOKED_AT = 20_000
_PAGE = 100


@dataclass(frozen=True, slots=True)
class Filter:
    """Which answers are replayed: the latest ``limit`` that match everything given. ``since`` is in Unix seconds;
    ``model`` is the requested or the answering one."""

    since: float | None = None
    model: str = ""
    feedback: Literal["up", "down"] | None = None
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Side:
    """An answer with the guards' decisions about it."""

    answer: EventRecord
    guards: Sequence[EventRecord]

    @property
    def content(self) -> Mapping[str, Any] | None:
        """The question and the answer; None if they are not stored."""
        return None if self.answer.content is None else json.loads(self.answer.content)

    @property
    def text(self) -> str:
        """The text of the first choice."""
        choices = (self.content or {}).get("choices", ())
        return str(choices[0].get("text", "")) if choices else ""


@dataclass(frozen=True, slots=True)
class Replay:
    """Both answers side by side; ``original`` is None if the caller may no longer see it. ``agreement`` is None if one
    of the texts is not stored."""

    original: Side | None
    replay: Side
    agreement: Agreement | None
    notices: Sequence[str] = ()


class Replays:
    """Asks again. ``under_policy`` gives the request ring in which one policy counts."""

    def __init__(
        self,
        events: EventLog,
        responder: Responder,
        under_policy: Callable[[str], Responder],
        names: Registry,
        embedder: Embedder,
    ) -> None:
        self._events = events
        self._responder = responder
        self._under_policy = under_policy
        self._recorded = RecordedRequests(events, names)
        self._embedder = embedder

    async def run(self, answer_id: str, changes: Changes, context: Context) -> Replay:
        """Ask what led to this answer again, now. The context's trace is that of the replay.

        Raises ``NotFound`` if the caller may not see it, ``Conflict`` if it is not stored, and the request's errors.
        """
        original = await self._events.answer_for(context.principal, answer_id)
        responder = self._under_policy(changes.policy) if changes.policy else self._responder
        request, notices = await self._recorded.request(original, changes, context)
        own = dataclasses.replace(
            context, replay=original.id, retention=original.retention, consent=False, policy=changes.policy
        )
        answer = await collect(await responder.respond(request, own))
        made = await self._events.answer_for(context.principal, answer.head.answer_id, "replay")
        return await self._compared(original, made, notices, changes)

    async def answer_of(self, trace_id: str, principal: Principal) -> str:
        """The answer under a trace. Raises ``NotFound``, and ``Conflict`` naming answers if there are several."""
        found = await self._events.page(
            principal.tenant, Page(), groups=principal.groups, kind="answer", trace_id=trace_id
        )
        mine = [each.id for each in found.rows if _asked_by(each, principal)]
        if not mine:
            raise NotFound(f"no answer is recorded under trace {trace_id!r}", param="trace_id")
        if len(mine) > 1:
            raise Conflict(
                f"trace {trace_id} has {len(mine)} answers: {', '.join(mine)}",
                remedy="Name one with answer_id",
                param="trace_id",
            )
        return mine[0]

    async def get(self, replay_id: str, principal: Principal) -> Replay:
        """A replay of the past. Raises ``NotFound``."""
        made = await self._events.answer_for(principal, replay_id, "replay")
        try:
            original = await self._side(await self._events.answer_for(principal, made.parent_id or ""))
        except NotFound:
            original = None
        scores = await self._events.find(made.tenant, kind="score", subject=made.id)
        found = next((each for each in _scores(scores) if each.name == AGREEMENT), None)
        agreed = None
        if found is not None and found.similarity is not None:
            agreed = Agreement(bool(found.exact), found.similarity)
        notices = () if found is None else tuple(found.notices or ())
        return Replay(original, await self._side(made), agreed, notices)

    async def page(self, principal: Principal, page: Page, batch: str | None = None) -> Slice[EventRecord]:
        """Replays that ``principal`` may see: its own, or an admin's all."""
        found = await self._events.page(principal.tenant, page, groups=principal.groups, kind="replay", trace_id=batch)
        mine = [each for each in found.rows if _asked_by(each, principal)]
        return Slice(mine, found.more)

    async def matching(self, wanted: Filter, principal: Principal) -> list[EventRecord]:
        """The latest answers that match and that may be seen, the newest first."""
        rated = None if wanted.feedback is None else await self._rated(wanted, principal)
        found: list[EventRecord] = []
        async for answer in self._latest("answer", wanted.since, principal):
            facts = AnswerFacts.of(answer.facts)
            if not _asked_by(answer, principal) or facts.operation not in ("chat", "text_completion"):
                continue
            if wanted.model and wanted.model not in (facts.requested, facts.model):
                continue
            if rated is not None and answer.id not in rated:
                continue
            found.append(answer)
            if len(found) == wanted.limit:
                break
        return found

    async def replayed(self, principal: Principal, batch: str) -> set[str]:
        """The answers that were replayed, or could not be, under the trace of a batch."""
        done: set[str] = set()
        page = Page(_PAGE)
        while True:
            found = await self._events.page(
                principal.tenant, page, groups=principal.groups, kind="replay", trace_id=batch
            )
            done |= {each.parent_id for each in found.rows if each.parent_id is not None}
            if not found.more:
                return done
            page = Page(_PAGE, after=found.rows[-1].id)

    async def agreements(self, tenant: str, batch: str) -> list[ScoreFacts]:
        """How far the replays under the trace of a batch agree with their originals."""
        scores = await self._events.find(tenant, kind="score", trace_id=batch, limit=_LOOKED_AT)
        return [each for each in _scores(scores) if each.name == AGREEMENT]

    async def skipped(self, answer_id: str, error: MainspringError, changes: Changes, context: Context) -> None:
        """Note that an answer of a batch could not be replayed, and why."""
        facts = ReplayFacts.skipped(context.principal.key_id, changes.model, error.code, error.message, changes.facts())
        name, tenant = ids.new("ans_"), context.principal.tenant
        await self._events.append(
            EventRecord(name, time.time(), tenant, context.trace.trace_id, name, facts, parent_id=answer_id)
        )

    async def _rated(self, wanted: Filter, principal: Principal) -> set[str]:
        found: dict[str, str] = {}
        # An answer may have been rated before and after, and may be older than its rating.
        async for each in self._latest("feedback", wanted.since, principal):
            found.setdefault(each.subject, str(FeedbackFacts.of(each.facts).rating))
        return {answer for answer, rating in found.items() if rating == wanted.feedback}

    async def _latest(self, kind: str, since: float | None, principal: Principal) -> AsyncIterator[EventRecord]:
        page, looked = Page(_PAGE), 0
        while looked < _LOOKED_AT:
            found = await self._events.page(principal.tenant, page, groups=principal.groups, kind=kind)
            for each in found.rows:
                if since is not None and each.at < since:
                    return
                yield each
            looked += len(found.rows)
            if not found.more:
                return
            page = Page(_PAGE, after=found.rows[-1].id)

    async def _compared(
        self, original: EventRecord, made: EventRecord, notices: Sequence[str], changes: Changes
    ) -> Replay:
        sides = await self._side(original), await self._side(made)
        agreed = None
        if all(side.content is not None for side in sides):
            agreed = await agreement(sides[0].text, sides[1].text, self._embedder)
        facts = ScoreFacts(
            name=AGREEMENT,
            changes=changes.facts(),
            notices=list(notices),
            exact=None if agreed is None else agreed.exact,
            similarity=None if agreed is None else agreed.similarity,
        )
        record = EventRecord(
            ids.new("evt_"),
            time.time(),
            made.tenant,
            made.trace_id,
            made.id,
            facts,
            parent_id=made.id,
            retention=made.retention,
        )
        await self._events.append(record)
        return Replay(*sides, agreed, tuple(notices))

    async def _side(self, answer: EventRecord) -> Side:
        return Side(answer, await self._events.find(answer.tenant, kind="guard", subject=answer.id))


def _scores(found: Sequence[EventRecord]) -> Iterator[ScoreFacts]:
    return (ScoreFacts.of(each.facts) for each in found)


def _asked_by(answer: EventRecord, principal: Principal) -> bool:
    return "admin" in principal.scopes or GivenFacts.of(answer.facts).key_id in principal.own_keys
