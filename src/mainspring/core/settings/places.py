"""The default places of files, following the XDG base directories."""

from __future__ import annotations

import os
from pathlib import Path

from mainspring.core.errors import SettingsError


def data() -> Path:
    """Databases, documents and logs. Raises ``SettingsError`` for a user who has no home."""
    return _under("XDG_DATA_HOME", ".local/share", "home (MAINSPRING_HOME)")


def cache() -> Path:
    """Data that can be downloaded again. Raises ``SettingsError`` for a user who has no home."""
    return _under("XDG_CACHE_HOME", ".cache", "models.directory (MAINSPRING_MODELS__DIRECTORY)")


def _under(variable: str, usual: str, setting: str) -> Path:
    named = os.environ.get(variable)
    try:
        return (Path(named) if named else Path.home() / usual) / "mainspring"
    except RuntimeError:
        raise SettingsError(
            f"{setting} is not set, and this user has no home directory", remedy="Set it, or HOME"
        ) from None
