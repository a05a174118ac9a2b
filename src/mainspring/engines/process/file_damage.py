"""Compares the files of a pulled model with the pull: a crash with intact files is not a damaged file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mainspring.engines.catalogue.sources import sha256_of

Damage = Callable[[], str | None]
"""The first file that differs from the pulled one; "" if none does, None if unknown. Reads them: call it in a
thread."""


def unknown() -> str | None:
    return None


def of(model: Any) -> Damage:
    """The check for a ``PulledModel``; for a plain path the original is unknown."""
    directory, manifest = getattr(model, "directory", None), getattr(model, "manifest", None)
    if not isinstance(directory, Path) or manifest is None:
        return unknown
    known: dict[Path, tuple[tuple[int, int, int], str]] = {}

    def damaged() -> str | None:
        for relative, file in manifest["files"].items():
            path = directory / relative
            try:
                status = path.stat()
                mark = status.st_size, status.st_mtime_ns, status.st_ino
                # An untouched file is read once.
                if known.get(path, (None, ""))[0] != mark:
                    known[path] = mark, sha256_of(path)
            except OSError:
                return str(relative)
            if known[path][1] != file["sha256"]:
                return str(relative)
        return ""

    return damaged
