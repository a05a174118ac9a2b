"""Files of a home for a backup: each under a second name (a hard link), which no later deletion takes away.

Files of chunks and blobs are never written again once they are there, so the second names are the copy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mainspring.stores.cache.answers as cache
import mainspring.stores.cache.similar_questions as similar
from mainspring.stores.sql.disk_space import BALLAST

STAGING = ".backup-"
DUMP_NAME = "postgres.dump"
# Derived from the rest, or of other places; and the name that a dump takes in the copy.
LEFT_OUT = (cache.FILE_NAME, similar.FILE_NAME, "sources", DUMP_NAME, BALLAST)
_SQLITE = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class BackupScope:
    """The parts of a home to copy, without models, which may live under the home. ``database``: its file; None for
    Postgres."""

    home: Path
    database: Path | None
    models: Path


def blob(sha256: str) -> Path:
    """The place of a blob in a home."""
    return Path("blobs") / sha256[:2] / sha256


def link_files(place: BackupScope, staged: Path, blobs: set[str]) -> None:
    """Second names under ``staged`` for the files of the home, of its blobs those that are named."""
    for path in _files(place):
        relative = path.relative_to(place.home)
        top = relative.parts[0]
        if top == "blobs":
            if relative.name in blobs:
                _link(path, staged / relative)
        elif path != place.database and not _is_sqlite(path):
            _link(path, staged / relative)


def _files(place: BackupScope) -> Iterator[Path]:
    for folder, names, files in os.walk(place.home):
        here = Path(folder)
        names[:] = [name for name in names if here / name != place.models]
        if here == place.home:
            names[:] = [name for name in names if name not in LEFT_OUT and not name.startswith(STAGING)]
            files = [name for name in files if name not in LEFT_OUT]
        for name in files:
            if not name.endswith(("-wal", "-shm", "-journal")):
                yield here / name


def databases(home: Path, database: Path | None) -> list[str]:
    """Further SQLite files directly under the home."""
    return [
        path.name
        for path in sorted(home.iterdir())
        if path.is_file() and path != database and path.name not in LEFT_OUT and _is_sqlite(path)
    ]


def _is_sqlite(path: Path) -> bool:
    if path.suffix != ".db":
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except FileNotFoundError:
        return False


def _link(path: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, copy)
    except FileNotFoundError:
        # The file was compacted away after the folder was read; the check shows whether that matters.
        return
    except OSError:
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(path, copy)
