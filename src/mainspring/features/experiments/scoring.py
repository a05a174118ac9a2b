"""Makes scorers by name, over all parts of the kind ``SCORER``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.core.errors import InvalidRequest, MainspringError, SettingsError
from mainspring.core.plugins import nearest
from mainspring.evaluation.scorers import Scorer
from mainspring.feature import SCORER, Rooms


class Scorers:
    """Implements ``evaluation.scorers.ScorerSource``."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._parts = rooms.engines.plugins

    def scorer(self, name: str, options: Mapping[str, Any] | None = None) -> Scorer:
        """See ``ScorerSource``."""
        if name not in (known := self.scorer_names()):
            raise InvalidRequest(f"there is no scorer {name:.100}", param="scorers", remedy=nearest(name, known))
        try:
            return self._parts.make(SCORER, name, self._rooms, dict(options or {}))
        except InvalidRequest:
            raise
        except (SettingsError, TypeError, ValueError, KeyError) as error:
            told = error.told if isinstance(error, MainspringError) else str(error)
            raise InvalidRequest(f"the scorer {name} cannot be made: {told:.300}", param="scorers") from None

    def scorer_names(self) -> list[str]:
        """See ``ScorerSource``."""
        return sorted(self._parts.names(SCORER))
