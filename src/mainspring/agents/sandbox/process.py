"""Code in full CPython, in a child process that a jail holds: what bubblewrap and gVisor have in common.

Starting the jail and its interpreter is most of a short run. So once code has run, one jail more is started ahead: its
interpreter waits for the code of the next run, and has seen nothing. It serves one run, like any other. It is ended
when nobody has needed it for a while.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import os
import secrets
import signal
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mainspring.agents.sandbox.base import FOLDER, CodeResult, SandboxLimits, checked, cut, inside, plain
from mainspring.core.errors import SettingsError
from mainspring.core.fair.slots import FairSlots

_GRACE_S = 10.0
"""What the jail itself may take to start, in seconds."""
_PIECE = 2**16
SPARE_S = 30.0
"""How long a jail that was started ahead waits for a run, in seconds."""


@dataclass(frozen=True, slots=True)
class Jail:
    """A command that runs the guest program, and the file descriptors that it is given."""

    command: Sequence[str]
    descriptors: tuple[int, ...] = ()


@dataclass(slots=True)
class _Ended:
    """What a process has left: its output so far, and why it was stopped (empty: it ended)."""

    output: bytearray
    stopped: str = ""
    status: int = 0


@dataclass(slots=True)
class _Started:
    """A process that waits for its request; ``stack`` holds its jail."""

    process: asyncio.subprocess.Process
    stack: contextlib.AsyncExitStack

    async def aclose(self) -> None:
        """End it and its jail."""
        try:
            if self.process.returncode is None:
                # A jail that is killed while it starts may leave its interpreter waiting: it ends with its input.
                if self.process.stdin is not None:
                    self.process.stdin.close()
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.process.pid, signal.SIGKILL)
                await asyncio.shield(_gone(self.process))
        finally:
            await self.stack.aclose()


class ProcessSandbox(ABC):
    """Starts a process for each run, at most ``concurrent`` at a time, by turns of tenants. ``packages`` are folders
    that the code may import from. One process more waits for the next run, for ``spare_s`` seconds at most (0: none
    does)."""

    name = "process"

    def __init__(self, concurrent: int = 2, packages: Sequence[str] = (), spare_s: float = SPARE_S) -> None:
        self._free = FairSlots(concurrent)
        self._packages = tuple(packages)
        self._spare_s = spare_s
        self._spare: asyncio.Task[_Started] | None = None
        self._spare_disk = 0
        self._ending: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self.began = 0
        """How many processes were started."""

    @abstractmethod
    def jailed(self, limits: SandboxLimits) -> contextlib.AbstractAsyncContextManager[Jail]:
        """The jail of one run. Raises ``SettingsError`` where there can be none."""

    async def run(
        self, code: str, files: Mapping[str, bytes] | None = None, limits: SandboxLimits | None = None
    ) -> CodeResult:
        limits, files = limits or SandboxLimits(), files or {}
        checked(files, limits)
        mark = secrets.token_bytes(16)
        request = _request(mark, code, files, limits, self._packages)
        async with self._free.slot():
            ended = await self._ran(await self._taken(limits), request, mark, limits)
            if ended is None or (mark not in ended.output and not ended.stopped and not ended.output):
                # The one that waited had died. The code had not begun, so it begins in another.
                ended = await self._ran(await self._start(limits), request, mark, limits)
        assert ended is not None
        self._fill(limits)
        return self._read(ended, mark, limits)

    async def ready(self) -> None:
        """Wait until the process for the next run has started, if one is to wait."""
        if self._spare is not None:
            await asyncio.wait([self._spare])

    async def aclose(self) -> None:
        """End the process that waits."""
        self._forget()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _ran(self, started: _Started | None, request: bytes, mark: bytes, limits: SandboxLimits) -> _Ended | None:
        if started is None:
            return None
        try:
            return await _communicate(started.process, request, mark, limits)
        finally:
            await started.aclose()

    async def _start(self, limits: SandboxLimits) -> _Started:
        """Raises ``SettingsError`` where there can be no jail."""
        async with contextlib.AsyncExitStack() as stack:
            jail = await stack.enter_async_context(self.jailed(limits))
            process = await asyncio.create_subprocess_exec(
                *jail.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                cwd="/",
                pass_fds=jail.descriptors,
                start_new_session=True,
            )
            self.began += 1
            return _Started(process, stack.pop_all())

    async def _taken(self, limits: SandboxLimits) -> _Started | None:
        """The process that waits, if it fits and still runs. It is nobody else's from then on."""
        spare, self._spare = self._spare, None
        if self._ending is not None:
            self._ending.cancel()
        if spare is None or self._spare_disk != limits.disk or spare.get_loop() is not asyncio.get_running_loop():
            self._end(spare)
            return None
        try:
            started = await asyncio.shield(spare)
        except (SettingsError, OSError):
            return None
        except asyncio.CancelledError:
            self._end(spare)
            raise
        if started.process.returncode is None:
            return started
        await started.aclose()
        return None

    def _fill(self, limits: SandboxLimits) -> None:
        """Have a process wait for the next run."""
        if self._spare is not None or not self._spare_s:
            return
        loop = asyncio.get_running_loop()
        self._spare, self._spare_disk = loop.create_task(self._start(limits)), limits.disk
        self._ending = loop.call_later(self._spare_s, self._forget)

    def _forget(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        spare, self._spare = self._spare, None
        self._end(spare)

    def _end(self, spare: asyncio.Task[_Started] | None) -> None:
        if spare is None or spare.get_loop() is not asyncio.get_running_loop():
            return

        async def end() -> None:
            with contextlib.suppress(SettingsError, OSError):
                await (await spare).aclose()

        task = asyncio.get_running_loop().create_task(end())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _read(self, ended: _Ended, mark: bytes, limits: SandboxLimits) -> CodeResult:
        begun, marked, rest = bytes(ended.output).partition(mark)
        if not marked:
            said = begun.decode("utf-8", "replace").strip()[-500:]
            if ended.stopped and not said:
                said = f"it did not start within {_GRACE_S:g} s"
            raise SettingsError(
                f"the sandbox {self.name} does not start: {said or f'status {ended.status}'}",
                remedy="See the page on tools, or set sandbox.kind to monty",
            )
        printed, finished, left = rest.partition(mark)
        stdout = cut(printed.decode("utf-8", "replace"), limits.output)
        if not finished:
            return CodeResult(stdout, None, ended.stopped or _status(ended.status))
        return _result(stdout, left, limits)


async def _communicate(
    process: asyncio.subprocess.Process, request: bytes, mark: bytes, limits: SandboxLimits
) -> _Ended:
    """Send the request to a process that waits for it. It is killed when it is over its time or output, and when the
    caller gives up. The time begins when the code does."""
    most = 3 * limits.output + limits.disk + 2**16
    assert process.stdin is not None
    assert process.stdout is not None
    ended = _Ended(bytearray())
    try:
        async with asyncio.timeout(_GRACE_S) as bound:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                process.stdin.write(request)
                await process.stdin.drain()
                process.stdin.close()
            begun = False
            while part := await process.stdout.read(_PIECE):
                ended.output += part
                if not begun and mark in ended.output:
                    begun = True
                    bound.reschedule(asyncio.get_running_loop().time() + limits.seconds)
                if len(ended.output) > most:
                    ended.stopped = f"MemoryError: the code printed more than {limits.output} bytes"
                    break
            else:
                ended.status = await process.wait()
    except TimeoutError:
        ended.stopped = f"TimeoutError: the code ran longer than {limits.seconds:g} s"
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(_gone(process))
    return ended


async def _gone(process: asyncio.subprocess.Process) -> None:
    """Wait for the end of a killed process. It counts as ended when its output is read, which is thrown away."""
    assert process.stdout is not None
    while await process.stdout.read(_PIECE):
        pass
    await process.wait()


def _request(
    mark: bytes, code: str, files: Mapping[str, bytes], limits: SandboxLimits, packages: Sequence[str]
) -> bytes:
    def put(data: bytes) -> bytes:
        return len(data).to_bytes(8, "big") + data

    numbers = (limits.memory, int(limits.seconds + 0.999), limits.processes, limits.disk, limits.files, limits.output)
    return b"".join(
        [
            put(mark),
            put(code.encode("utf-8", "replace")),
            *(each.to_bytes(8, "big") for each in numbers),
            put(FOLDER.encode()),
            len(files).to_bytes(8, "big"),
            *(put(name.encode()) + put(data) for name, data in files.items()),
            put("\n".join(packages).encode()),
        ]
    )


class _Reader:
    """Reads what a guest has written. Raises ``ValueError`` for what is none of our frames."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        return int.from_bytes(self._take(8), "big")

    def part(self) -> bytes:
        return self._take(self.number())

    def _take(self, count: int) -> bytes:
        if count < 0 or self._at + count > len(self._data):
            raise ValueError("too short")
        self._at += count
        return self._data[self._at - count : self._at]


def _result(stdout: str, left: bytes, limits: SandboxLimits) -> CodeResult:
    reader = _Reader(left)
    try:
        shown, error = reader.part().decode("utf-8", "replace"), reader.part().decode("utf-8", "replace")
        files: dict[str, bytes] = {}
        for _ in range(min(reader.number(), limits.files)):
            name, data = reader.part().decode("utf-8", "replace"), reader.part()
            if inside(name) and sum(map(len, files.values())) + len(data) <= limits.disk:
                files[name] = data
    except ValueError:
        return CodeResult(stdout, None, "the code left no readable result")
    return CodeResult(stdout, _value(shown, limits.output), cut(error, 4_000), files)


def _value(shown: str, most: int) -> object:
    if not shown:
        return None
    if len(shown) <= most:
        try:
            return plain(ast.literal_eval(shown), most)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            pass
    return plain(shown, most)


def _status(status: int) -> str:
    number = -status if status < 0 else status - 128
    if number > 0:
        with contextlib.suppress(ValueError):
            name = signal.Signals(number).name
            why = {"SIGXCPU": "it took too much time", "SIGXFSZ": "it wrote too much"}.get(name, "")
            return f"the code was ended by {name}{': ' + why if why else ''}"
    return f"the code ended its interpreter with status {status}"


@asynccontextmanager
async def descriptor(data: bytes) -> AsyncIterator[int]:
    """A file descriptor from which a child reads ``data``."""
    number = os.memfd_create("mainspring", os.MFD_CLOEXEC)
    try:
        os.write(number, data)
        os.lseek(number, 0, os.SEEK_SET)
        yield number
    finally:
        os.close(number)
