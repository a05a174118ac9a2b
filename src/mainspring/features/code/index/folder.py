"""The files of a folder that belong into an index: what git does not ignore, and what ``admission`` admits.

The rules of ``.gitignore`` files are read by pathspec: those of a folder apply below it, later and deeper ones win, and
nothing below an ignored folder is looked at.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mainspring.core.errors import InvalidRequest, MissingExtra
from mainspring.features.code.index import admission
from mainspring.rag.chunk import syntax

_TEXTS = frozenset((".md", ".rst", ".txt", ".toml", ".cfg", ".ini", ".yaml", ".yml", ".sql", ".proto", ".graphql"))
"""Files that are indexed as text."""
_SNIFFED = 8_192


@dataclass(frozen=True, slots=True)
class FolderFile:
    """A file of a folder: its path within it, with slashes, its text and the sha256 of its bytes."""

    path: str
    text: str
    sha256: str


class IgnoreRules:
    """What git ignores below ``root``. Raises ``MissingExtra`` without pathspec."""

    def __init__(self, root: Path) -> None:
        try:
            from pathspec import GitIgnoreSpec
        except ImportError:
            raise MissingExtra(
                "the rules of .gitignore cannot be read", remedy="Run `pip install 'mainspring[code]'`"
            ) from None
        self._make = GitIgnoreSpec.from_lines
        self._root = root
        self._specs: dict[str, Any] = {}

    def ignored(self, path: str, *, folder: bool = False) -> bool:
        """Whether git ignores ``path`` (within the root, with slashes) or a folder above it."""
        parts = PurePosixPath(path).parts
        for depth in range(1, len(parts) + 1):
            last = depth == len(parts)
            if self._matches("/".join(parts[:depth]), folder=folder or not last):
                return True
        return False

    def _matches(self, path: str, *, folder: bool) -> bool:
        parts = PurePosixPath(path).parts
        verdict: bool | None = None
        for depth in range(len(parts)):
            above = "/".join(parts[:depth])
            spec = self._spec(above)
            if spec is None:
                continue
            below = "/".join(parts[depth:]) + ("/" if folder else "")
            found = spec.check_file(below).include
            verdict = verdict if found is None else found
        return bool(verdict)

    def _spec(self, folder: str) -> Any:
        if folder not in self._specs:
            lines = _lines(self._root / folder / ".gitignore")
            if not folder:
                lines = _lines(self._root / ".git" / "info" / "exclude") + lines
            self._specs[folder] = self._make(lines) if lines else None
        return self._specs[folder]


def files(root: Path, most_bytes: int) -> Iterator[FolderFile]:
    """The files below ``root`` that belong into an index, by path. Raises ``InvalidRequest`` if it is no folder."""
    if not root.is_dir():
        raise InvalidRequest(f"{root} is not a folder", remedy="Name the folder of a workspace")
    rules = IgnoreRules(root)
    for folder, folders, names in os.walk(root):
        above = PurePosixPath(Path(folder).relative_to(root).as_posix())
        within = [name for name in folders if name not in admission.VENDORED]
        folders[:] = sorted(name for name in within if not rules.ignored(str(above / name), folder=True))
        for name in sorted(names):
            path = str(above / name)
            if wanted(path) and not rules.ignored(path) and (found := read(root, path, most_bytes)) is not None:
                yield found


def wanted(path: str) -> bool:
    """Whether files of this name are read at all: source code in a known language, and plain text."""
    known = bool(syntax.language(path)) or PurePosixPath(path).suffix.lower() in _TEXTS
    return known and not admission.refused_by_name(path)


def read(root: Path, path: str, most_bytes: int) -> FolderFile | None:
    """The file; None if it is a link, too large, binary or gone."""
    whole = root / path
    try:
        if whole.is_symlink() or whole.stat().st_size > most_bytes:
            return None
        content = whole.read_bytes()
    except OSError:
        return None
    if b"\0" in content[:_SNIFFED]:
        return None
    return FolderFile(path, content.decode("utf-8", "replace"), hashlib.sha256(content).hexdigest())


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
