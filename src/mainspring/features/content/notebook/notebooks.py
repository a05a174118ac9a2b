"""Notebooks: chosen documents to be looked into."""

from __future__ import annotations

from mainspring.feature import Rooms
from mainspring.features.content.settings import ContentSettings


class Notebooks:
    """The notebooks of all tenants."""

    def __init__(self, rooms: Rooms, settings: ContentSettings) -> None:
        self._rooms = rooms
        self._settings = settings
