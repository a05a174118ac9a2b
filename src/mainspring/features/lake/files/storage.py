"""Where the lake's files lie: a folder of this machine, or object storage through fsspec.

A file is there as a whole under its name, or not at all. On a disk it is written beside its place, synced and renamed;
object stores show an object when it is complete.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

import mainspring.stores.sql.ids as ids
from mainspring.core import private_files
from mainspring.core.errors import MissingExtra, SettingsError, StoreError

UNFINISHED = ".unfinished"
_GROUP_ROWS = 16_384


SYNCED, MADE = "sync-", "part-"
"""How the names of files begin: those of the stream, which one process writes at a time, and all others."""
_ABANDONED_S = 6 * 3600.0


def left_over(path: str) -> bool:
    """Whether a file that no row names was left by a process that died, for the one that holds the stream's lease: one
    of the stream's, or one so old that nobody is about to name it."""
    name = path.rpartition("/")[2].removesuffix(".parquet")
    return name.startswith(SYNCED) or name < ids.at(MADE, time.time() - _ABANDONED_S)


class Storage(Protocol):
    """Parquet files by their paths below a root. ``root`` is empty for the home's own folder."""

    root: str

    def writing(self, path: str, schema: pa.Schema) -> Any:
        """A context with a ``pq.ParquetWriter``; the file is there when it ends well."""
        ...

    def size(self, path: str) -> int: ...

    def exists(self, path: str) -> bool: ...

    def open(self, path: str) -> pq.ParquetFile:
        """Raises ``FileNotFoundError``."""
        ...

    def remove(self, path: str) -> None:
        """An absent file is no error."""
        ...

    def paths(self, under: str) -> Sequence[str]:
        """All files below ``under``."""
        ...

    def clear_unfinished(self) -> None:
        """Remove what processes that died have left; for the holder of the stream's lease."""
        ...

    def filesystem(self) -> tuple[Any, str]:
        """The file system for pyarrow, and what goes before a path."""
        ...


def place(tenant: str, zone: str, kind: str, date: str, access: str, name: str) -> str:
    """The path of a file, with its columns of partition: those of a tenant are below one folder."""
    parts = [zone, f"tenant={quote(tenant, safe='')}"]
    if kind:
        parts.append(f"{'build' if zone in ('ready', 'dropped') else 'kind'}={quote(kind, safe='')}")
    return "/".join((*parts, f"date={date}", f"access={access}", f"{name}.parquet"))


def opened(url: str, home: Path) -> Storage:
    """The storage at ``url``; empty: the folder ``lake`` of the home. Raises ``SettingsError``, ``MissingExtra``."""
    if not url:
        return Folder(home / "lake", "")
    if url.startswith("file://") or "://" not in url:
        return Folder(Path(url.removeprefix("file://")), url)
    return Objects(url)


class Folder:
    """A folder of this machine."""

    def __init__(self, folder: Path, root: str) -> None:
        self.folder = folder
        self.root = root

    @contextmanager
    def writing(self, path: str, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
        final = self.folder / path
        unfinished = self.folder / UNFINISHED / final.name
        try:
            private_files.folder(unfinished.parent)
            private_files.folder(final.parent)
            private_files.file(unfinished)
            with pq.ParquetWriter(unfinished, schema, compression="zstd") as writer:
                yield writer
            _sync(unfinished)
            os.replace(unfinished, final)
            _sync(final.parent)
        except OSError as error:
            raise StoreError(f"the lake cannot be written: {error.strerror}", remedy=f"See {self.folder}") from error
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)

    def size(self, path: str) -> int:
        return (self.folder / path).stat().st_size

    def exists(self, path: str) -> bool:
        return (self.folder / path).exists()

    def open(self, path: str) -> pq.ParquetFile:
        return pq.ParquetFile(self.folder / path)

    def remove(self, path: str) -> None:
        final = self.folder / path
        final.unlink(missing_ok=True)
        for above in final.relative_to(self.folder).parents:
            # Empty folders would say the names of tenants that are gone.
            try:
                if above != Path("."):
                    (self.folder / above).rmdir()
            except OSError:
                return

    def paths(self, under: str) -> Sequence[str]:
        found = (self.folder / under).rglob("*.parquet") if (self.folder / under).is_dir() else ()
        return [str(each.relative_to(self.folder)) for each in found]

    def clear_unfinished(self) -> None:
        """Remove what processes that died have left; for the holder of the stream's lease."""
        for each in (self.folder / UNFINISHED).glob("*.parquet"):
            if left_over(each.name):
                each.unlink(missing_ok=True)

    def filesystem(self) -> tuple[Any, str]:
        from pyarrow import fs

        return fs.LocalFileSystem(), f"{self.folder}/"


class Objects:
    """An object store, by a URL that fsspec knows."""

    def __init__(self, url: str) -> None:
        try:
            import fsspec
        except ImportError:
            raise MissingExtra(
                "object storage needs the package fsspec", remedy="Install mainspring[connectors]"
            ) from None
        self.root = url.rstrip("/")
        try:
            self._files, base = fsspec.url_to_fs(self.root, use_listings_cache=False)
        except ImportError as error:
            raise MissingExtra(f"{url} needs a package: {error}", remedy="Install it") from None
        except ValueError as error:
            raise SettingsError(
                f"lake.url is not a URL of storage: {error}", remedy="Write s3://bucket/prefix"
            ) from None
        self._base = base.rstrip("/")

    @contextmanager
    def writing(self, path: str, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
        name = f"{self._base}/{path}"
        try:
            self._files.makedirs(name.rpartition("/")[0], exist_ok=True)
            file = self._files.open(name, "wb")
            try:
                with pq.ParquetWriter(file, schema, compression="zstd") as writer:
                    yield writer
            except BaseException:
                with suppress(Exception):
                    file.discard()
                raise
            file.close()
        except OSError as error:
            raise StoreError(f"the lake cannot be written: {error}", remedy=f"Check {self.root}") from error

    def size(self, path: str) -> int:
        return int(self._files.size(f"{self._base}/{path}"))

    def exists(self, path: str) -> bool:
        return bool(self._files.exists(f"{self._base}/{path}"))

    def open(self, path: str) -> pq.ParquetFile:
        return pq.ParquetFile(self._files.open(f"{self._base}/{path}", "rb"))

    def remove(self, path: str) -> None:
        with suppress(FileNotFoundError):
            self._files.rm_file(f"{self._base}/{path}")

    def paths(self, under: str) -> Sequence[str]:
        try:
            found = self._files.find(f"{self._base}/{under}")
        except FileNotFoundError:
            return []
        return [each.removeprefix(self._base).lstrip("/") for each in found if each.endswith(".parquet")]

    def clear_unfinished(self) -> None:
        """There is nothing: objects appear as a whole."""

    def filesystem(self) -> tuple[Any, str]:
        from pyarrow.fs import FSSpecHandler, PyFileSystem

        return PyFileSystem(FSSpecHandler(self._files)), f"{self._base}/"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
