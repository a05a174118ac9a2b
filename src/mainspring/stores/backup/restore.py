"""A home made from a backup: every file is checked against its digest before any of it is used.

A Postgres dump in the backup fills an empty database, in one transaction, before the home appears.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import sqlalchemy as sa

import mainspring.stores.backup.postgres as backup_postgres
import mainspring.stores.backup.postgres_tools as postgres_tools
import mainspring.stores.sql.database as sql
from mainspring.core import private_files
from mainspring.core.errors import Conflict, SettingsError, StoreError
from mainspring.stores.backup.files import DUMP_NAME
from mainspring.stores.backup.home import FORMAT, HEAD_NAME, MANIFEST_NAME, Tell

_BLOCK = 1 << 20
_LARGEST_JSON = 1 << 30
_FILES = "home"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored. ``missing`` was missing when the backup was made; ``database`` is that which was filled,
    without its password (empty: it is a file of the home)."""

    files: int
    bytes: int
    documents: int
    schema: str
    made_by: str
    created_at: float
    missing: tuple[str, ...]
    database: str = ""


def read(
    source: IO[bytes], home: Path, *, tell: Tell, database: Callable[[], sa.URL | None] = lambda: None
) -> Restored:
    """Unpack a backup to ``home``, which must be absent or empty. ``database`` is asked for the address of an empty
    Postgres if the backup has the dump of one.

    Raises ``Conflict`` for a home or a database that is not empty, ``StoreError`` for a file that is no backup, is
    truncated or damaged, or has a schema newer than this version knows, and ``SettingsError`` if a Postgres is needed
    and none is configured. In that case, ``home`` does not exist afterwards.
    """
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise Conflict(f"{home} is not empty", remedy="Name a folder that is not there yet")
    home.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=".restore-", dir=home.parent))
    try:
        restored = _unpack(source, staged, tell)
        if restored.database:
            tell("Database", 0, 0)
            restored = dataclasses.replace(restored, database=_fill(database(), staged / DUMP_NAME))
        if home.exists():
            home.rmdir()
        # One rename: there is no home that is half there.
        os.replace(staged, home)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    return restored


def _fill(url: sa.URL | None, dump: Path) -> str:
    if url is None or url.get_backend_name() != "postgresql":
        raise SettingsError(
            "the backup has the dump of a Postgres, and stores.database names none to fill",
            remedy="Make an empty database with createdb and set stores.database to postgresql://user:password@host/name",
        )
    backup_postgres.restore(url, dump)
    # It would keep data that is erased later.
    dump.unlink()
    return postgres_tools.address(url)


def _unpack(source: IO[bytes], staged: Path, tell: Tell) -> Restored:
    head: Mapping[str, Any] | None = None
    manifest: Mapping[str, Any] | None = None
    found: dict[str, tuple[int, str]] = {}
    try:
        with tarfile.open(fileobj=source, mode="r|*") as pack:
            for member in pack:
                if head is None and member.name != HEAD_NAME:
                    raise _damaged("it does not begin as one")
                if not member.isreg():
                    raise _damaged(f"{member.name!r} is not a plain file")
                file = pack.extractfile(member)
                assert file is not None
                if member.name == HEAD_NAME:
                    head = _json(file, member.size)
                    _check_head(head)
                elif member.name == MANIFEST_NAME:
                    manifest = _json(file, member.size)
                else:
                    name = _name(member.name)
                    found[name] = _write(file, staged / name)
                    tell("Unpack", len(found), 0)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise _damaged(str(error)) from error
    if head is None or manifest is None:
        raise _damaged("it is cut short")
    postgres = head.get("database") == "postgres"
    _check(found, manifest, DUMP_NAME if postgres else sql.FILE_NAME)
    return Restored(
        len(found),
        sum(size for size, _ in found.values()),
        int(manifest.get("documents", 0)),
        str(head["schema"]),
        str(head.get("mainspring", "")),
        float(head.get("created_at", 0.0)),
        tuple(manifest.get("missing", ())),
        "postgres" if postgres else "",
    )


def _check_head(head: Mapping[str, Any]) -> None:
    if head.get("format") != FORMAT:
        raise StoreError(
            f"the backup has format {head.get('format')!r}, this version of mainspring reads {FORMAT}",
            remedy="Restore it with the version that made it, or a newer one",
        )
    if head.get("schema") not in sql.revisions():
        raise StoreError(
            f"the backup has schema {head.get('schema')!r}, made by mainspring {head.get('mainspring')}, which this "
            "version does not know",
            remedy="Restore it with that version of mainspring, or a newer one",
        )


def _check(found: Mapping[str, tuple[int, str]], manifest: Mapping[str, Any], database: str) -> None:
    listed = manifest.get("files", {})
    for name in sorted({*found, *listed}):
        told = listed.get(name)
        if told is None or name not in found:
            raise _damaged(f"{name} is {'not listed' if told is None else 'missing'}")
        if found[name] != (told.get("bytes"), told.get("sha256")):
            raise _damaged(f"{name} is not what was packed")
    if database not in found:
        raise _damaged("it has no database")


def _name(member: str) -> str:
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or path.parts[0] != _FILES:
        raise _damaged(f"{member!r} lies outside of it")
    return str(PurePosixPath(*path.parts[1:]))


def _write(file: IO[bytes], path: Path) -> tuple[int, str]:
    private_files.folder(path.parent)
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as copy:
        os.chmod(path, 0o600)
        while block := file.read(_BLOCK):
            digest.update(block)
            copy.write(block)
            size += len(block)
        copy.flush()
        os.fsync(copy.fileno())
    return size, digest.hexdigest()


def _json(file: IO[bytes], size: int) -> Mapping[str, Any]:
    if size > _LARGEST_JSON:
        raise _damaged("its manifest is too large")
    value: Mapping[str, Any] = json.loads(file.read())
    return value


def _damaged(what: str) -> StoreError:
    return StoreError(f"this is not a whole backup: {what}", remedy="Take another copy of it")
