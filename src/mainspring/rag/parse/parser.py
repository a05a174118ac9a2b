"""Parsing documents in a child process with limits on CPU time and memory.

A worker is kept warm: a batch pays for the interpreter and the libraries once. It is replaced when it dies, when a
document exceeds its time, and after some hundred documents.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from mainspring.core.errors import MainspringError, ModelError, UnreadableDocument
from mainspring.core.settings import RagSettings, Settings
from mainspring.rag.parse import frames, kinds
from mainspring.rag.parse.frames import ReadRequest
from mainspring.rag.parse.parsed import MAX_QUOTE, PagePicture, Parsed
from mainspring.rag.parse.reading_options import Options

# pdfium, lxml and OpenCV all leak a little; a fresh worker costs less than a second.
_RECYCLE_AFTER = 500
_IDLE_WORKERS = 2
_MAX_NAME = 1024
# A document with text must not run out of time over its pictures.
_PICTURES_SHARE = 0.3
# How often the child is looked at, and how long it may use no CPU at all while a document waits.
_LOOK_S = 2.0
_STILL_S = 60.0
_ENDING_S = 5.0
# A person waits for a page.
_DRAWING_S = 10.0
_T = TypeVar("_T")


@dataclass(slots=True)
class _Worker:
    process: asyncio.subprocess.Process
    served: int = 0


class _Crashed(UnreadableDocument):
    """The parser ended in the middle of a document."""


class Parser:
    """Parses documents; several at a time, each in a worker of its own. Belongs to one event loop."""

    def __init__(self, settings: RagSettings, layout_model: str = "") -> None:
        self._settings = settings
        self._layout_model = layout_model
        self._idle: list[_Worker] = []
        self._slots = asyncio.Semaphore(max(1, min(4, os.cpu_count() or 1)))
        self._closed = False

    async def parse(self, source: Path | bytes, name: str = "", *, images: bool = False) -> Parsed:
        """Read a document; ``name`` is what errors call it and where its ending is taken from. ``images`` brings the
        pictures of a PDF's figures along.

        Raises ``UnreadableDocument`` (empty, encrypted, damaged, too large, of an unknown kind, out of time or
        memory) or ``MissingExtra``; the remedy says what to do.
        """
        if isinstance(source, Path):
            name = name or source.name
            data = await asyncio.to_thread(load, source)
        else:
            data = source
        if len(data) > kinds.MAX_BYTES:
            raise kinds.too_large(name, len(data))
        answer = await self._answer(data, self._asked(data, name, images))
        if not isinstance(answer, Parsed):
            raise _broken(name)
        if not answer.text.strip():
            raise UnreadableDocument(f"{name} has no text", remedy="Check that it is the right file")
        return answer

    async def draw(self, data: bytes, name: str, page: int, quote: str = "") -> PagePicture:
        """Page ``page`` (from 1) of a PDF with ``quote`` marked. Raises ``UnreadableDocument`` like ``parse``, also for
        a file that is no PDF and a page that does not exist."""
        asked = self._asked(data, name, images=False)
        seconds = min(_DRAWING_S, self._settings.parse_timeout_s)
        asked = replace(asked, page=page, quote=quote[:MAX_QUOTE], timeout_s=seconds)
        answer = await self._answer(data, asked)
        if not isinstance(answer, PagePicture):
            raise _broken(name)
        return answer

    def _asked(self, data: bytes, name: str, images: bool) -> ReadRequest:
        options = Options(
            self._settings.ocr,
            self._settings.parser,
            self._settings.parse_max_pages,
            self._layout_model,
            _PICTURES_SHARE * self._settings.parse_timeout_s,
            images,
        )
        name = name.encode("utf-8", "replace").decode()[:_MAX_NAME]
        return ReadRequest(name, len(data), options, self._settings.parse_timeout_s)

    async def _answer(self, data: bytes, asked: ReadRequest) -> Parsed | PagePicture:
        async with self._slots:
            try:
                answer = await self._read(data, asked)
            except _Crashed:
                # Another cause may have killed it, such as memory pressure: a file that kills it does so twice.
                answer = await self._read(data, asked)
        if isinstance(answer, MainspringError):
            raise answer
        return answer

    async def _read(self, data: bytes, asked: ReadRequest) -> frames.Answer:
        async with self._worker() as worker:
            return await self._ask(worker, data, asked)

    async def close(self) -> None:
        """End the workers. Documents that are being parsed fail."""
        self._closed = True
        while self._idle:
            await _end(self._idle.pop())

    @contextlib.asynccontextmanager
    async def _worker(self) -> AsyncIterator[_Worker]:
        worker = self._idle.pop() if self._idle else None
        if worker is None or worker.process.returncode is not None:
            worker = await self._start()
        healthy = False
        try:
            yield worker
            worker.served += 1
            healthy = worker.process.returncode is None and worker.served < _RECYCLE_AFTER
        finally:
            if healthy and not self._closed and len(self._idle) < _IDLE_WORKERS:
                self._idle.append(worker)
            else:
                await _end(worker)

    async def _start(self) -> _Worker:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mainspring.rag.parse.child",
            str(self._settings.parse_memory_mb),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return _Worker(process)

    async def _ask(self, worker: _Worker, data: bytes, asked: ReadRequest) -> frames.Answer:
        name = asked.name
        try:
            return await _watched(worker.process, self._exchange(worker.process, data, asked))
        except TimeoutError:
            await _end(worker)
            raise UnreadableDocument(
                f"{name} made its parser stand still for {_STILL_S:g} seconds", remedy="Save the document anew"
            ) from None
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            with contextlib.suppress(TimeoutError):
                # An exit by signal shows its reason; a child that only closed its pipes is ended here.
                async with asyncio.timeout(_ENDING_S):
                    await worker.process.wait()
            await _end(worker)
            if worker.process.returncode == -signal.SIGXCPU:
                raise UnreadableDocument(
                    f"{name} took longer than {asked.timeout_s:g} seconds of CPU to parse",
                    remedy="Raise rag.parse_timeout_s, or split the file",
                ) from None
            raise _Crashed(
                f"{name} crashed its parser or ran out of memory",
                remedy="Raise rag.parse_memory_mb, or save the document anew",
            ) from None

    async def _exchange(self, process: asyncio.subprocess.Process, data: bytes, asked: ReadRequest) -> frames.Answer:
        if process.stdin is None or process.stdout is None:
            raise ConnectionError("the parser has no pipes")
        process.stdin.write(frames.request(asked))
        process.stdin.write(data)
        await process.stdin.drain()
        (length,) = frames.LENGTH.unpack(await process.stdout.readexactly(frames.LENGTH.size))
        if length > frames.most(len(data)):
            raise ConnectionError("the parser sent more than a document")
        head = await process.stdout.readexactly(length)
        told = await asyncio.to_thread(frames.told, head)
        return frames.document(told, await process.stdout.readexactly(sum(told.images)))


def _broken(name: str) -> UnreadableDocument:
    return UnreadableDocument(f"{name} was not read as was asked", remedy="Save the document anew")


def layout_model(settings: Settings) -> str:
    """The path of the layout model's graph; empty unless ``rag.parser`` asks for it.

    Raises ``ModelNotPulled`` or ``ModelError``, also where ``models.layout`` names a model of another kind.
    """
    if settings.rag.parser != "layout-model":
        return ""
    from mainspring.engines.catalogue.pull import Puller

    pulled = Puller(settings).local(settings.models.layout)
    if pulled.entry.kind != "layout":
        raise ModelError(
            f"{pulled.entry.name} is a {pulled.entry.kind} model, not a layout model", remedy="Set models.layout"
        )
    return str(pulled.files["graph"])


def load(path: Path) -> bytes:
    """The bytes of a file. Raises ``UnreadableDocument`` when it is too large or cannot be read."""
    try:
        size = path.stat().st_size
        if size > kinds.MAX_BYTES:
            raise kinds.too_large(path.name, size)
        return path.read_bytes()
    except OSError as error:
        raise UnreadableDocument(f"{path.name} cannot be read: {error.strerror}", remedy="Check it") from None


async def _watched(process: asyncio.subprocess.Process, work: Coroutine[Any, Any, _T]) -> _T:
    """The result of ``work``, which waits for the process. How long it may compute is the child's own limit, in CPU
    time: on a loaded machine the same document only takes longer. Raises ``TimeoutError`` when it stands still."""
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
    """CPU seconds that a process has used; the clock's where the system does not tell: then none stands still."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic() if not Path("/proc/self/stat").exists() else 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _end(worker: _Worker) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.process.kill()
    await worker.process.wait()
