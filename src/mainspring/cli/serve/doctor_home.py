"""The checks of ``mainspring doctor`` on the home: its files are complete, writable and of this version, and the clock
runs forwards. The checks change nothing, and servers may be running on the home."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.core.errors import MainspringError

if TYPE_CHECKING:
    from mainspring.core.settings import Settings

Check = tuple[str, str, str]
LOOK_S = 20.0
"""The maximum seconds for checking the pages of a database."""
_HELD_S = 2.0
_CLOCK_S = 60.0


def checks(settings: Settings) -> list[Check]:
    """The database, the clock and the vectors of the home; no checks if there is no home yet."""
    from mainspring.stores.sql import database

    path = settings.home / database.FILE_NAME
    found: list[Check] = []
    if not settings.stores.database and path.exists():
        found += _database(path)
    if settings.stores.vectors == "lance" and (settings.home / "vectors").is_dir():
        found.append(_vectors(settings.home / "vectors"))
    return found


def _database(path: Path) -> list[Check]:
    from mainspring.stores.sql import database

    began, partly = time.monotonic(), False

    def too_long() -> bool:
        nonlocal partly
        partly = time.monotonic() - began > LOOK_S
        return partly

    try:
        with closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=_HELD_S, isolation_level=None)) as base:
            base.set_progress_handler(too_long, 100_000)
            try:
                said = [row[0] for row in base.execute("PRAGMA quick_check(3)")]
            except sqlite3.OperationalError:
                if not partly:
                    raise
                said = ["ok"]
            base.set_progress_handler(None, 0)
            if said != ["ok"]:
                return [("database", "damaged", f"{'; '.join(said)}: restore a backup of {path}")]
            (revision,) = base.execute("SELECT version_num FROM alembic_version").fetchone() or ("",)
            if revision not in database.revisions():
                return [("database", "wrong", f"{path} is of another version of mainspring ({revision})")]
            newest = base.execute("SELECT max(settled) FROM events").fetchone()[0] if _current(revision) else None
            base.execute("BEGIN IMMEDIATE")
            base.execute("ROLLBACK")
    except sqlite3.Error as error:
        if "locked" in str(error) or "busy" in str(error):
            return [("database", "held", f"another process holds {path} for longer than {_HELD_S:g} s: end it")]
        return [("database", "damaged", f"{error}: restore a backup of {path}, or move it away to begin anew")]
    looked = f"the first {LOOK_S:g} s of it" if partly else "every page"
    return [("database", "ok", f"{path} is whole ({looked}) and can be written"), *_clock(newest)]


def _current(revision: str) -> bool:
    from mainspring.stores.schema import HEAD

    return revision == HEAD


def _clock(newest: int | None) -> list[Check]:
    ahead = (newest or 0) / 1e6 - time.time()
    if ahead <= _CLOCK_S:
        return []
    return [("clock", "wrong", f"it was set back: what was recorded last is {ahead:.0f} s in the future; set it right")]


def _vectors(directory: Path) -> Check:
    from mainspring.stores.vectors.lance import LanceVectors

    names = sorted(path.stem for path in directory.glob("*.lance"))

    async def look() -> list[str]:
        store = LanceVectors(directory)
        broken: list[str] = []
        for name in names:
            try:
                await store.look(name)
            except MainspringError as error:
                broken.append(error.told)
        await store.close()
        return broken

    broken = asyncio.run(look())
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        return "vectors", "damaged", f"{broken[0]}{more}: ingest its documents again, or restore a backup"
    return "vectors", "ok", f"{len(names)} collections can be read"
