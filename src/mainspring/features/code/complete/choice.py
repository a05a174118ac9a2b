"""Which model completes: the usual one, or a larger one where the context is large or the place is complex."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mainspring.core.errors import ModelNotPulled
from mainspring.engines import ChatModel
from mainspring.engines.catalogue import fim
from mainspring.engines.catalogue.entries import FimEntry
from mainspring.features.code.complete.place import Place
from mainspring.features.code.settings import CodeSettings
from mainspring.features.code.syntax.symbols import words

_COMMENT = re.compile(r"^\s*(?:#|//|\*|/\*|\"\"\"|''')\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model that completes, how it fills in the middle (None: it only continues), and why it is this one."""

    model: str
    fim: FimEntry | None
    reason: str


class Choice:
    """Chooses among the chat models of an installation. ``chat`` are those that are served, as they come."""

    def __init__(self, settings: CodeSettings, chat: Mapping[str, ChatModel]) -> None:
        self._settings = settings
        self._chat = chat
        self._family = None if settings.fim == "auto" else fim.of_family(settings.fim)

    def of(self, place: Place, tokens: int, wanted: str = "") -> Chosen:
        """The model for ``place`` and a prompt of ``tokens``; ``wanted`` is the request's own wish. Raises
        ``ModelNotPulled`` if there is no chat model."""
        if wanted:
            return Chosen(wanted, self.markers(wanted), "asked for")
        larger = self._settings.larger_model
        if larger:
            if 0 < self._settings.larger_above_tokens < tokens:
                return Chosen(larger, self.markers(larger), "large context")
            if 0 < self._settings.larger_above_complexity <= complexity(place):
                return Chosen(larger, self.markers(larger), "complex place")
        return Chosen(self.usual, self.markers(self.usual), "usual")

    @property
    def usual(self) -> str:
        """The model for usual places. Raises ``ModelNotPulled``."""
        return self._settings.model or self._first()

    def markers(self, model: str) -> FimEntry | None:
        """How ``model`` fills in the middle."""
        if self._family is not None:
            return self._family
        served = self._chat.get(model)
        found: FimEntry | None = getattr(served.responder, "fim", None) if served is not None else fim.of_model(model)
        return found

    def _first(self) -> str:
        able = [name for name in self._chat if self.markers(name) is not None]
        if not (able or self._chat):
            remedy = "Pull one with `mainspring models pull`, or name one in models.remote"
            raise ModelNotPulled("no chat model is served, so nothing completes code", remedy=remedy)
        return (able or list(self._chat))[0]


def complexity(place: Place) -> int:
    """How complex what is to be written is likely to be: a point for each level of indentation, two for the body of a
    definition, one for every four words of a comment just above, one for every six names of the last lines."""
    points = min(place.indent // 4, 4)
    last = place.last_line if not place.line_before.strip() else place.line_before
    if place.reach == "block" and last.rstrip().endswith((":", "{")):
        points += 2
    said = _COMMENT.match(last)
    if said:
        points += len(said[1].split()) // 4
    lines = place.before.split("\n")[-6:]
    return points + len(set(words("\n".join(lines)))) // 6
