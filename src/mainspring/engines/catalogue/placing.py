"""Files of a model put in their places, so that a power cut leaves the old ones or the new ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def swap(new: Path, target: Path, old: Path) -> None:
    """Put the folder ``new`` in the place of ``target``, which goes to ``old``."""
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Have the disk hold what was written to a file or folder."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def link(source: Path, target: Path) -> None:
    """The same file under another name, or a copy."""
    try:
        os.link(source, target)
    except OSError:
        # Some file systems have no hard links.
        partial = target.with_name(target.name + ".partial")
        shutil.copyfile(source, partial)
        partial.replace(target)


def bytes_below(directory: Path) -> int:
    """The bytes of all files of a folder and those below it."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
