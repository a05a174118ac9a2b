"""Folders and files that only their owner can read: a home holds prompts, documents and key hashes."""

from __future__ import annotations

from pathlib import Path

_OTHERS = 0o007


def folder(path: Path) -> None:
    """Make ``path``, and missing folders above it, for its owner alone. An existing folder is left as it is.

    The mode that ``Path.mkdir`` takes does not count for the parents that it makes.
    """
    for each in (*reversed(path.parents), path):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)


def file(path: Path) -> None:
    """Create an empty file that only its owner can read, unless it exists: a file created by its writer would be
    readable by others."""
    path.touch(mode=0o600, exist_ok=True)


def readable_by_others(path: Path) -> bool:
    """Whether others on this machine may look into ``path``."""
    return path.exists() and bool(path.stat().st_mode & _OTHERS)
