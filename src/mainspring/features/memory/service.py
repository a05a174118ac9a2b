"""The memory of persons: recalls facts for a message, and learns them from what people say, with their consent."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cachetools import TTLCache

from mainspring.agents.context.ranker import Floats, Ranker, Statement, merged
from mainspring.core.errors import InvalidRequest, MainspringError, NoConsent, Unsupported
from mainspring.core.facts.memories import MemoryFacts
from mainspring.core.types import Allowance, Context, Priority, Settlement
from mainspring.feature import Rooms
from mainspring.features.memory.extract import Fact, facts_of, kind_and_slot
from mainspring.features.memory.persons import Consent, People, Person
from mainspring.features.memory.settings import MemorySettings
from mainspring.features.memory.store import AddedFact, Memory, MemoryStore, New, Origin
from mainspring.guards.detect import injection
from mainspring.serving.admit import token_estimate as estimate
from mainspring.serving.memory.recollection import Asking, Remembered
from mainspring.serving.memory.remember import OPTION, record

_log = logging.getLogger(__name__)
# Seconds for which a decision about consent is remembered in this process, and how many.
_KNOWN_S, _KNOWN = 2.0, 10_000
# Candidates that the reranker reads.
_READ = 24
_DAY = 86_400.0
_TIMEOUT_S = 60.0
# The share of a fact's score that does not fade.
_LASTING = {"fact": 1.0, "preference": 1.0, "event": 0.8}


@dataclass(frozen=True, slots=True)
class Mode:
    """What may be done for a request: ``recall`` facts, those of the session only if not ``across``; ``learn`` them."""

    recall: bool
    learn: Literal["off", "session", "on"]
    across: bool = True


OFF = Mode(recall=False, learn="off")


class Memories:
    """Implements ``serving.memory.recollection.MemorySource``."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self.settings = rooms.settings.section(MemorySettings)
        self.store = MemoryStore(rooms.stores.database, self.settings)
        self.people = People(rooms.stores.database, self.settings.persons)
        self._ranker = Ranker()
        self._consents: TTLCache[Person, Consent] = TTLCache(_KNOWN, _KNOWN_S)
        self._reading: dict[Person, asyncio.Task[Consent]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def consent(self, context: Context, user: str) -> Consent:
        """What the person decided; empty: nothing yet."""
        who = Person.of(context.principal, user)
        found = self._consents.get(who)
        return await self._asked(who) if found is None else found

    async def _asked(self, who: Person) -> Consent:
        """What the database says, read once for all who ask meanwhile."""
        reading = self._reading.get(who)
        if reading is None:
            reading = self._reading[who] = asyncio.create_task(self.people.consent(who), name="memory: consent")
            reading.add_done_callback(lambda _: self._reading.pop(who, None))
        found = await asyncio.shield(reading)
        # A decision that was made meanwhile is newer.
        return self._consents.setdefault(who, found)

    async def agreed(self, context: Context, user: str) -> bool:
        """Whether facts of the person may be remembered across sessions."""
        return self.settings.enabled and await self.consent(context, user) == "granted"

    async def decide(self, context: Context, user: str, consent: Consent) -> None:
        """Write down what the person decides. A person who refuses is forgotten at once, together with marks of
        forgotten facts. Raises ``QuotaExceeded``."""
        who = Person.of(context.principal, user)
        await self.people.decide(who, consent)
        self._consents[who] = consent
        if consent == "refused":
            await self.store.forget_all(context.principal, user)
        await self._rooms.stores.events.append(record(context, MemoryFacts(action="consent", memories=[consent])))

    async def mode(self, context: Context, asking: Asking) -> Mode:
        """What may be done. Raises ``NoConsent``, ``InvalidRequest`` and ``Unsupported``."""
        wanted = asking.wanted
        if not self.settings.enabled:
            if wanted in ("", "off"):
                return OFF
            raise Unsupported("the memory is off", remedy="Set memory.enabled", param=f"options.{OPTION}")
        if wanted == "off":
            return OFF
        agreed = await self.consent(context, asking.user) == "granted"
        if wanted == "session":
            if not asking.session_id:
                raise InvalidRequest("memory for a session needs a session_id", param=f"options.{OPTION}")
            return Mode(recall=True, learn="session", across=agreed)
        if wanted in ("on", "recall") and not agreed:
            raise NoConsent(
                "this person has not agreed that facts are remembered",
                remedy='PUT /v1/memories/consent with {"consent": true}, or ask for "session"',
                param=f"options.{OPTION}",
            )
        wanted = wanted or (self.settings.automatic if agreed else "off")
        if wanted == "off":
            return OFF
        return Mode(recall=True, learn="on" if wanted == "on" else "off")

    async def recalls(self, context: Context, asking: Asking) -> bool:
        """Whether facts may be recalled. Raises ``NoConsent``, ``InvalidRequest`` and ``Unsupported``."""
        return (await self.mode(context, asking)).recall

    async def recall(self, query: str, context: Context, asking: Asking) -> list[Remembered]:
        """The facts that bear on ``query``, best first, within the settings' bounds. They are noted as used."""
        mode = await self.mode(context, asking)
        if not mode.recall:
            return []
        found = await self.search(query, context, asking, across=mode.across, limit=self.settings.recalled)
        chosen: list[Remembered] = []
        left = self.settings.recalled_tokens
        for each in found:
            cost = estimate.text_tokens(each.line)
            if each.score >= self.settings.least_score and cost <= left and not injection.scan(each.text):
                left -= cost
                chosen.append(each)
        if chosen:
            self._start(self.store.used(Person.of(context.principal, asking.user), [each.id for each in chosen]))
        return chosen

    async def search(
        self, query: str, context: Context, asking: Asking, *, across: bool = True, limit: int = 20
    ) -> list[Remembered]:
        """The present facts by what they have to do with ``query``, best first: of all sessions (``across``) or one."""
        session = asking.session_id or ""
        found = await self.store.all(context.principal, asking.user, session_id=session, vectors=True)
        found = _latest([each for each in found if across or each.session_id])
        if not found:
            return []
        vector = None
        embedder = self._rooms.path.charged.embedder(self._rooms.engines.embedder, context)
        past = [
            Statement(each.text, each.session_id or each.answer_id or each.id, vector=each.vector) for each in found
        ]
        if any(each.vector is not None for each in found):
            try:
                vector = (await embedder.embed([query], "query")).vectors[0]
            except MainspringError as error:
                _log.warning("facts are searched by words only: %s", error)
        scores = await asyncio.to_thread(self._ranker.scores, query, vector, past)
        evidence = await asyncio.to_thread(self._ranker.evidence, query, vector, past)
        scores = await self._reranked(query, found, self._aged(scores, found), context)
        order = sorted(range(len(found)), key=lambda index: -scores[index])[:limit]
        return [
            Remembered(found[index].id, found[index].text, found[index].at, round(float(evidence[index]), 3))
            for index in order
        ]

    async def add(
        self, text: str, context: Context, asking: Asking, *, origin: Origin = "person", session_only: bool = False
    ) -> AddedFact:
        """Keep a fact that was given as one. Raises ``NoConsent``, and ``GuardRefused`` for one that reads like an
        attack."""
        if not session_only and await self.consent(context, asking.user) != "granted":
            raise NoConsent(
                "this person has not agreed that facts are remembered",
                remedy='PUT /v1/memories/consent with {"consent": true}',
            )
        await self._rooms.path.inspect([text], context, param="text")
        kind, slot = kind_and_slot(text)
        session = asking.session_id if session_only else ""
        new = New(self._rooms.path.redact(text), kind, slot, origin, session)
        kept = await self.store.add(context.principal, asking.user, new)
        assert kept is not None
        await self._note(context, "learned", [kept])
        await self._embed(context, asking.user)
        return kept

    async def edit(self, memory_id: str, text: str, context: Context, asking: Asking) -> Memory:
        """Put other words in a fact's place. Raises ``NotFound`` and ``GuardRefused``."""
        await self._rooms.path.inspect([text], context, param="text")
        kind, slot = kind_and_slot(text)
        said = self._rooms.path.redact(text)
        made = await self.store.edit(context.principal, asking.user, memory_id, said, kind, slot)
        facts = MemoryFacts(action="edited", memories=[made.id], superseded=[memory_id])
        await self._rooms.stores.events.append(record(context, facts))
        await self._embed(context, asking.user)
        return made

    async def forget(self, memory_id: str, context: Context, asking: Asking) -> int:
        """Delete a fact with its history and vectors. Raises ``NotFound``."""
        count = await self.store.forget(context.principal, asking.user, memory_id)
        await self._rooms.stores.events.append(record(context, MemoryFacts(action="forgotten", memories=[memory_id])))
        return count

    async def known(self, context: Context, asking: Asking) -> list[Remembered]:
        """The present facts of the person, oldest first: those of all sessions, and those of this one."""
        found = await self.store.all(context.principal, asking.user, session_id=asking.session_id)
        return [Remembered(each.id, each.text, each.at) for each in _latest(found)]

    async def keep(self, text: str, context: Context, asking: Asking, *, session_only: bool = False) -> str:
        """Keep a fact that was given as one, and return it. Raises what ``add`` raises."""
        return (await self.add(text, context, asking, session_only=session_only)).memory.text

    async def forget_all(self, context: Context, asking: Asking) -> int:
        """Delete every fact of the person; how many."""
        count = await self.store.forget_all(context.principal, asking.user)
        await self._rooms.stores.events.append(record(context, MemoryFacts(action="forgotten", memories=[])))
        return count

    def learn(self, said: Sequence[str], context: Context, asking: Asking, answer_id: str = "") -> None:
        """Take the facts in what the caller ``said``, in the background; nothing without consent."""
        if not self.settings.enabled or asking.wanted in ("off", "recall") or not any(each.strip() for each in said):
            return
        try:
            who = Person.of(context.principal, asking.user)
        except InvalidRequest:
            return
        # Most people were never asked, and each answer would begin a task to find that out again.
        if asking.wanted or self._consents.get(who, "granted") == "granted":
            self._start(self._learn(said, context, asking, answer_id, time.time()))

    async def idle(self) -> None:
        """Wait until everything is learned."""
        while self._running:
            await asyncio.wait(list(self._running))

    async def _learn(self, said: Sequence[str], context: Context, asking: Asking, answer_id: str, at: float) -> None:
        mode = await self.mode(context, asking)
        if mode.learn == "off":
            return
        facts = await asyncio.to_thread(_facts, said)
        if not facts:
            return
        apart = context.apart(
            Allowance(rate=context.allowance.rate),
            Settlement(context.settlement.application),
            deadline=time.monotonic() + _TIMEOUT_S,
            priority=min(context.priority, Priority.BACKGROUND),
        )
        # What a model may not read as a passage is not remembered either.
        passed = await self._rooms.path.sift([each.text for each in facts], apart)
        session = asking.session_id if mode.learn == "session" else ""
        kept = []
        for fact in (each for each, good in zip(facts, passed, strict=True) if good):
            new = New(fact.text, fact.kind, fact.slot, "rules", session, answer_id, at)
            found = await self.store.add(context.principal, asking.user, new)
            if found is not None:
                kept.append(found)
        await self._note(apart, "learned", kept, session_only=bool(session))
        if any(each.new for each in kept):
            await self._embed(apart, asking.user)

    async def _embed(self, context: Context, user: str) -> None:
        """Make missing vectors; words must do if the embedder fails."""
        embedder = self._rooms.path.charged.embedder(self._rooms.engines.embedder, context)
        try:
            found = await self.store.unembedded(context.principal, user, embedder.name)
            if found:
                vectors = (await embedder.embed([each.text for each in found])).vectors
                named = {each.id: row for each, row in zip(found, vectors, strict=True)}
                await self.store.embed(Person.of(context.principal, user), embedder.name, named)
        except MainspringError as error:
            _log.warning("facts are kept without vectors: %s", error)
        if records := list(context.settlement.records):
            await self._rooms.stores.events.append(*records)
            context.settlement.records.clear()

    async def _note(
        self, context: Context, action: str, kept: Sequence[AddedFact], *, session_only: bool = False
    ) -> None:
        made = [each.memory.id for each in kept if each.new]
        if not made:
            return
        old = [name for each in kept for name in each.superseded]
        facts = MemoryFacts(action=action, memories=made, superseded=old, session_only=session_only)
        await self._rooms.stores.events.append(record(context, facts))

    def _aged(self, scores: Floats, found: Sequence[Memory]) -> Floats:
        """``scores`` of events fade with their age, by a fifth at most: old ones are asked for, too."""
        now = time.time()
        for index, each in enumerate(found):
            lasting = _LASTING.get(each.kind, 1.0)
            fading = 0.5 ** (max(0.0, now - each.at) / (self.settings.half_life_days * _DAY))
            scores[index] *= lasting + (1 - lasting) * fading
        return scores

    async def _reranked(self, query: str, found: Sequence[Memory], scores: Floats, context: Context) -> Floats:
        inner = self._rooms.engines.reranker
        if inner is None or not self.settings.rerank or len(found) <= self.settings.recalled:
            return scores
        order = sorted(range(len(found)), key=lambda index: -scores[index])[:_READ]
        try:
            reranker = self._rooms.path.charged.reranker(inner, context)
            read = await reranker.rerank(query, [found[index].text for index in order])
        except MainspringError as error:
            _log.warning("facts are not reranked: %s", error)
            return scores
        return merged(scores, order, read.scores)

    def _start(self, work: object) -> None:
        task = asyncio.get_running_loop().create_task(_quietly(work), name="memory")
        self._running.add(task)
        task.add_done_callback(self._running.discard)


async def _quietly(work: object) -> None:
    try:
        await work  # type: ignore[misc]
    except MainspringError as error:
        _log.warning("a person's memory was not brought up to date: %s", error)


def _facts(said: Sequence[str]) -> list[Fact]:
    return list(dict.fromkeys(fact for text in said for fact in facts_of(text)))


def _latest(found: Sequence[Memory]) -> list[Memory]:
    """``found`` with the latest of each slot: a session's fact hides the lasting one."""
    newest = {each.slot: each.id for each in sorted(found, key=lambda each: each.at) if each.slot}
    return [each for each in found if not each.slot or newest[each.slot] == each.id]
