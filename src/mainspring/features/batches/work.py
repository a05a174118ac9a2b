"""Works on batches: reads the file, answers its lines behind everybody else, writes the files of answers.

After a crash, at most the lines in progress are answered again; each answer is stored once.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from mainspring.core.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    EngineDied,
    MainspringError,
    NotFound,
    Overloaded,
    RateLimited,
    StoreError,
    Unauthenticated,
)
from mainspring.core.types import Allowance, Context, Principal, Priority
from mainspring.features.batches.lines import InputLine, LineAnswerer, answered, failure, read, refused
from mainspring.features.batches.settings import BatchesSettings
from mainspring.http.openai import encode
from mainspring.stores.documents.files import Files
from mainspring.stores.keys.api_keys import Keys
from mainspring.stores.sql.jobs import Jobs
from mainspring.stores.sql.worker import Lease
from mainspring.stores.work.batches import OVER, PREFIX, Batch, Batches

_log = logging.getLogger("mainspring.gateway")
Stop = Literal["", "cancelled", "expired", "lost", "refused"]
# How long it is believed that a key can still be used, and how often it is looked whether others want the engines.
_KEY_S, _LOOK_S = 2.0, 0.02
_LONGEST_WAIT_S = 60.0
_UNANSWERED: Mapping[str, tuple[str, str]] = {
    "cancelled": ("batch_cancelled", "the batch was cancelled before this line was answered"),
    "expired": ("batch_expired", "the batch's completion window ended before this line was answered"),
}


class Slots:
    """The number of lines answered at once: ``most`` while nobody else uses the engines, ``busy`` otherwise.

    ``running`` returns how many sequences the engines run or have waiting, those of batches included.
    """

    def __init__(self, most: int, busy: int, running: Callable[[], float]) -> None:
        self._most = most
        self._busy = busy
        self._running = running
        self.active = self._generating = 0

    async def enter(self, *, generates: bool, stopped: Callable[[], object] = lambda: False) -> bool:
        """Wait for a place; False if it was ``stopped`` before there was one."""
        # Engines do not report free capacity.
        while self.active >= self._room():
            if stopped():
                return False
            await asyncio.sleep(_LOOK_S)
        self.active += 1
        self._generating += generates
        return True

    def leave(self, *, generates: bool) -> None:
        self.active -= 1
        self._generating -= generates

    def _room(self) -> int:
        others = self._running() > self._generating
        return min(self._busy, self._most) if others else self._most


class BatchWork:
    """Answers one batch after its job was leased. Given to a ``stores.sql.worker.Worker``."""

    def __init__(
        self,
        batches: Batches,
        jobs: Jobs,
        files: Files,
        keys: Keys,
        answer: LineAnswerer,
        settings: BatchesSettings,
        *,
        running: Callable[[], float] = lambda: 0.0,
        timeout_s: float = 300.0,
    ) -> None:
        self._batches = batches
        self._jobs = jobs
        self._files = files
        self._keys = keys
        self._answer = answer
        self._settings = settings
        self._timeout_s = timeout_s
        self.slots = Slots(settings.concurrency, settings.concurrency_busy, running)

    async def __call__(self, lease: Lease) -> None:
        job = lease.job
        try:
            batch = await self._batches.get(job.tenant, job.id)
        except NotFound:
            await self._jobs.finish(job, "failed", "its batch is gone")
            return
        if batch.status in OVER:
            await self._jobs.finish(job)
            return
        found = await self._read(batch)
        if isinstance(found, dict):
            await self._batches.finish(job, "failed", [found])
            return
        most = self._settings.max_lines, self._answer.max_bytes
        checked = await asyncio.to_thread(read, found, batch.endpoint, *most)
        if checked.errors:
            await self._batches.finish(job, "failed", checked.errors)
            return
        if not await self._batches.begin(job, len(checked.lines)):
            return
        done = await self._batches.answered(job.tenant, job.id)
        run = _Run(self, batch, lease, deque(line for line in checked.lines if line.number not in done))
        await self._finish(run, await run.all())

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """Give up a batch that was interrupted repeatedly."""
        message = f"the batch broke off: {type(error).__name__}: {error}"
        await self._batches.finish(
            lease.job, "failed", [{"code": "internal_error", "message": message, "param": None, "line": None}]
        )

    async def _read(self, batch: Batch) -> bytes | dict[str, Any]:
        """The input file, or its faults."""
        try:
            data = await self._files.content(batch.tenant, batch.input_file_id, groups=batch.groups)
        except (NotFound, StoreError) as error:
            return {"code": "input_file_missing", "message": str(error), "param": "input_file_id", "line": None}
        if len(data) > self._settings.max_bytes:
            message = f"the input file has {len(data)} bytes, at most {self._settings.max_bytes} are read"
            return {"code": "file_too_large", "message": message, "param": "input_file_id", "line": None}
        return data

    async def _finish(self, run: _Run, stop: Stop) -> None:
        job = run.lease.job
        if stop == "lost":
            return
        if stop in _UNANSWERED:
            code, message = _UNANSWERED[stop]
            for line in run.waiting:
                await self._batches.record(
                    job, line.number, refused(run.id_of(line), line, code, message), succeeded=False
                )
        if not stop:
            found = await self._batches.finalize(job)
            if found is None:
                return
            # It was to be cancelled when all of its lines had been taken.
            stop = "cancelled" if found == "cancelling" else ""
        status: Any = {"": "completed", "refused": "failed"}.get(stop, stop)
        await self._batches.finish(job, status, run.errors)


@dataclasses.dataclass(frozen=True, slots=True)
class _Outcome:
    """Status and body of an answer, why it is worth asking again (empty: it is not), and when, in seconds."""

    status: int
    body: bytes
    again: Literal["", "full", "died"] = ""
    rest_s: float | None = None


@dataclasses.dataclass(slots=True)
class _Run:
    """One batch being answered: the lines that wait, and why it stopped."""

    work: BatchWork
    batch: Batch
    lease: Lease
    waiting: deque[InputLine]
    stop: Stop = ""
    errors: Sequence[Mapping[str, Any]] = ()
    _principal: Principal | None = None
    _believed: float = 0.0

    def id_of(self, line: InputLine) -> str:
        """The same for a line however often it is answered."""
        return f"batch_req_{self.batch.id.removeprefix(PREFIX)}_{line.number}"

    async def all(self) -> Stop:
        """Answer the lines; returns the reason for stopping before the last one (empty: none)."""
        takers = min(len(self.waiting), self.work._settings.concurrency)
        async with asyncio.TaskGroup() as group:
            for _ in range(takers):
                group.create_task(self._take())
        return self.stop

    async def _take(self) -> None:
        generates = self.batch.endpoint not in ("/v1/embeddings", "/v1/moderations")
        while self.waiting and not self._stopped():
            if not await self.work.slots.enter(generates=generates, stopped=self._stopped):
                return
            try:
                if not self.waiting or self._stopped():
                    return
                line = self.waiting.popleft()
                kept = await self._line(line)
                if not kept:
                    self.waiting.appendleft(line)
                    return
            finally:
                self.work.slots.leave(generates=generates)

    def _stopped(self) -> Stop:
        if self.lease.lost.is_set():
            self.stop = "lost"
        elif not self.stop and self.lease.cancelled.is_set():
            self.stop = "cancelled"
        elif not self.stop and time.time() > self.batch.expires_at:
            self.stop = "expired"
        return self.stop

    async def _line(self, line: InputLine) -> bool:
        """Answer a line and keep that; False if the batch was stopped before it was answered."""
        died = 0
        for attempt in itertools.count():
            context = await self._context()
            if context is None:
                return False
            found = await self._attempt(line, context)
            died += found.again == "died"
            if self.stop == "refused":
                return False
            if not found.again or died > self.work._settings.retries:
                text = answered(self.id_of(line), line, context.trace.trace_id, found.status, found.body)
                await self.work._batches.record(self.lease.job, line.number, text, succeeded=found.status == 200)
                return True
            await self._wait(found.rest_s or min(2.0**attempt, _LONGEST_WAIT_S))
            if self._stopped():
                return False
        raise AssertionError("counting has no end")

    async def _attempt(self, line: InputLine, context: Context) -> _Outcome:
        try:
            return _Outcome(200, await self.work._answer(self.batch.endpoint, line.body, context))
        except BudgetExceeded as error:
            soon = error.retry_after is not None and error.retry_after <= _LONGEST_WAIT_S
            if soon or (error.headers and "x-should-retry" not in error.headers):
                # Only concurrent work, including other lines, has reserved too much; or the time window ends.
                return _Outcome(*failure(error), "full", error.retry_after)
            if not error.headers and error.retry_after is None:
                # This line alone has spent its reservation.
                return _Outcome(*failure(error))
            # The following lines would be refused as well, one by one.
            self.stop = "refused"
            self.errors = [{"code": error.code, "message": str(error), "param": None, "line": line.number}]
            return _Outcome(*failure(error))
        except (RateLimited, Overloaded) as error:
            return _Outcome(*failure(error), "full", error.retry_after)
        except DeadlineExceeded as error:
            # A request that had not started says when to come back: a batch has its window to wait in.
            return _Outcome(*failure(error), "" if error.retry_after is None else "full", error.retry_after)
        except EngineDied as error:
            # This line may be the cause of the crash.
            return _Outcome(*failure(error), "died", error.retry_after)
        except MainspringError as error:
            return _Outcome(*failure(error))
        except Exception as error:
            # A bug that one line meets must not keep the others from their answers.
            _log.error("line %d of %s: unexpected failure", line.number, self.batch.id, exc_info=error)
            return _Outcome(*failure(encode.bug()))

    async def _wait(self, seconds: float) -> None:
        until = time.monotonic() + min(seconds, _LONGEST_WAIT_S)
        while time.monotonic() < until and not self._stopped():  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S * 5)

    async def _context(self) -> Context | None:
        """The caller: the key that created the batch, with its rights then, while it is usable."""
        if self._principal is None or time.monotonic() > self._believed + _KEY_S:
            try:
                key = await self.work._keys.get(self.batch.tenant, self.batch.key_id)
                if not key.usable(time.time()):
                    raise Unauthenticated("the API key that made this batch was revoked or has expired")
            except (NotFound, Unauthenticated) as error:
                self.stop = "refused"
                self.errors = [{"code": "invalid_api_key", "message": str(error), "param": None, "line": None}]
                return None
            allowed = dataclasses.replace(key.principal(), scopes=self.batch.scopes, groups=self.batch.groups)
            self._principal, self._believed = allowed, time.monotonic()
        deadline = time.monotonic() + self.work._timeout_s
        return Context(
            self._principal,
            deadline=deadline,
            priority=Priority.BATCH,
            allowance=Allowance(rate="batch"),
            consent=self._principal.consent,
            batch=True,
        )
