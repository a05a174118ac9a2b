"""The lock of a run's folder: one process works in it at a time, and it ends with the process."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path


class RunLock:
    """A lock in the folder of a run, of which it holds the file ``lock`` with the holder's process id."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._held: int | None = None

    def take(self) -> bool:
        """Take it for the life of this process; False: another process has it."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        self._held = handle
        return True

    def release(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def holder(self) -> int | None:
        """The process that has it; None: nobody."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            with contextlib.suppress(ValueError):
                return int(os.pread(handle, 32, 0))
            return 0
        else:
            return None
        finally:
            os.close(handle)
