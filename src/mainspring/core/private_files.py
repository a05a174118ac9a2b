"""Folders and files that nobody but their owner may look into: prompts, documents and hashes of keys lie in a home."""

from __future__ import annotations

from pathlib import Path

_OTHERS = 0o007


def folder(path: Path) -> None:
    """Make ``path``, and what is missing above it, for its owner alone. One that is there stays as it is.

    The mode that ``Path.mkdir`` takes does not count for the parents that it makes.
    """
    for each in (*reversed(path.parents), path):
        if not each.exists():
            each.mkdir(mode=0o700, exist_ok=True)


def file(path: Path) -> None:
    """Make an empty file for its owner alone, where there is none: what opens it by itself would let others read it."""
    path.touch(mode=0o600, exist_ok=True)


def shown(path: Path) -> bool:
    """Whether others on this machine may look into ``path``."""
    return path.exists() and bool(path.stat().st_mode & _OTHERS)
