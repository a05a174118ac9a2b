"""Erases a person from every store, in the background, after the commit that records the request.

In this order: features' data (lines of batches), conversations, answers with their events, cached answers and
questions, idempotent replies, spans, the person's documents, and then the databases' files and logs. A second pass,
once requests in progress must have ended, finds text that was written in the meantime.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Sequence

import sqlalchemy as sa

from mainspring.core.errors import MainspringError
from mainspring.features.compliance.erase.documents import Documents
from mainspring.features.compliance.metrics import ComplianceMetrics
from mainspring.stores import Stores
from mainspring.stores.cache.answers import made_for
from mainspring.stores.erase import data_subjects, erasing
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.erase.erasures import ERASED, NOTED, Erasure
from mainspring.stores.erase.holdings import Remains
from mainspring.stores.events.audit_log import Actor

log = logging.getLogger("mainspring.compliance")
# The interval of checks for notes of other processes, and the time that an ending process continues with its own
# notes.
_LOOK_S, _CLOSING_S = 5.0, 60.0
LIMITS = (
    "backups and exports that were made before",
    "what was sent to other services: models elsewhere, trace collectors",
    "log files, which hold no texts of requests",
    "texts that somebody else has said word for word, too",
)


class Eraser:
    """Acts on notes of erasure. ``again_s`` is how long a request may take."""

    def __init__(
        self, stores: Stores, documents: Documents, metrics: ComplianceMetrics, *, again_s: float, limits: Sequence[str]
    ) -> None:
        self._stores = stores
        self._documents = documents
        self._metrics = metrics
        self._again_s = again_s
        self._limits = limits
        self._wake = asyncio.Event()
        self._changed = asyncio.Condition()
        self._one = asyncio.Lock()
        self._seen: set[str] = set()
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, with what earlier processes left."""
        self._worker = asyncio.create_task(self._work(), name="erase")

    async def close(self) -> None:
        """Execute open requests within a minute; the rest stays recorded."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait((self._worker,))
        try:
            async with asyncio.timeout(_CLOSING_S):
                await self.round(only_new=True)
        except (MainspringError, TimeoutError) as error:
            log.warning("the erasure failed and is repeated at the next start: %s", error)

    async def request(self, subject: Subject, by: Actor, wait_s: float = 0.0) -> Erasure:
        """Record an erasure and wait this long for it; returns its record."""
        note = await self._stores.erasures.note(subject, by)
        self._wake.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                while note.state == NOTED:
                    async with self._changed:
                        await self._changed.wait()
                    note = await self._stores.erasures.get(note.tenant, note.id)
        return note

    async def round(self, *, only_new: bool = False) -> None:
        """Act on all notes that are new, or old enough for the second look. Raises the errors of the stores."""
        async with self._one:
            for note in await self._stores.erasures.pending():
                if note.state == NOTED:
                    counts = await self._erase(note)
                    limits = [*self._limits, *await self._remaining(note)]
                    if await self._stores.erasures.erased(note, counts, limits):
                        self._metrics.erased(note.kind)
                    self._seen.add(note.id)
                    async with self._changed:
                        self._changed.notify_all()
                    note = await self._stores.erasures.get(note.tenant, note.id)
                if note.state == ERASED and note.id not in self._seen and note.subject is not None:
                    # Another process has erased the data; this process must drop its own caches.
                    await self._caches(note.subject, note.plan, Counter())
                    self._seen.add(note.id)
                if note.state == ERASED and not only_new and time.time() - note.requested_at >= self._again_s:
                    await self._stores.erasures.settled(note, await self._erase(note))
                    self._seen.discard(note.id)
                    # The note itself said whom it was about.
                    await self._stores.database.compact()

    async def _erase(self, note: Erasure) -> Counter[str]:
        subject = note.subject
        assert subject is not None
        stores, tenant, upto = self._stores, note.tenant, note.requested_at

        def find(connection: sa.Connection) -> SubjectData:
            return data_subjects.find(connection, subject, upto, note.plan)

        held = await stores.database.read(find)
        held.files |= await self._documents.files(subject, upto)
        # Erasing removes its own traces: a process that resumes after a crash reads the plan stored here.
        await stores.erasures.planned(note, held)
        done: Counter[str] = Counter(dict.fromkeys(("facts", "texts", "messages", "sessions", "approvals"), 0))
        done["answers"] = len(held.answers)
        for holding in stores.holdings:
            done[holding.name] = await holding.erase(subject, held, upto)
        await self._database(subject, held, upto, done)
        await self._caches(subject, held, done)
        done["spans"] = await self._spans(tenant, held)
        done["documents"], done["files"] = await self._documents.erase(subject, upto, held.files)
        for compact in (stores.database.compact, stores.cache.compact, stores.similar.compact, stores.spans.compact):
            await compact()
        return done

    async def _remaining(self, note: Erasure) -> list[str]:
        holdings = [each for each in self._stores.holdings if isinstance(each, Remains)]
        return [told for each in holdings for told in await each.remains(note.tenant, note.requested_at)]

    async def _database(self, subject: Subject, held: SubjectData, upto: float, done: Counter[str]) -> None:
        write, tenant = self._stores.database.write, subject.tenant

        def talked(connection: sa.Connection) -> dict[str, int]:
            return erasing.conversations(connection, tenant, held.sessions, upto)

        done.update(await write(talked, durable=True))
        for part in data_subjects.parts(sorted(held.answers)):

            def answered(connection: sa.Connection, ids: Sequence[str] = part) -> dict[str, int]:
                return erasing.answers(connection, tenant, ids)

            done.update(await write(answered, durable=True))
        for traces in data_subjects.parts(sorted({each.trace_id for each in held.answers.values() if each.trace_id})):

            def waiting(connection: sa.Connection, traces: Sequence[str] = traces) -> int:
                return erasing.calls_that_wait(connection, tenant, traces)

            done["approvals"] += await write(waiting, durable=True)
        if subject.kind == "tenant":
            done.update(await write(lambda it: erasing.of_no_answer(it, tenant, upto), durable=True))

    async def _caches(self, subject: Subject, held: SubjectData, done: Counter[str]) -> None:
        tags = [made_for(each) for each in held.answers]
        if subject.kind == "tenant":
            tags = [f"tenant:{subject.tenant}"]
        done["cached"] = done["questions"] = 0
        for tag in tags:
            # Questions lead to answers, so they go first.
            done["questions"] += await self._stores.similar.invalidate(tag)
            done["cached"] += await self._stores.cache.invalidate(tag)

    async def _spans(self, tenant: str, held: SubjectData) -> int:
        traces = sorted({each.trace_id for each in held.answers.values()})
        return sum([await self._stores.spans.forget(tenant, list(part)) for part in data_subjects.parts(traces)])

    async def _work(self) -> None:
        while True:
            try:
                self._wake.clear()
                await self.round()
            except MainspringError as error:
                log.warning("the erasure failed and is repeated: %s", error)
            # Before Python 3.12, ``wait_for`` loses a cancellation that arrives while it ends, and this would then
            # never end.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()
