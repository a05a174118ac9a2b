"""Judges a share of live answers in the background: chosen when they are settled, judged while the engines are idle.

Only stored text is judged: an answer that was not stored, was erased or has expired cannot be judged, and a verdict is
written only while the text exists. Verdicts hold numbers, no texts.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from mainspring.core.errors import MainspringError, NoRegion, NotFound
from mainspring.core.facts.answers import GIVEN_AGAIN, AnswerFacts
from mainspring.core.facts.opinions import VERDICT, FeedbackFacts, ScoreFacts
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.types import EventRecord
from mainspring.engines.base import Embedded, Embedder
from mainspring.evaluation.strata import chosen, stratum_of
from mainspring.features.monitor.settings import JudgingSettings
from mainspring.features.monitor.traffic.series import Key
from mainspring.rag.answer.passages import Passages
from mainspring.rag.query.condense import by_rules
from mainspring.rag.triad.live import GivenAnswer, Verdict
from mainspring.stores.events import verdicts
from mainspring.stores.events.feed import Fact
from mainspring.stores.events.log import EventLog
from mainspring.stores.events.verdicts import Verdicts

_log = logging.getLogger(__name__)
_LOOK_S = 0.2
# Answers older than this say nothing about the present.
_STALE_S = 3600.0
OF_REFUSALS = "context_relevance"
"""The one measure that refusals have."""
# Texts embedded at once: a request waits for at most these.
_PIECE = 8

Outcome = Literal["judged", "dropped", "late", "gone", "nothing", "withheld", "elsewhere", "unpaid", "failed"]
"""``dropped``: there was no room in the queue. ``late``: there was no idle time within an hour. ``gone``: its text or
its sources are not stored. ``nothing``: there is nothing to judge. ``withheld``: without consent. ``elsewhere``: not
where the judge works. ``unpaid``: a budget is exhausted."""


class JudgePanel(Protocol):
    """Judges. ``name`` identifies the judge for readers, and differs if scores must not be compared."""

    @property
    def name(self) -> str: ...

    async def judge(self, answer: EventRecord, given: GivenAnswer) -> Verdict | None:
        """None if a budget is exhausted. Raises ``NoRegion`` if the answer may not be worked on here, and what judging
        raises. Its cost is settled when it returns."""
        ...


@dataclass(frozen=True, slots=True)
class SampledAnswer:
    """How an answer came to be judged: its ``stratum``, the ``probability`` of that, and whether the plain share had
    ``drawn`` it, too."""

    stratum: str
    probability: float
    drawn: bool


@dataclass(frozen=True, slots=True)
class _Waiting:
    tenant: str
    answer_id: str
    application: str
    at: float
    taken: SampledAnswer


class Judging:
    """Collects answers and judges them while ``idle`` says so; ``count`` receives the outcome of each chosen one.
    ``clock`` is in Unix seconds."""

    def __init__(
        self,
        settings: JudgingSettings,
        events: EventLog,
        verdicts: Verdicts,
        passages: Passages,
        bench: JudgePanel,
        *,
        idle: Callable[[], bool],
        count: Callable[[Outcome], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._events = events
        self._verdicts = verdicts
        self._passages = passages
        self._bench = bench
        self._idle = idle
        self._count = count
        self._clock = clock
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue(settings.queue)

    def offer(self, key: Key, fact: Fact) -> None:
        """Take an answer of a certain stratum, or one that is among the share of its application; and one that is
        rated down."""
        tenant, application = key
        if isinstance(fact.facts, AnswerFacts):
            if fact.content_id is None or not _judgeable(fact.facts):
                return
            application, answer_id = fact.facts.requested, fact.id
            stratum = stratum_of(fact.facts) or "rest"
        elif isinstance(fact.facts, FeedbackFacts) and fact.facts.rating == "down" and fact.subject:
            answer_id, stratum = fact.subject, "down"
            if "down" not in self._settings.certain:
                return
        else:
            return
        taken = self._taken(answer_id, application, stratum)
        if taken is None:
            return
        if self._waiting.full():
            self._count("dropped")
            return
        self._waiting.put_nowait(_Waiting(tenant, answer_id, application, fact.at, taken))

    def _taken(self, answer_id: str, application: str, stratum: str) -> SampledAnswer | None:
        share = self._settings.share_of(application)
        drawn = chosen(answer_id, share)
        if share > 0 and stratum in self._settings.certain:
            return SampledAnswer(stratum, 1.0, drawn)
        return SampledAnswer("rest", share, drawn) if drawn else None

    async def run(self) -> None:
        """Judge waiting answers, until cancelled."""
        while True:
            waiting = await self._waiting.get()
            await until(self._idle)
            self._count(await self._outcome(waiting))

    async def drain(self) -> None:
        """Judge all that waits now, idle or not."""
        while not self._waiting.empty():
            self._count(await self._outcome(self._waiting.get_nowait()))

    async def _outcome(self, waiting: _Waiting) -> Outcome:
        try:
            return await self._judge(waiting)
        except NotFound:
            return "gone"
        except NoRegion:
            return "elsewhere"
        except MainspringError as error:
            _log.warning("answer %s was not judged: %s", waiting.answer_id, error)
        except Exception:
            # One answer that cannot be judged keeps no other from it.
            _log.exception("answer %s was not judged", waiting.answer_id)
        return "failed"

    async def _judge(self, waiting: _Waiting) -> Outcome:
        if self._clock() - waiting.at > _STALE_S:
            return "late"
        if await self._verdicts.known(waiting.tenant, [waiting.answer_id]):
            # The previous watcher has judged it, or it was judged before it was rated down.
            return await self._moved(waiting) if waiting.taken.stratum == "down" else "nothing"
        answer = await self._events.get(waiting.tenant, waiting.answer_id)
        if not isinstance(answer.facts, AnswerFacts) or not _judgeable(answer.facts):
            return "nothing"
        if self._settings.consented and not answer.consent:
            return "withheld"
        found = await self._events.find(waiting.tenant, kind="retrieval", subject=waiting.answer_id)
        if answer.content is None:
            return "gone"
        retrievals = [RetrievalFacts.of(each.facts) for each in found]
        refused = any(each.refused for each in retrievals) or answer.facts.answered is False
        if refused and "refusal" not in self._settings.certain:
            return "nothing"
        given = await self._given(answer.tenant, json.loads(answer.content), retrievals)
        if isinstance(given, str):
            return given
        verdict = await self._bench.judge(answer, given)
        if verdict is None:
            return "unpaid"
        taken = waiting.taken
        if refused:
            # Of a refusal one thing can be judged: whether the passages were about the question after all.
            kept = {name: score for name, score in verdict.scores.items() if name == OF_REFUSALS}
            # One that only its retrieval tells of was drawn like the rest.
            verdict, taken = Verdict(kept), dataclasses.replace(taken, stratum="refusal")
            if not kept:
                return "nothing"
        record = record_of(verdict, answer, waiting.application, self._bench.name, self._clock(), taken)
        return await self._write(record, answer.tenant, answer.id)

    async def _moved(self, waiting: _Waiting) -> Outcome:
        """An answer of the rest that was judged turned out to be of a certain stratum: its verdict counts as one that
        was sure to be given."""
        earlier = await self._events.get(waiting.tenant, verdicts.name(waiting.answer_id))
        facts = ScoreFacts.of(earlier.facts)
        if facts.stratum != "rest" or facts.probability is None:
            return "nothing"
        told = dataclasses.replace(facts, stratum="down", probability=1.0, before=facts.probability)
        record = dataclasses.replace(earlier, id=f"{earlier.id}_down", at=self._clock(), facts=told)
        return await self._write(record, waiting.tenant, waiting.answer_id)

    async def _write(self, record: EventRecord, tenant: str, answer_id: str) -> Outcome:
        content_id = await self._verdicts.text_of(tenant, answer_id)
        return "judged" if content_id and await self._verdicts.write(record, content_id) else "gone"

    async def _given(
        self, tenant: str, content: Mapping[str, Any], retrievals: Sequence[RetrievalFacts]
    ) -> GivenAnswer | Literal["gone", "nothing"]:
        said = [str(each.get("content") or "") for each in content.get("messages", ()) if each.get("role") == "user"]
        said = [each.strip() for each in said if each.strip()]
        answer = "".join(str(each.get("text", "")) for each in content.get("choices", ())[:1]).strip()
        if not said or not answer:
            return "nothing"
        passages = await self._passages.read(tenant, retrievals, self._settings.passages) if retrievals else []
        return "gone" if passages is None else GivenAnswer(by_rules(said[-1], said[:-1]), answer, passages)


class Piecewise:
    """Embeds a few texts at a time and yields to requests in between; ``tokens`` counts its input."""

    def __init__(self, inner: Embedder, idle: Callable[[], bool]) -> None:
        self._inner = inner
        self._idle = idle
        self.name = inner.name
        self.dimensions = inner.dimensions
        self.max_tokens = inner.max_tokens
        self.tokens = 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._inner.count_tokens(texts)

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        import numpy as np

        parts = []
        for start in range(0, len(texts), _PIECE):
            await until(self._idle)
            parts.append(await self._inner.embed(texts[start : start + _PIECE], kind))
        read = sum(each.tokens for each in parts)
        self.tokens += read
        return Embedded(np.concatenate([each.vectors for each in parts]), read, sum(each.truncated for each in parts))

    async def close(self) -> None:
        """The inner one is its owner's to close."""


def record_of(
    verdict: Verdict, answer: EventRecord, application: str, judge: str, now: float, taken: SampledAnswer
) -> EventRecord:
    """The fact of a verdict, under the trace of its answer."""
    facts = ScoreFacts(
        metric=VERDICT,
        application=application,
        judge=judge,
        scores={name: round(score, 4) for name, score in verdict.scores.items()},
        claims=verdict.claims,
        supported=verdict.supported,
        stratum=taken.stratum,
        probability=taken.probability,
        drawn=taken.drawn,
    )
    return EventRecord(
        id=verdicts.name(answer.id),
        at=now,
        tenant=answer.tenant,
        trace_id=answer.trace_id,
        subject=answer.id,
        facts=facts,
        parent_id=answer.id,
        consent=answer.consent,
        retention=answer.retention,
    )


async def until(idle: Callable[[], bool], wait: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Return once ``idle`` says so."""
    while not idle():
        await wait(_LOOK_S)


def _judgeable(facts: AnswerFacts) -> bool:
    """Whether an answer was completed, shown to a user, new, and unchanged."""
    if facts.status != "completed" or facts.operation != "chat" or facts.replay_of:
        return False
    return facts.cache not in GIVEN_AGAIN and not set(facts.finish) - {"stop", "length"}
