"""Syncing a Lance table to disk: Lance writes its files without it, so that the loss of power could take rows along
whose document the database already calls current.
"""

from __future__ import annotations

import os
from pathlib import Path


def sync_since(table: Path, since_ns: int) -> int:
    """Sync the files of ``table`` that changed since ``since_ns`` (nanoseconds of the file system's clock) and the
    folders that hold them; how many were synced. Files that a rewrite removes in the meantime are skipped.

    Raises ``OSError`` when the disk refuses.
    """
    count = 0
    for folder, _, names in os.walk(table):
        changed = [path for name in names if _changed(path := Path(folder, name), since_ns)]
        for path in changed:
            count += _sync(path)
        if changed:
            count += _sync(Path(folder))
    return count + _sync(table) + _sync(table.parent)


def _changed(path: Path, since_ns: int) -> bool:
    try:
        return path.stat().st_mtime_ns >= since_ns
    except FileNotFoundError:
        return False


def _sync(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return 1
