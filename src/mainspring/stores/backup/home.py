"""A home copied while it is used: the database, and the chunks and blobs that it names, of one moment.

All its files get a second name at one moment, in some hundredths of a second during which writers of the database wait.
The database is copied (SQLite) or dumped (Postgres) from the snapshot of that moment. Then everything is packed at
leisure, with the digest of each file in a manifest at the end.

Not kept: cached answers (they would be found again beside documents that changed after the backup), clones of sources.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import sqlalchemy as sa

import mainspring.stores.backup.check as check
import mainspring.stores.backup.files as files
import mainspring.stores.backup.postgres as backup_postgres
import mainspring.stores.backup.sqlite as backup_sqlite
import mainspring.stores.sql.database as sql
from mainspring.core.errors import Conflict, StoreError
from mainspring.core.settings import Settings
from mainspring.core.version import __version__
from mainspring.stores.backup.files import STAGING

FORMAT = 1
HEAD_NAME, MANIFEST_NAME = "head.json", "manifest.json"
ATTEMPTS = 5
Tell = Callable[[str, int, int], None]
"""Takes (stage, done, total)."""
_BLOCK = 1 << 20


@dataclass(slots=True)
class BackupReport:
    """The contents of a backup. ``held_s`` is the time for which writers of the database waited; ``missing`` names
    documents without chunks or text: only if the caller keeps going."""

    files: int = 0
    bytes: int = 0
    documents: int = 0
    schema: str = ""
    held_s: float = 0.0
    missing: list[str] = field(default_factory=list)


def write(
    settings: Settings, out: IO[bytes], *, compress: bool = False, keep_going: bool = False, tell: Tell
) -> BackupReport:
    """Pack the home into ``out`` as a tar file.

    Raises ``Conflict`` while another backup is made, and ``StoreError`` for a home that is not there, a Postgres
    without its programs on this machine, and if chunks or texts are missing (with ``keep_going`` they are reported).
    """
    place, url = _place_of(settings)
    if not (place.database or place.home).exists():
        raise StoreError(
            f"there is no database {place.database}" if place.database else f"there is no home {place.home}",
            remedy="Name the home with MAINSPRING_HOME",
        )
    with _alone(place.home), tempfile.TemporaryDirectory(prefix=STAGING, dir=place.home) as folder:
        staged = Path(folder)
        freeze = functools.partial(_freeze, place, url, staged, vectors=settings.stores.vectors == "postgres")
        report = _stage(freeze, staged, keep_going=keep_going, tell=tell)
        with tarfile.open(fileobj=out, mode="w|gz" if compress else "w|") as pack:
            _pack(pack, staged, report, tell, database="sqlite" if url is None else "postgres")
    return report


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """One backup of a home at a time. Leftovers of a killed one are deleted: its second names would keep deleted
    files."""
    descriptor = os.open(home, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"another backup of {home} is being made", remedy="Wait for it") from None
        for left in home.glob(f"{STAGING}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        os.close(descriptor)


def _place_of(settings: Settings) -> tuple[files.BackupScope, sa.URL | None]:
    """The files to copy, and the address of the database if it is a Postgres."""
    home, models, url = settings.home, settings.models.directory, sql.url_of(settings)
    if url is None:
        return files.BackupScope(home, home / sql.FILE_NAME, models), None
    if url.get_backend_name() == "sqlite" and url.database:
        return files.BackupScope(home, Path(url.database), models), None
    return files.BackupScope(home, None, models), url


def _freeze(place: files.BackupScope, url: sa.URL | None, staged: Path, *, vectors: bool) -> check.FrozenState | None:
    if url is not None:
        return backup_postgres.freeze(place, url, staged, vectors=vectors)
    assert place.database is not None
    return backup_sqlite.freeze(place, place.database, staged)


def _stage(
    freeze: Callable[[], check.FrozenState | None], staged: Path, *, keep_going: bool, tell: Tell
) -> BackupReport:
    moment, missing = None, list[str]()
    for attempt in range(1, ATTEMPTS + 1):
        tell("Freeze", attempt, ATTEMPTS)
        for left in staged.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        moment = freeze()
        if moment is None:
            continue
        tell("Check", 0, 0)
        missing = check.missing(staged, moment)
        if not missing:
            break
    if moment is None:
        raise StoreError("collections were dropped while they were copied", remedy="Try again when that is done")
    if missing and not keep_going:
        raise StoreError(
            f"{len(missing)} documents are not whole: {'; '.join(missing[:3])}",
            remedy="Ingest them again, or continue without them with --keep-going",
        )
    return BackupReport(documents=len(moment.read), schema=moment.schema, held_s=moment.held_s, missing=missing)


def _pack(pack: tarfile.TarFile, staged: Path, report: BackupReport, tell: Tell, *, database: str) -> None:
    head = {"format": FORMAT, "mainspring": __version__, "schema": report.schema, "created_at": time.time()}
    head["database"] = database
    _add_json(pack, HEAD_NAME, head)
    names = sorted(path.relative_to(staged) for path in staged.rglob("*") if path.is_file())
    digests: dict[str, Any] = {}
    for number, name in enumerate(names):
        path = staged / name
        info = tarfile.TarInfo(f"home/{name.as_posix()}")
        info.size, info.mtime, info.mode = path.stat().st_size, int(path.stat().st_mtime), 0o600
        with path.open("rb") as file:
            reading = _Digesting(file)
            pack.addfile(info, reading)
        digests[name.as_posix()] = {"bytes": info.size, "sha256": reading.digest.hexdigest()}
        report.files += 1
        report.bytes += info.size
        tell("Pack", number + 1, len(names))
    _add_json(pack, MANIFEST_NAME, {"files": digests, "documents": report.documents, "missing": report.missing})


def _add_json(pack: tarfile.TarFile, name: str, value: Any) -> None:
    data = json.dumps(value, sort_keys=True).encode()
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = len(data), int(time.time()), 0o600
    pack.addfile(info, io.BytesIO(data))


class _Digesting:
    """Reads a file and computes the digest of the data."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, _BLOCK) if size > 0 else size)
        self.digest.update(data)
        return data
