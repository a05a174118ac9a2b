"""Code in Monty, an interpreter for a part of Python that has no way out: in a fraction of a millisecond.

Monty has no file system, network, environment or processes; ours gives it files in memory. Its interpreters are child
processes without an environment of their own, which are used again: each run has a fresh session.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mainspring.agents.sandbox.base import FOLDER, CodeResult, SandboxLimits, checked, cut, inside, plain
from mainspring.core.errors import SettingsError

if TYPE_CHECKING:
    from pydantic_monty import Monty, OSAccess

_SUSPENSIONS = 10_000
_RECURSION = 500


class MontySandbox:
    """A pool of at most ``processes`` interpreters, started on first use; each is replaced after ``runs`` runs. A run
    that its caller gives up ends by itself, at the latest when its time is over."""

    name = "monty"

    def __init__(self, processes: int = 2, runs: int = 1_000) -> None:
        self._processes = processes
        self._runs = runs
        self._pool: Monty | None = None
        # Each thread waits for one interpreter. The library's own asynchronous pool now and then aborts the process
        # when that ends.
        self._threads = ThreadPoolExecutor(processes, "sandbox")
        self._opening = threading.Lock()

    async def run(
        self, code: str, files: Mapping[str, bytes] | None = None, limits: SandboxLimits | None = None
    ) -> CodeResult:
        limits, files = limits or SandboxLimits(), files or {}
        checked(files, limits)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, code, files, limits)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.__exit__(None, None, None)

    def _run(self, code: str, files: Mapping[str, bytes], limits: SandboxLimits) -> CodeResult:
        import pydantic_monty as monty

        pool = self._opened()
        printed = monty.CollectString(max_bytes=limits.output + 64)
        disk = _disk(files, limits)
        error, value = "", None
        bounds: Any = {
            "max_feed_duration_secs": limits.seconds,
            "max_memory": limits.memory,
            "max_total_sleep_secs": limits.seconds,
            "max_recursion_depth": _RECURSION,
            "max_suspensions": _SUSPENSIONS,
        }
        try:
            with pool.checkout(limits=bounds) as session:
                found = session.feed_run(code, print_callback=printed, os=disk, cwd=FOLDER)
                value = plain(found, limits.output)
        except monty.MontyError as failed:
            error = _told(failed, printed.output, limits)
        return CodeResult(cut(printed.output, limits.output), value, error, _written(disk, files, limits))

    def _opened(self) -> Monty:
        with self._opening:
            if self._pool is None:
                from pydantic_monty import Monty

                pool = Monty(min_processes=1, max_processes=self._processes, max_checkouts_per_worker=self._runs)
                try:
                    pool.__enter__()
                except Exception as failed:
                    raise SettingsError(
                        f"the interpreter of the sandbox does not start: {failed}",
                        remedy="Install pydantic-monty again",
                    ) from failed
                self._pool = pool
            return self._pool


def _told(failed: Any, printed: str, limits: SandboxLimits) -> str:
    if len(printed.encode()) > limits.output - 4096 and "memory limit exceeded" in str(failed):
        return f"MemoryError: the code printed more than {limits.output} bytes"
    try:
        text = str(failed.display("traceback"))
    except Exception:
        text = str(failed)
    return cut(text, 4_000)


def _disk(files: Mapping[str, bytes], limits: SandboxLimits) -> OSAccess:
    """Files in memory, within the limits. The class is made here: the library is loaded on first use."""
    from pydantic_monty import MemoryFile, OSAccess

    class Disk(OSAccess):
        left = limits.disk
        names = limits.files

        def _write_file(self, path: PurePosixPath, data: bytes | str) -> None:
            self._charge(data)
            if not self.path_exists(path):
                self._named(path)
            super()._write_file(path, data)

        def _append(self, path: PurePosixPath, data: bytes | str) -> None:
            # The whole content is copied.
            self._charge(data)
            super()._append(path, data)

        def path_mkdir(self, path: PurePosixPath, parents: bool, exist_ok: bool) -> None:
            self._named(path, len(path.parts))
            super().path_mkdir(path, parents, exist_ok)

        def path_rename(self, path: PurePosixPath, target: PurePosixPath) -> None:
            self._named(target)
            super().path_rename(path, target)

        def urandom(self, size: int) -> bytes:
            return super().urandom(min(size, 4096))

        def _charge(self, data: bytes | str) -> None:
            self.left -= len(data.encode() if isinstance(data, str) else data)
            if self.left < 0:
                raise OSError(28, "No space left on device")

        def _named(self, path: PurePosixPath, number: int = 1) -> None:
            if not PurePosixPath(path).is_relative_to(FOLDER):
                raise PermissionError(13, f"Permission denied: {path}")
            self.names -= number
            if self.names < 0:
                raise OSError(28, "No space left on device")

    made = [MemoryFile(f"{FOLDER}/{name}", data) for name, data in files.items()]
    disk = Disk(made, {}, root_dir=FOLDER, max_sleep=limits.seconds)
    OSAccess.path_mkdir(disk, PurePosixPath(FOLDER), parents=True, exist_ok=True)
    return disk


def _written(disk: OSAccess, given: Mapping[str, bytes], limits: SandboxLimits) -> dict[str, bytes]:
    """The files that the run has left and that it was not given like this."""
    found: dict[str, bytes] = {}
    for path in _walk(disk, PurePosixPath(FOLDER), 0):
        name = str(path.relative_to(FOLDER))
        data = disk.path_read_bytes(path)
        if inside(name) and given.get(name) != data and len(found) < limits.files:
            found[name] = data
    return found


def _walk(disk: OSAccess, folder: PurePosixPath, depth: int) -> list[PurePosixPath]:
    found: list[PurePosixPath] = []
    for each in sorted(disk.path_iterdir(folder)):
        if disk.path_is_file(each):
            found.append(each)
        elif depth < 5:
            found += _walk(disk, each, depth + 1)
    return found
