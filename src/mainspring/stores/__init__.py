"""The stores: everything that outlives a request.

``open`` gives all of them at once: the SQL database with events, keys, files, collections and sessions, the blobs
beside it, the vectors, and the files that may be lost (cached answers, spans). They live under ``settings.home``;
the database may be elsewhere. Everything in them is kept under its tenant.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from mainspring.core import plugins, private_files
from mainspring.core.errors import StoreError
from mainspring.core.settings import Settings
from mainspring.stores.cache.answers import AnswerStore
from mainspring.stores.cache.answers_and_idempotency import CacheAndRepeats
from mainspring.stores.cache.idempotency import Repeats
from mainspring.stores.cache.similar_questions import SimilarStore
from mainspring.stores.documents.blobs import Blobs, sweep
from mainspring.stores.documents.collections import Collections
from mainspring.stores.documents.files import Files
from mainspring.stores.documents.forgetting import PendingErasure
from mainspring.stores.documents.graphs import Graphs
from mainspring.stores.documents.sources import Sources
from mainspring.stores.erase.erasures import Erasures
from mainspring.stores.erase.holdings import Holding, holdings
from mainspring.stores.events import commit_numbers
from mainspring.stores.events.audit_log import Audit
from mainspring.stores.events.log import EventLog
from mainspring.stores.events.questions import Questions
from mainspring.stores.keys.api_keys import Keys
from mainspring.stores.keys.credentials import Credentials
from mainspring.stores.keys.quotas import Quotas
from mainspring.stores.kinds import CACHE, VECTORS
from mainspring.stores.money.budgets import Budgets
from mainspring.stores.money.ledger import Ledger
from mainspring.stores.monitoring import spans as span_store
from mainspring.stores.monitoring.spans import Spans
from mainspring.stores.sessions.conversations import Sessions
from mainspring.stores.sessions.memory import SessionMemory
from mainspring.stores.sql import database as databases
from mainspring.stores.sql import redis as redis_store
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.disk_space import DiskRoom
from mainspring.stores.sql.jobs import Jobs
from mainspring.stores.sql.redis import Redis
from mainspring.stores.vectors.base import VectorStore
from mainspring.stores.work.approvals import Approvals
from mainspring.stores.work.batches import Batches
from mainspring.stores.work.prompts import Prompts

# The time for the database to accept a write (or to be locked by another process), and the maximum distance of an
# event into the future, in seconds.
_PROBE_S = 2.0
_CLOCK_S = 60.0


@dataclass(frozen=True, slots=True)
class Stores:
    """The opened stores. ``redis`` is None if none is configured."""

    database: Database
    audit: Audit
    events: EventLog
    questions: Questions
    keys: Keys
    quotas: Quotas
    credentials: Credentials
    budgets: Budgets
    ledger: Ledger
    files: Files
    collections: Collections
    sources: Sources
    sessions: Sessions
    memory: SessionMemory
    blobs: Blobs
    cache: AnswerStore
    repeats: Repeats
    similar: SimilarStore
    redis: Redis | None
    spans: Spans
    vectors: VectorStore
    forgetting: PendingErasure
    graphs: Graphs
    jobs: Jobs
    batches: Batches
    holdings: tuple[Holding, ...]
    erasures: Erasures
    prompts: Prompts
    approvals: Approvals
    room: DiskRoom

    async def problem(self) -> str:
        """The reason why the database cannot be read or written whole; empty if it can."""
        if self.room.full:
            return self.room.problem()
        if self.database.damaged:
            return self.database.damaged
        try:
            await self.database.read(commit_numbers.newest)
            async with asyncio.timeout(_PROBE_S):
                await self.database.write(lambda _: None, durable=False)
        except StoreError as error:
            return error.told
        except TimeoutError:
            return f"the database could not be written within {_PROBE_S:g} s: another process holds it"
        return ""

    async def weaknesses(self) -> dict[str, str]:
        """The faults, by part, that leave the rest working."""
        found: dict[str, str] = {}
        if said := self.room.problem():
            found["disk"] = said
        if failing := getattr(self.vectors, "failing", {}):
            name, said = next(iter(failing.items()))
            found["vectors"] = f"{len(failing)} collections fail, among them {name}: {said}"
        ahead = await self.database.read(commit_numbers.newest) - time.time()
        if ahead > _CLOCK_S:
            found["clock"] = f"the clock was set back: events are recorded that are {ahead:.0f} s in the future"
        return found


@asynccontextmanager
async def open(settings: Settings) -> AsyncIterator[Stores]:  # noqa: A001
    """Open the stores: create missing ones and migrate old ones.

    On leaving, everything handed in is written and closed. Several processes may have the same stores open.
    Raises ``StoreError`` (damaged, locked, of a newer schema), ``SettingsError`` or ``MissingExtra``.
    """
    _make_home(home := settings.home)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(databases.open(settings))
        blobs = Blobs(home / "blobs", room := DiskRoom(home, settings.stores.disk_reserve_mb * 2**20))
        await blobs.open()
        await sweep(database, blobs)
        audit = Audit(database, settings.compliance.audit_key, settings.compliance.audit_keys_before)
        events = EventLog(database, audit)
        quotas = Quotas(database, settings.limits, audit)
        keys = Keys(database, audit, quotas)
        budgets = Budgets(database, audit, quotas)
        collections = Collections(database, blobs, audit, quotas)
        for opened in (events, keys, budgets, collections):
            stack.push_async_callback(opened.close)
        await collections.open()
        redis = await stack.enter_async_context(redis_store.open(settings))
        repeats = Repeats(database)
        kept = plugins.registry().make(CACHE, settings.stores.cache, settings, redis)
        cache, similar = CacheAndRepeats(kept.answers, repeats), kept.similar
        spans, vectors = Spans(home / span_store.FILE_NAME), open_vectors(settings)
        for each in (cache, similar, spans, vectors):
            stack.push_async_callback(each.close)
        yield Stores(
            database=database,
            audit=audit,
            events=events,
            questions=Questions(database),
            keys=keys,
            quotas=quotas,
            credentials=Credentials(database, settings, audit),
            budgets=budgets,
            ledger=Ledger(database),
            files=Files(database, blobs, audit, quotas, redact=settings.compliance.documents == "redact"),
            collections=collections,
            sources=Sources(database),
            sessions=Sessions(database, audit, quotas),
            memory=SessionMemory(database),
            blobs=blobs,
            cache=cache,
            repeats=repeats,
            similar=similar,
            redis=redis,
            spans=spans,
            vectors=vectors,
            forgetting=PendingErasure(database),
            graphs=Graphs(database),
            jobs=Jobs(database),
            batches=Batches(database, blobs, quotas),
            holdings=holdings(database, blobs),
            erasures=Erasures(database, audit),
            prompts=Prompts(database, quotas),
            approvals=Approvals(database, audit),
            room=room,
        )


def open_vectors(settings: Settings) -> VectorStore:
    """The store of chunks that ``stores.vectors`` names. Raises ``SettingsError`` and ``MissingExtra``."""
    return plugins.registry().make(VECTORS, settings.stores.vectors, settings)


def _make_home(home: Path) -> None:
    try:
        private_files.folder(home)
    except OSError as error:
        raise StoreError(
            f"the directory {home} cannot be made: {error.strerror}", remedy="Choose another `home` in the settings"
        ) from error
