"""From a text to suggestions: trigger, search, filters. The same for the server, the command line and benchmarks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.features.compose.model.layout import header
from mainspring.features.compose.model.ngrams import OwnPhrases
from mainspring.features.compose.model.packed import Packed
from mainspring.features.compose.model.search import LanguageModel, Mixing, Searching, phrases
from mainspring.features.compose.rules.filters import AllowedPhrase, Dropped, Filters, Limits
from mainspring.features.compose.rules.filters import Reason as Filtered
from mainspring.features.compose.rules.trigger import Reason, Triggering, waits
from mainspring.features.compose.settings import ComposeSettings

_WINDOW = 64
"""Tokens by which the part of a long body that is read moves on."""


@dataclass(frozen=True, slots=True)
class MailDraft:
    """A mail that is typed. ``before`` and ``after`` are the body on both sides of the cursor. ``least`` is the least
    confidence; ``pause_ms`` None: the caller has waited."""

    before: str
    after: str = ""
    subject: str = ""
    to: str = ""
    pause_ms: float | None = None
    most: int = 1
    least: float = 0.15


@dataclass(frozen=True, slots=True)
class Suggested:
    """Suggestions, best first; why none was looked for (``waits``, or ``silent`` about what was typed); and what was
    dropped."""

    suggestions: tuple[AllowedPhrase, ...] = ()
    waits: Reason | None = None
    silent: Filtered | None = None
    dropped: tuple[Dropped, ...] = ()


class Suggesting:
    """Suggests by a model under settings."""

    def __init__(self, packed: Packed, settings: ComposeSettings) -> None:
        self.packed = packed
        self._triggering = Triggering(settings.least_words, settings.pause_ms)
        self._settings = settings
        self._filters = Filters(Limits(settings.most_words, settings.least_confidence), settings.blocked)

    def waits(self, asked: MailDraft) -> Reason | None:
        """Why nothing is looked for; None: it is."""
        return waits(asked.before, asked.after, asked.pause_ms, self._triggering)

    def suggest(self, asked: MailDraft, own: OwnPhrases | None = None) -> Suggested:
        """Takes some 10 ms of one core. The same arguments give the same result."""
        reason = self.waits(asked)
        if reason is not None:
            return Suggested(waits=reason)
        silent = self._filters.silent(asked.before)
        if silent is not None:
            return Suggested(silent=silent)
        settings = self._settings
        how = Searching(
            settings.beams, settings.most_words, 2 * settings.most_words, asked.least, settings.length_power
        )
        text = asked.before.rstrip(" \t")
        blank = not text.endswith("\n")
        model: LanguageModel[Any] = self.packed.model
        mixing: Mixing | None = own.mix if own is not None and len(own) else None
        found = phrases(model, self.packed.vocabulary, self.ids(asked, text), how, blank=blank, mixing=mixing)
        kept: list[AllowedPhrase] = []
        dropped: list[Dropped] = []
        around = f"{asked.subject} {asked.to} {own.names if own is not None else ''}"
        before = asked.before if asked.before[-1:].isspace() else f"{asked.before} "
        filters = self._filters if asked.least == settings.least_confidence else self._laxer(asked.least)
        for each in found:
            checked = filters.check(before, around, each.text, each.confidence, [one.text for one in kept])
            if isinstance(checked, Dropped):
                dropped.append(checked)
            elif len(kept) < asked.most:
                kept.append(checked)
        return Suggested(tuple(kept), dropped=tuple(dropped))

    def ids(self, asked: MailDraft, text: str) -> list[int]:
        """The header, and of a long text its end: from a place that moves in large steps, so that what was read of it
        stays valid."""
        tokenizer, length = self.packed.tokenizer, self.packed.sizes.length
        before = header(tokenizer, asked.to, asked.subject)
        # Far more characters than there is room for; from a line or a sentence on, so that tokens do not move.
        ids: Sequence[int] = tokenizer.encode(_end(text, 16 * length), add_special_tokens=False).ids
        room = length - len(before) - 2 * self._settings.most_words
        if len(ids) > room:
            step = max(1, min(_WINDOW, room // 2))
            start = -(-(len(ids) - room) // step) * step
            ids = ids[start:]
        return [*before, *ids]

    def _laxer(self, least: float) -> Filters:
        return Filters(Limits(self._settings.most_words, least), self._settings.blocked)


def _end(text: str, most: int) -> str:
    """The last ``most`` characters or fewer, from the beginning of a sentence or a word on. The place moves in steps of
    half of that."""
    if len(text) <= most:
        return text
    start = (len(text) - most // 2) // (most // 2) * (most // 2)
    match = re.search(r"\s", text[start:])
    return text[start + match.end() :] if match else text[start:]
