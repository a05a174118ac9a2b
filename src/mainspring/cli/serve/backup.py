"""``mainspring backup`` and ``mainspring restore``: a home as one file, made while it is used."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from mainspring.core.errors import Conflict, InvalidRequest, MissingExtra, NotFound, StoreError
from mainspring.terminal import show

_WARNING = "It holds everything: keep it as safe as the home itself."
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


def backup(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="A file (.tar, .tar.gz), or a URL that fsspec can write: s3://...")],
    keep_going: Annotated[bool, typer.Option(help="Back up even if documents are incomplete, and name them")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the home and the database, while servers run, into one file."""
    from mainspring.core.settings import load
    from mainspring.stores.backup import home as backups

    settings = load(context.obj).settings
    if "://" not in target and Path(target).resolve().is_relative_to(settings.home.resolve()):
        raise InvalidRequest(f"{target} lies in the home that is copied", remedy="Name a file outside of it")
    with show.progress() as progress, _written(target) as out:
        report = backups.write(
            settings, out, compress=target.endswith((".gz", ".tgz")), keep_going=keep_going, tell=progress
        )
    if as_json:
        show.as_json(dataclasses.asdict(report))
        return
    print(
        f"{target}: {report.files} files, {report.bytes / 2**20:.1f} MB, {report.documents} documents, schema "
        f"{report.schema}; writers waited {report.held_s * 1e3:.0f} ms. {_WARNING}"
    )
    for each in report.missing:
        sys.stderr.write(f"  not whole: {each}\n")


def restore(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="A backup: a file, or a URL that fsspec can read")],
    home: Annotated[Path, typer.Option(help="The new home: a folder that does not exist or is empty")],
    as_json: AsJson = False,
) -> None:
    """Restore a home from a backup, checking every file.

    The home is migrated when it is first opened. A backup with a Postgres dump fills the database in stores.database,
    which must be empty.
    """
    from mainspring.core.settings import load
    from mainspring.stores.backup import restore as restoring
    from mainspring.stores.sql import database as sql

    with show.progress() as progress, _read(source) as file:
        found = restoring.read(file, home, tell=progress, database=lambda: sql.url_of(load(context.obj).settings))
    if as_json:
        show.as_json(dataclasses.asdict(found))
        return
    print(
        f"{home}: {found.files} files, {found.bytes / 2**20:.1f} MB, {found.documents} documents, schema "
        f"{found.schema}. Start with `MAINSPRING_HOME={home} mainspring up`."
    )
    if found.database:
        print(f"The database is {found.database}: stores.database has to name it.")
    for each in found.missing:
        sys.stderr.write(f"  was not whole: {each}\n")


@contextmanager
def _written(target: str) -> Iterator[IO[bytes]]:
    """A file that is there when it is whole, and not before."""
    if "://" in target:
        with _fsspec().open(target, "wb") as out:
            yield out
        return
    path = Path(target)
    if path.exists():
        raise Conflict(f"{path} is there already", remedy="Name another file")
    part = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.replace(part, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}", remedy="Check the disk") from error
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _read(source: str) -> Iterator[IO[bytes]]:
    if "://" in source:
        with _fsspec().open(source, "rb") as file:
            yield file
        return
    try:
        with Path(source).open("rb") as file:
            yield file
    except FileNotFoundError:
        raise NotFound(f"there is no {source}", remedy="Usage: mainspring restore FILE --home NEW") from None


def _fsspec() -> Any:
    try:
        import fsspec
    except ImportError:
        raise MissingExtra("URLs need the package fsspec", remedy="Install mainspring[connectors]") from None
    return fsspec
