"""Files and folders of this machine. A file's times, size and inode show changes; content shows renames."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from mainspring.core.errors import NotFound, UpstreamError
from mainspring.rag.connect.base import Batch, Source, SyncState, split
from mainspring.rag.parse.parser import load

_IGNORED_SUFFIXES = (".tmp", ".swp", ".lock", ".part", "~")
# A file may change again within one tick of the file system's clock: so young a mark would not show it.
_SETTLED_S = 2.0


class Folder:
    """A file, or all files below a folder, except hidden ones, editors' leftovers, and links out of the folder.

    Keys are absolute paths, names are relative to the folder.
    """

    kind = "folder"

    def __init__(self, path: Path) -> None:
        self._given = path
        self.path = path.expanduser().resolve()

    @property
    def location(self) -> str:
        return str(self.path)

    def owns(self, key: str) -> bool:
        return os.path.isabs(key) and Path(key).is_relative_to(self.path)

    async def changes(self, seen: SyncState) -> AsyncIterator[Batch]:
        """One batch with everything; files are read when it is their turn. Raises ``NotFound``."""
        sources = await asyncio.to_thread(self.sources)
        yield Batch(sources, gone=split(seen.marks, {source.key for source in sources}))

    def sources(self) -> list[Source]:
        """All files, in the order of their names. Raises ``NotFound``."""
        if not self.path.exists():
            raise NotFound(f"{self._given} does not exist", remedy="Give files or folders that exist", param="path")
        root = self.path if self.path.is_dir() else self.path.parent
        found: dict[str, Source] = {}
        for file in sorted(_files(self.path)):
            real = file.resolve()
            if not real.is_relative_to(self.path):
                # A link out of the folder: its target was not shared.
                continue
            key = str(real)
            try:
                found.setdefault(key, _source(key, file, root))
            except FileNotFoundError:
                # Deleted since it was listed.
                continue
        return list(found.values())


def _source(key: str, file: Path, root: Path) -> Source:
    status = file.stat()
    changed = max(status.st_mtime, status.st_ctime)
    mark = f"{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_size}:{status.st_ino}"
    return Source(
        key,
        file.relative_to(root).as_posix(),
        partial(load, file),
        modified_at=status.st_mtime,
        mark=mark if time.time() - changed > _SETTLED_S else "",
    )


def _unreadable(error: OSError) -> None:
    raise UpstreamError(
        f"{error.filename} cannot be listed: {error.strerror}", remedy="Make it readable, or leave it out of the source"
    ) from error


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found: list[Path] = []
    # A folder that cannot be listed is not gone: its documents must not be removed.
    for folder, folders, names in os.walk(path, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found.extend(
            Path(folder) / name
            for name in names
            if not name.startswith(".") and not name.endswith(_IGNORED_SUFFIXES) and Path(folder, name).is_file()
        )
    return found
