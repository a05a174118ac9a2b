"""The space on the disk that holds the home: a reserve is kept free so that a full disk can still be emptied.

Documents and files are refused when less than ``stores.disk_reserve_mb`` is free. Answers, whose facts could not be
written, are refused below a quarter of that. Deletion still works. If others have filled the disk completely, a
deletion first removes a file that was reserved for this case.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from mainspring.core import private_files
from mainspring.core.errors import StorageFull

BALLAST = "ballast"
BALLAST_BYTES = 8 * 2**20
_FRESH_S = 1.0


class DiskRoom:
    """The free bytes of the disk under ``home``; ``reserve`` bytes are kept free (0: no check)."""

    def __init__(self, home: Path, reserve: int, free: Callable[[Path], int] | None = None) -> None:
        self._home = home
        self._reserve = reserve
        self._look = free or (lambda path: shutil.disk_usage(path).free)
        self._looked = -_FRESH_S
        self._free = 0

    def free(self) -> int:
        """Free bytes, looked up once a second at most."""
        now = time.monotonic()
        if now - self._looked >= _FRESH_S:
            self._free, self._looked = self._look(self._home), now
        return self._free

    def admit(self, size: int = 0) -> None:
        """Raises ``StorageFull`` if ``size`` more bytes of documents would leave less than the reserve."""
        if self._reserve and self.free() - size < self._reserve:
            raise StorageFull(
                "the disk of this server is nearly full, so nothing can be added",
                remedy="Delete documents, files or sessions, or ask the operator of the server for space",
            )

    def admit_answer(self) -> None:
        """Raises ``StorageFull`` if there may be no space for the facts of an answer."""
        if self._reserve and self.free() < self._reserve // 4:
            raise StorageFull(
                "the disk of this server is full, so answers could not be recorded",
                remedy="Delete documents, files or sessions, or ask the operator of the server for space",
                retry_after=30.0,
            )

    def problem(self) -> str:
        """A warning about the disk space; empty if there is enough."""
        if not self._reserve or self.free() >= self._reserve:
            return ""
        left = f"{self.free() / 2**20:.0f} MiB are free"
        if self.free() < self._reserve // 4:
            return f"the disk is full, nothing is answered or added: {left}"
        return f"the disk is nearly full, nothing is added: {left}"

    @property
    def full(self) -> bool:
        """Whether there is too little space even for answers."""
        return bool(self._reserve) and self.free() < self._reserve // 4


class Ballast:
    """A file of ``BALLAST_BYTES`` that is deleted when the disk is full, so that deletions can write what they need."""

    def __init__(self, home: Path) -> None:
        self._path = home / BALLAST

    def load(self) -> None:
        """Create the file if it is missing and the disk has ten times as much space."""
        with contextlib.suppress(OSError):
            if self._path.exists() or shutil.disk_usage(self._path.parent).free < 10 * BALLAST_BYTES:
                return
            private_files.file(self._path)
            with self._path.open("r+b") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
                else:
                    file.write(bytes(BALLAST_BYTES))

    def drop(self) -> bool:
        """Give it back; whether there was any."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
