"""Folders in which exports are made: for their owner alone, deleted at the end, and swept when their process died."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import mainspring.stores.sql.ids as ids
from mainspring.core import private_files
from mainspring.features.lake.files.storage import UNFINISHED

_BEGINS, _LOCK = "export-", ".lock"
_ABANDONED_S = 3600.0


def works(home: Path) -> Path:
    """Where the folders lie."""
    return home / "lake" / UNFINISHED


@asynccontextmanager
async def workplace(home: Path) -> AsyncIterator[Path]:
    """An empty folder that lasts as long as the block. A lock beside it says that its process lives. Raises
    ``OSError``."""
    folder = works(home) / ids.new(_BEGINS)
    held = await asyncio.to_thread(_begin, folder)
    try:
        yield folder
    finally:
        await asyncio.to_thread(_end, folder, held)


def _begin(folder: Path) -> int:
    private_files.folder(folder.parent)
    held = os.open(_lock_of(folder), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    # The folder comes after the lock: without one that is held, it is a dead process's.
    fcntl.flock(held, fcntl.LOCK_EX)
    folder.mkdir(mode=0o700)
    return held


def _end(folder: Path, held: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _lock_of(folder).unlink(missing_ok=True)
    os.close(held)


def sweep_workplaces(home: Path) -> int:
    """Delete the folders of processes that died; returns their number. Another process that does it is no matter."""
    count = 0
    for folder in works(home).glob(f"{_BEGINS}*"):
        if folder.is_dir() and _dead(_lock_of(folder)):
            shutil.rmtree(folder, ignore_errors=True)
            _lock_of(folder).unlink(missing_ok=True)
            count += 1
    for lock in works(home).glob(f"{_BEGINS}*{_LOCK}"):
        # A process that has just begun makes its folder in a moment.
        with suppress(FileNotFoundError):
            if lock.stat().st_mtime < time.time() - _ABANDONED_S and _dead(lock):
                lock.unlink()
    return count


def _lock_of(folder: Path) -> Path:
    return folder.with_name(folder.name + _LOCK)


def _dead(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(handle)
