"""Locks a home for one server: limits, cached answers and engines in memory must not exist twice."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mainspring.core.errors import Conflict, StoreError
from mainspring.core.settings import Settings

NAME = "server.lock"


@contextmanager
def sole_server(settings: Settings) -> Iterator[None]:
    """Hold the home while the block runs; the lock of a process that dies is released. Servers that share a database
    may also share the home. Raises ``Conflict`` if another server holds it."""
    if settings.stores.database:
        yield
        return
    # Not by the stores, which take long to import: an engine is to be started first.
    try:
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(settings.home / NAME, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(
            f"the directory {settings.home} cannot be made or written to: {error.strerror}",
            remedy="Choose another `home` in the settings",
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(settings.home, os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(home: Path, holder: str) -> Conflict:
    process = f" (process {holder})" if holder else ""
    return Conflict(
        f"a server{process} serves the home {home} already",
        remedy="Stop it, or give this one another `home`; servers on one Postgres (stores.database) may share it",
    )
