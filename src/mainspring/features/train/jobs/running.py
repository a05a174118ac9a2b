"""Works on one job: starts its process, watches it, and keeps what it made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from mainspring.core.errors import MainspringError, NotFound, Unsupported
from mainspring.core.types import Principal
from mainspring.features.train.jobs import bounds, orders, run_questions
from mainspring.features.train.jobs.limits import Night, most_seconds
from mainspring.features.train.jobs.process import Process, taken, vacate
from mainspring.features.train.jobs.run_questions import Answering, answered
from mainspring.features.train.jobs.store import Row, TrainingJobs, told_of
from mainspring.features.train.jobs.surroundings import redacted
from mainspring.features.train.settings import TrainSettings
from mainspring.features.train.versions import keeping
from mainspring.serving import Path as RequestPath
from mainspring.stores import Stores
from mainspring.stores.sql import rows
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.worker import Lease
from mainspring.training import recipes
from mainspring.training.child import FAILED, MADE, STOPPED
from mainspring.training.folder import Folder
from mainspring.training.ports import Order
from mainspring.training.run import options_of

_LOOK_S, _NOTE_S, _KEY_S, _DISK_S = 0.25, 2.0, 5.0, 20.0
_DEATHS = 5
_OVERTIME_S, _OVERTIME = 120.0, 0.25
_TAIL = 4_000
_FULL = "No space left on device"


@dataclass(slots=True)
class _Piece:
    """What is done under one lease: since when, how many seconds were worked before, and why it is to stop."""

    row: Row
    began: float
    before: float
    most: float
    deaths: int
    step: int
    why: str = ""
    noted: float = 0.0
    checked: float = field(default_factory=time.monotonic)
    weighed: float = 0.0

    @property
    def seconds(self) -> float:
        return self.before + time.monotonic() - self.began


class TrainingWork:
    """Given to a ``stores.sql.worker.Worker``. A job goes on from its latest checkpoint. ``keep`` makes a version of
    what was made, and returns its label. ``full``: a tenant has as much of the disk as it may.
    ``handed``: where the settings lie, for the processes. ``path`` answers runs that ask models (None: none does).
    ``serve`` has a version answer, for the key that ordered it (None: nothing is served here)."""

    def __init__(
        self,
        stores: Stores,
        jobs: TrainingJobs,
        settings: TrainSettings,
        folder_of: Callable[[str], Path],
        keep: Callable[[Row, Folder], Awaitable[str]],
        local: Principal,
        per_hour: float,
        full: Callable[[str], Awaitable[bool]],
        handed: Mapping[str, str],
        path: RequestPath | None = None,
        serve: Callable[[Row, str], Awaitable[None]] | None = None,
    ) -> None:
        self._stores = stores
        self._jobs = jobs
        self._settings = settings
        self._folder_of = folder_of
        self._keep = keep
        self._local = local
        self._per_hour = per_hour
        self._full = full
        self._handed = handed
        self._path = path
        self._serve = serve
        self._memory_mb = bounds.memory_mb(settings)
        self._night = Night.parse(settings.night)

    async def __call__(self, lease: Lease) -> None:
        job = lease.job
        try:
            row = await self._jobs.of(job.tenant, job.id)
        except NotFound:
            await self._stores.jobs.finish(job, "failed", "the training job is gone")
            return
        folder = Folder(self._folder_of(job.id))
        if told := await self._not_now(lease, row):
            await self._jobs.rest(job, *told)
            return
        if not await self._jobs.begin(job):
            return
        try:
            await vacate(folder.path, self._settings.stop_s)
            if folder.made is None:
                await self._train(lease, row, folder)
            else:
                await self._finished(job, row, folder)
        except MainspringError as error:
            if error.status >= 500 and error.code == "store_error":
                raise
            await self._jobs.end(job, "failed", told_of(error))

    async def give_up(self, lease: Lease, error: Exception) -> None:
        """End a job that broke off repeatedly."""
        told = error.told if isinstance(error, MainspringError) else type(error).__name__
        await self._jobs.end(lease.job, "failed", {"code": "internal_error", "message": told, "param": None})

    async def _not_now(self, lease: Lease, row: Row) -> tuple[str, str] | None:
        """The state in which it rests, and the message; None: it may work."""
        if lease.cancelled.is_set() or row.wish == "cancel":
            return None
        if row.wish == "pause":
            return "paused", "The job is paused."
        if orders.of(rows.load(row.asked)).night and not self._night.left_s(time.time()):
            return "waiting", f"The job waits for the night ({self._settings.night})."
        return None

    async def _train(self, lease: Lease, row: Row, folder: Folder) -> None:
        order = orders.of(rows.load(row.asked))
        most = most_seconds(order.seconds, order.usd, self._per_hour, self._settings.seconds)
        piece = _Piece(row, time.monotonic(), row.seconds, most, row.deaths, row.step)
        process = Process(folder, self._settings.python, self._handed)
        try:
            while not await self._decided(lease, piece, folder, await self._run(lease, piece, folder, process)):
                pass
        except asyncio.CancelledError:
            # The server stops: the run saves a checkpoint, and goes on when there is a server again.
            await asyncio.shield(process.end(min(self._settings.stop_s, 5.0)))
            raise
        finally:
            process.kill()

    async def _run(self, lease: Lease, piece: _Piece, folder: Folder, process: Process) -> int:
        now = time.time()
        order = orders.of(rows.load(piece.row.asked))
        night = now + self._night.left_s(now) if order.night else None
        finish = now + max(0.0, piece.most - piece.seconds)
        told = replace(
            folder.asked,
            until=night,
            finish=finish,
            threads=self._settings.threads,
            nice=self._settings.nice,
        )
        folder.create(told)
        await self._jobs.tell(
            lease.job.tenant, lease.job.id, "It goes on." if piece.row.started_at else "The training begins."
        )
        async with answered(await self._answering(piece.row, order, folder)) as asks:
            await process.start(asks)
            if asks is not None:
                asks.close()
            return await self._watched(lease, piece, folder, process)

    async def _answering(self, row: Row, order: Order, folder: Folder) -> Answering | None:
        """What answers the run's questions; None: it asks none."""
        allowed = run_questions.names(options_of(recipes.find(order.recipe), order.options))
        if not allowed or self._path is None:
            return None
        principal = self._local
        if row.key_id != self._local.key_id:
            principal = (await self._stores.keys.get(row.tenant, row.key_id)).principal()
        left = self._settings.asked - run_questions.count(folder)
        return Answering(self._path, principal, allowed, row.id, left, partial(self._usable, row), folder)

    async def _watched(self, lease: Lease, piece: _Piece, folder: Folder, process: Process) -> int:
        stopping = 0.0
        while (status := await process.wait(_LOOK_S)) is None:
            if lease.lost.is_set():
                process.kill()
                continue
            piece.why = piece.why or await self._wanted(lease, piece, folder, process)
            if piece.why and not stopping:
                folder.stop()
                stopping = time.monotonic() + self._settings.stop_s
            if stopping and (piece.why in ("cancelled", "key", "erased") or time.monotonic() > stopping):
                await process.end(2.0 if time.monotonic() <= stopping else 0.0)
        await self._note(lease.job, piece, folder)
        return status

    async def _wanted(self, lease: Lease, piece: _Piece, folder: Folder, process: Process) -> str:
        """Why the run is to stop now; empty: it may go on."""
        if lease.cancelled.is_set():
            return "cancelled"
        if await asyncio.to_thread(process.memory_mb) > self._memory_mb:
            return "memory"
        if piece.seconds > piece.most + max(_OVERTIME_S, piece.most * _OVERTIME):
            return "overtime"
        now = time.monotonic()
        if now - piece.noted >= _NOTE_S:
            piece.noted = now
            await asyncio.to_thread(process.cut_log)
            await self._note(lease.job, piece, folder)
            try:
                row = await self._jobs.of(lease.job.tenant, lease.job.id)
            except NotFound:
                return "cancelled"
            if row.wish:
                return {"pause": "paused", "cancel": "cancelled"}.get(str(row.wish), str(row.wish))
        if now - piece.checked >= _KEY_S:
            piece.checked = now
            if not await self._usable(piece.row):
                return "key"
        if now - piece.weighed >= _DISK_S:
            piece.weighed = now
            if await self._full(lease.job.tenant):
                return "disk"
        return ""

    async def _note(self, job: Job, piece: _Piece, folder: Folder) -> None:
        step = await asyncio.to_thread(last_step, folder)
        if step > piece.step:
            piece.step, piece.deaths = step, 0
        await self._jobs.progress(job, piece.seconds, piece.step, piece.deaths)

    async def _decided(self, lease: Lease, piece: _Piece, folder: Folder, status: int) -> bool:
        """Act on how the process ended; False: it is started again."""
        job, why = lease.job, piece.why
        if lease.lost.is_set():
            return True
        if status == MADE and folder.made is not None and why not in ("cancelled", "key", "erased"):
            await self._finished(job, piece.row, folder)
        elif why == "cancelled":
            await self._jobs.end(job, "cancelled")
            await asyncio.to_thread(keeping.shed, folder)
        elif why in _FAULTS:
            await self._jobs.end(job, "failed", {**_FAULTS[why], "param": None})
        elif why == "paused":
            await self._jobs.rest(job, "paused", "The job is paused after a checkpoint.")
        elif status == STOPPED and (told := await self._not_now(lease, piece.row)) is not None:
            await self._jobs.rest(job, *told)
        elif status == FAILED:
            await self._jobs.end(job, "failed", await asyncio.to_thread(_problem, folder))
        elif status == STOPPED or taken(status):
            # Somebody ended it from outside, or it came late to the folder of another.
            await vacate(folder.path, self._settings.stop_s)
            return await self._again(job, piece, f"The process ended with {status}.")
        else:
            return await self._again(job, piece, f"The process ended with {status}; it goes on from its checkpoint.")
        return True

    async def _again(self, job: Job, piece: _Piece, message: str) -> bool:
        piece.deaths += 1
        if piece.deaths >= _DEATHS:
            told = f"its process ended {_DEATHS} times without progress"
            error = {"code": "training_died", "message": f"{told}: see its log", "param": None}
            await self._jobs.end(job, "failed", error)
            return True
        await self._jobs.tell(job.tenant, job.id, message, "warn")
        return False

    async def _finished(self, job: Job, row: Row, folder: Folder) -> None:
        label = await self._keep(row, folder)
        if orders.of(rows.load(row.asked)).serve:
            await self._served(row, label)
        await self._jobs.end(job, "succeeded", version=label)

    async def _served(self, row: Row, label: str) -> None:
        """Who asks for the model as soon as the job is over finds it. A version that cannot be served is kept."""
        told, level = f"{label} answers under this name.", "info"
        try:
            if self._serve is None:
                raise Unsupported("no model is served here", remedy="Serve it at a running server")
            await self._serve(row, label)
        except MainspringError as error:
            if error.code == "store_error":
                raise
            told, level = f"{label} is kept, and not served: {error.told}", "warn"
        await self._jobs.tell(row.tenant, row.id, told, level)

    async def _usable(self, row: Row) -> bool:
        if row.key_id == self._local.key_id:
            return True
        try:
            info = await self._stores.keys.get(row.tenant, row.key_id)
        except NotFound:
            return False
        return info.usable(time.time())


_FAULTS: Mapping[str, Mapping[str, str]] = {
    "key": {"code": "key_revoked", "message": "the key that asked for it is revoked or has expired"},
    "erased": {
        "code": "rows_erased",
        "message": "rows that it was trained on were erased meanwhile; order it again with the remaining rows",
    },
    "memory": {
        "code": "memory_exceeded",
        "message": "it takes more than train.memory_mb allows; use a smaller batch or length, then resume it",
    },
    "disk": {
        "code": "disk_exceeded",
        "message": "the tenant's jobs and versions take more than train.tenant_bytes; delete some, then resume it",
    },
    "overtime": {
        "code": "time_exceeded",
        "message": "it did not end with its best checkpoint when its time was up; give it more seconds, then resume it",
    },
}


def last_step(folder: Folder) -> int:
    """The last step that was logged; 0: none."""
    found = last_figures(folder)
    return int(found["step"]) if found else 0


def last_figures(folder: Folder) -> dict[str, Any]:
    """The last line of the metrics; empty: there is none."""
    import json

    path = folder.path / "metrics.jsonl"
    if not path.exists():
        return {}
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - 16_384))
        for line in reversed(file.read().splitlines()):
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict) and "step" in found:
                return found
    return {}


def tail(folder: Folder, most: int) -> str:
    """The end of what the process wrote, without secrets of the server."""
    path = folder.path / "log.txt"
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - most))
        return redacted(file.read().decode(errors="replace"))


def _problem(folder: Folder) -> dict[str, Any]:
    if (found := folder.error) is not None:
        remedy = found.get("remedy") or ""
        message = f"{str(found['message']).rstrip('.')}. {remedy}" if remedy else found["message"]
        return {"code": found["code"], "message": message, "param": found.get("param")}
    said = tail(folder, _TAIL)
    if _FULL in said:
        message = "the disk is full; the latest checkpoint is whole. Free space, and resume the job"
        return {"code": "insufficient_storage", "message": message, "param": None}
    lines = [line for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    return {"code": "training_failed", "message": f"the recipe failed: {last[:500]}", "param": None}
