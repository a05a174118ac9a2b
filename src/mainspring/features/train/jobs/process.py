"""The process of a run, as the server that started it sees it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from mainspring.core.errors import Conflict, MissingExtra, SettingsError
from mainspring.features.train.jobs import tree
from mainspring.features.train.jobs.surroundings import environment
from mainspring.training.asking import DESCRIPTOR
from mainspring.training.child import TAKEN
from mainspring.training.folder import Folder, cut
from mainspring.training.lock import RunLock
from mainspring.training.recipe import Recipe

_LOOK_S, _KILLED_S, _MOST_LOG = 0.1, 10.0, 32 * 2**20
_FIND = (
    "import sys, importlib.util as u\n"
    "print(*[n for n in sys.argv[1:] if u.find_spec(n.partition('.')[0]) is None], sep=',')"
)


class ForeignProcess(Exception):
    """A process that cannot be ended from here works in a folder. The job has no fault: it is tried again."""


class Process:
    """One process that works in a folder, with the settings that are ``handed`` to it. ``start`` it, ``wait`` for its
    status; it is in a group of its own."""

    def __init__(self, folder: Folder, python: str = "", handed: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._handed = handed
        self._python = python or sys.executable
        self._child: asyncio.subprocess.Process | None = None

    @property
    def status(self) -> int | None:
        """None: it runs."""
        return None if self._child is None else self._child.returncode

    async def start(self, asks: socket.socket | None = None) -> None:
        """``asks`` is the socket over which it may ask what is served. Raises ``SettingsError`` if there is no such
        interpreter."""
        own = environment(self._handed, whole=self.folder.asked.outside)
        if asks is not None:
            own[DESCRIPTOR] = str(asks.fileno())
        with (self.folder.path / "log.txt").open("ab") as written:
            try:
                self._child = await asyncio.create_subprocess_exec(
                    *(self._python, "-m", "mainspring.training.child", str(self.folder.path), str(os.getpid())),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=written,
                    stderr=written,
                    env=own,
                    start_new_session=True,
                    pass_fds=() if asks is None else (asks.fileno(),),
                )
            except OSError as error:
                raise _no_interpreter(self._python, error) from None

    async def wait(self, seconds: float) -> int | None:
        """Its status; None if it still runs after so many seconds."""
        assert self._child is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._child.wait()
        return self._child.returncode

    async def end(self, patience_s: float) -> int:
        """Ask it to stop after a checkpoint, and kill it with its group if it takes longer."""
        assert self._child is not None
        if self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.terminate()
            if await self.wait(patience_s) is None:
                self.kill()
        return await self._child.wait()

    def kill(self) -> None:
        """At once, with all that it started."""
        if self._child is not None and self._child.returncode is None:
            # What it started may have groups of its own.
            started = tree.below(self._child.pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            for each in started[1:]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)

    def cut_log(self) -> None:
        """Keep the newer half of what it wrote, if that is more than a log may have."""
        cut(self.folder.path / "log.txt", _MOST_LOG)

    def memory_mb(self) -> float:
        """Memory of the process and of all that it started; 0 where it is not known."""
        return tree.memory_mb(tree.below(self._child.pid)) if self._child else 0.0


async def vacate(folder: Path, patience_s: float) -> None:
    """End a process that works in the folder and whose server is gone: it was told so, and stops by itself within
    ``patience_s`` seconds or is killed. One of another machine or container is waited for alone: its number is somebody
    else's here. Raises ``Conflict`` if it does not end, and ``ForeignProcess`` if another one does not."""
    lock = RunLock(folder)
    end = time.monotonic() + patience_s
    while (holder := lock.holder()) is not None:
        if time.monotonic() >= end + _KILLED_S:
            if not holder.here:
                raise ForeignProcess(f"a process of another machine or container works in {folder.name}")
            raise Conflict(f"another process ({holder.pid}) works in {folder.name}", remedy="End it")
        if time.monotonic() >= end and holder.here and holder.pid > 1:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(holder.pid, signal.SIGKILL)
        await asyncio.sleep(_LOOK_S)


async def check_needs(recipe: Recipe, python: str) -> None:
    """Raises ``MissingExtra`` naming the modules that the interpreter lacks, ``SettingsError`` if there is none."""
    if not recipe.needs:
        return
    interpreter = python or sys.executable
    try:
        process = await asyncio.create_subprocess_exec(
            *(interpreter, "-c", _FIND, *recipe.needs),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
        )
    except OSError as error:
        raise _no_interpreter(interpreter, error) from None
    out, _ = await process.communicate()
    missing = out.decode(errors="replace").strip()
    if process.returncode:
        raise SettingsError(f"{interpreter} does not run", remedy="Point train.python to a Python interpreter")
    if missing:
        raise MissingExtra(
            f"the recipe {recipe.name} needs {missing.replace(',', ', ')}, which {interpreter} does not have",
            remedy="pip install 'mainspring[train]', or point train.python to an interpreter that has it",
            param="recipe",
        )


def taken(status: int) -> bool:
    """Whether another process worked in the folder."""
    return status == TAKEN


def _no_interpreter(python: str, error: OSError) -> SettingsError:
    return SettingsError(f"the interpreter {python} cannot be started: {error.strerror}", remedy="Correct train.python")
