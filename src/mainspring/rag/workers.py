"""Child processes that read documents, kept warm, with limits on CPU time and memory.

A batch pays for the interpreter and the libraries once. A worker is replaced when it dies, when a document makes it run
out of time, when it keeps a good part of its memory, and after some hundred documents.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mainspring.core.errors import UnreadableDocument
from mainspring.core.fair.slots import FairSlots

# pdfium, lxml and OpenCV all leak a little; a fresh worker costs less than a second.
_RECYCLE_AFTER = 500
_IDLE_WORKERS = 2
# OCR keeps the memory of each size of picture that it has seen: the next document gets a worker without them.
_KEPT_SHARE = 0.3
# The interval of checks of the child, and how long it may use no CPU at all while a document waits.
_LOOK_S = 2.0
_STILL_S = 60.0
_ENDING_S = 5.0
_DATA = re.compile(r"^VmData:\s+(\d+) kB", re.MULTILINE)
_T = TypeVar("_T")
Hear = Callable[[asyncio.StreamReader], Awaitable[_T]]
"""Reads one answer. Raises ``ValueError`` or ``ConnectionError`` if it is none."""


@dataclass(slots=True)
class _Worker:
    process: asyncio.subprocess.Process
    served: int = 0


class _Crashed(UnreadableDocument):
    """The child ended in the middle of a document."""


class Workers:
    """Children that run ``module`` with ``memory_mb`` as their argument; several at a time, each with one document.
    Belongs to one event loop."""

    def __init__(self, module: str, memory_mb: int) -> None:
        self._module = module
        self._memory_mb = memory_mb
        self._idle: list[_Worker] = []
        self._slots = FairSlots(max(1, min(4, os.cpu_count() or 1)))
        self._closed = False

    async def ask(self, name: str, timeout_s: float, pieces: Sequence[bytes], hear: Hear[_T]) -> _T:
        """The result of ``hear`` for the answer to ``pieces`` of the document ``name``.

        Raises ``UnreadableDocument`` if the child runs out of time or memory, on the second attempt if another cause
        may have killed it.
        """
        async with self._slots.slot():
            try:
                return await self._read(name, timeout_s, pieces, hear)
            except _Crashed:
                # Another cause may have killed it, such as memory pressure: a file that kills it does so twice.
                return await self._read(name, timeout_s, pieces, hear)

    async def close(self) -> None:
        """End the workers. Documents that are being read fail."""
        self._closed = True
        while self._idle:
            await _end(self._idle.pop())

    async def _read(self, name: str, timeout_s: float, pieces: Sequence[bytes], hear: Hear[_T]) -> _T:
        async with self._worker() as worker:
            try:
                return await _watched(worker.process, _exchange(worker.process, pieces, hear))
            except TimeoutError:
                await _end(worker)
                raise UnreadableDocument(
                    f"the parser of {name} made no progress for {_STILL_S:g} seconds", remedy="Save the document again"
                ) from None
            except (asyncio.IncompleteReadError, ConnectionError, ValueError):
                raise await _ended(worker, name, timeout_s) from None

    @contextlib.asynccontextmanager
    async def _worker(self) -> AsyncIterator[_Worker]:
        worker = self._idle.pop() if self._idle else None
        if worker is None or worker.process.returncode is not None:
            worker = await self._start()
        healthy = False
        try:
            yield worker
            worker.served += 1
            alive = worker.process.returncode is None and worker.served < _RECYCLE_AFTER
            healthy = alive and _private_mb(worker.process.pid) <= _KEPT_SHARE * self._memory_mb
        finally:
            if healthy and not self._closed and len(self._idle) < _IDLE_WORKERS:
                self._idle.append(worker)
            else:
                await _end(worker)

    async def _start(self) -> _Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self._module,
            str(self._memory_mb),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return _Worker(process)


async def _exchange(process: asyncio.subprocess.Process, pieces: Sequence[bytes], hear: Hear[_T]) -> _T:
    if process.stdin is None or process.stdout is None:
        raise ConnectionError("the child has no pipes")
    for piece in pieces:
        process.stdin.write(piece)
    await process.stdin.drain()
    return await hear(process.stdout)


async def _ended(worker: _Worker, name: str, timeout_s: float) -> UnreadableDocument:
    """The message about the document that made a worker break off."""
    with contextlib.suppress(TimeoutError):
        # An exit by signal shows its reason; a child that only closed its pipes is ended here.
        async with asyncio.timeout(_ENDING_S):
            await worker.process.wait()
    await _end(worker)
    if worker.process.returncode == -signal.SIGXCPU:
        return UnreadableDocument(
            f"{name} took longer than {timeout_s:g} seconds of CPU to parse",
            remedy="Raise rag.parse_timeout_s, or split the file",
        )
    return _Crashed(
        f"{name} crashed its parser or ran out of memory",
        remedy="Raise rag.parse_memory_mb, or save the document again",
    )


async def _watched(process: asyncio.subprocess.Process, work: Coroutine[Any, Any, _T]) -> _T:
    """The result of ``work``, which waits for the process. How long it may compute is the child's own limit, in CPU
    time: on a loaded machine the same document only takes longer. Raises ``TimeoutError`` when the work makes no
    progress."""
    task = asyncio.ensure_future(work)
    used, since = -1.0, time.monotonic()
    try:
        while not (await asyncio.wait({task}, timeout=_LOOK_S))[0]:
            now = _cpu_seconds(process.pid)
            if now > used:
                used, since = now, time.monotonic()
            elif time.monotonic() - since > _STILL_S:
                raise TimeoutError
        return task.result()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


def _cpu_seconds(pid: int) -> float:
    """CPU seconds that a process has used, or the clock's seconds if the system does not report them: then no process
    seems to stand still."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic() if not Path("/proc/self/stat").exists() else 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _private_mb(pid: int) -> float:
    """The memory of a process that counts against its limit, in MB; 0 if the system does not report it."""
    try:
        told = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = _DATA.search(told)
    return int(found[1]) / 1024 if found else 0.0


async def _end(worker: _Worker) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.process.kill()
    await worker.process.wait()
