"""Names that a shell completes: read from this machine's home and catalogue, cheaply, and never an error."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable

from mainspring.core.settings import Settings, load


def models(incomplete: str) -> list[str]:
    """Names of the catalogue."""
    with contextlib.suppress(Exception):
        from mainspring.engines.catalogue.entries import Catalogue

        return _fitting((entry.name for entry in Catalogue.load(load().settings)), incomplete)
    return []


def collections(incomplete: str) -> list[str]:
    """Collections of this machine's home."""
    with contextlib.suppress(Exception):
        return _fitting(_collections(load().settings), incomplete)
    return []


def answering(incomplete: str) -> list[str]:
    """The names to chat with: served collections, applications and chat models."""
    with contextlib.suppress(Exception):
        settings = load().settings
        return _fitting(["document-qa", *_collections(settings), *settings.models.chatting], incomplete)
    return []


def _collections(settings: Settings) -> list[str]:
    """Their names by a plain read: the stores take a second to import."""
    path = settings.home / "mainspring.db"
    if settings.stores.database or not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1)) as database:
        rows = database.execute("SELECT name FROM collections WHERE name NOT LIKE 'ask-%' ORDER BY name LIMIT 200")
        return [str(name) for (name,) in rows]


def _fitting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})
