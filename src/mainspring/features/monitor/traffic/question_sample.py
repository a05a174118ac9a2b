"""Some questions of each application as vectors: embedded in the background, kept only as means of blocks."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Callable, Sequence

import numpy as np

from mainspring.core.errors import MainspringError
from mainspring.core.facts.answers import AnswerFacts
from mainspring.engines.base import Embedder
from mainspring.features.monitor.settings import DriftSettings
from mainspring.features.monitor.traffic.drift import packed
from mainspring.features.monitor.traffic.series import Key
from mainspring.stores.events.feed import Fact, Feed

_log = logging.getLogger(__name__)
# The maximum number of questions that wait for embedding; others are skipped, as sampling allows.
_WAITING = 256
_TOGETHER = 8
_LONGEST_CHARS = 2000
_LOOK_S, _PATIENCE_S = 0.2, 5.0


Keep = Callable[[Key, float, str], None]
"""Keeps a block of an application, made at that time."""


class Sampler:
    """Takes questions as they arrive, up to a rate, and embeds them while ``idle`` says so; ``clock`` is in Unix
    seconds.

    ``keep`` receives the mean of each ``block`` of questions. Questions of a partial block are forgotten at the end.
    """

    def __init__(self, texts: Feed, embedder: Embedder, settings: DriftSettings, *, idle: Callable[[], bool]) -> None:
        self._texts = texts
        self._embedder = embedder
        self._settings = settings
        # The watcher sets it.
        self.keep: Keep | None = None
        self._idle = idle
        self._granted: dict[Key, tuple[float, float]] = {}
        self._waiting: asyncio.Queue[tuple[Key, str, float]] = asyncio.Queue(_WAITING)
        self._vectors: dict[Key, list[np.ndarray]] = {}
        self.embedder_name = self.name_of(embedder)
        self.embedded = 0

    @staticmethod
    def name_of(embedder: Embedder) -> str:
        """The mark of this embedder's vectors: vectors of another embedder are not comparable."""
        return hashlib.sha256(str(getattr(embedder, "fingerprint", embedder.name)).encode()).hexdigest()[:8]

    def offer(self, key: Key, fact: Fact, now: float) -> None:
        """Take the question of an answer, if its application's rate allows and its text was kept."""
        per_hour = self._settings.embed_per_hour
        if not per_hour or fact.content_id is None:
            return
        if not isinstance(fact.facts, AnswerFacts) or fact.facts.status != "completed":
            return
        # A bucket of at most one block: bursts are taken completely, and then only a share.
        left, since = self._granted.get(key, (float(self._settings.block), now))
        left = min(float(self._settings.block), left + (now - since) * per_hour / 3600)
        if left >= 1 and not self._waiting.full():
            self._waiting.put_nowait((key, fact.content_id, now))
            left -= 1
        self._granted[key] = (left, now)

    async def run(self) -> None:
        """Embed waiting questions, until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < _TOGETHER and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._until_idle()
            try:
                await self.embed(batch)
            except MainspringError as error:
                _log.warning("sampled questions could not be embedded: %s", error)

    async def embed(self, batch: Sequence[tuple[Key, str, float]]) -> None:
        """Embed the questions of these texts, (application, content id, time)."""
        found = []
        for key, content_id, at in batch:
            if question := _question(await self._texts.text(key[0], content_id)):
                found.append((key, question, at))
        if not found:
            return
        vectors = (await self._embedder.embed([question for _, question, _ in found], "query")).vectors
        self.embedded += len(found)
        for (key, _, at), vector in zip(found, vectors, strict=True):
            kept = self._vectors.setdefault(key, [])
            kept.append(np.asarray(vector, np.float32))
            if len(kept) >= self._settings.block and self.keep is not None:
                self.keep(key, at, packed(np.stack(kept), self.embedder_name))
                kept.clear()

    async def drain(self) -> None:
        """Embed all that waits now, idle or not."""
        while not self._waiting.empty():
            await self.embed([self._waiting.get_nowait()])

    async def _until_idle(self) -> None:
        waited = 0.0
        while not self._idle() and waited < _PATIENCE_S:
            await asyncio.sleep(_LOOK_S)
            waited += _LOOK_S


def _question(text: str | None) -> str:
    """The user's last message in an answer's content."""
    if not text:
        return ""
    try:
        content = json.loads(text)
    except ValueError:
        return ""
    said = [each.get("content") for each in content.get("messages", ()) if each.get("role") == "user"]
    found = said[-1] if said else content.get("prompt", "")
    return str(found or "")[:_LONGEST_CHARS]
