"""The lock of a run's folder: one process works in it at a time, and it ends with the process."""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

# A process that looks for the holder has the lock shared for a moment.
_LOOKED_AT_S = 0.25


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that has a lock. ``here``: its id is one of this machine and of this process's space of ids, and
    names it; in another container the same number is somebody else's. ``pid`` 0: it has not said its id yet."""

    pid: int
    here: bool


class RunLock:
    """A lock in the folder of a run, of which it holds the file ``lock`` with the holder's process id
    and where that counts."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._held: int | None = None

    def take(self) -> bool:
        """Take it for the life of this process; False: another process has it."""
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        until = time.monotonic() + _LOOKED_AT_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    os.close(handle)
                    return False
                time.sleep(0.01)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()} {_space()}".encode(), 0)
        self._held = handle
        return True

    def release(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def holder(self) -> Holder | None:
        """The process that has it; None: nobody."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, space = os.pread(handle, 200, 0).decode(errors="replace").partition(" ")
            return Holder(int(pid) if pid.isdecimal() else 0, here=bool(space) and space == _space())
        else:
            return None
        finally:
            os.close(handle)


def _space() -> str:
    """Where ids of processes count: the machine since it started, and the space of ids (a container has its own)."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        # Not on Linux: there are no containers that share ids' numbers.
        return os.uname().nodename
