"""Runs the detectors: each text is embedded once, the cost is charged to the caller, and a span shows the time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from cachetools import LRUCache

from mainspring.core.errors import SettingsError
from mainspring.core.types import Context
from mainspring.engines.base import Embedder
from mainspring.guards.detect import embedding_detector
from mainspring.guards.detect.embedding_detector import Heads, packaged
from mainspring.serving.judge.windows import WindowJudge
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.ports import Tracing

REMEMBERED = 2048
"""Texts whose scores are remembered: a conversation sends its older messages again each time."""
Key = tuple[str, bool, bytes]


class Detection:
    """All ``heads`` over the embeddings of ``embedder``, whose model they were fitted on."""

    def __init__(self, heads: Heads, embedder: Embedder, charged: ChargedModels, tracing: Tracing) -> None:
        self.heads = heads
        self._embedder = embedder
        self._charged = charged
        self._tracing = tracing
        # Cached per tenant, although scores do not depend on it: the latency of an answer must not reveal what
        # another tenant has sent.
        self._known: LRUCache[Key, Mapping[str, float]] = LRUCache(REMEMBERED)

    async def __call__(
        self, texts: Sequence[str], context: Context, *, pieces: bool = False
    ) -> Sequence[Mapping[str, float]]:
        """The probability of each head for each of ``texts``; ``pieces`` reads them two sentences at a time.

        Raises the embedder's errors: a text that cannot be checked does not pass unchecked.
        """
        keys = [_key(text, context, pieces) for text in texts]
        unknown = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        found = {key: self._known[key] for key in keys if key in self._known}
        if unknown:
            with self._tracing.span("detect", context, **{"mainspring.detectors": self.heads.version}) as span:
                reader = self._charged.embedder(self._embedder, span.context)
                cut = embedding_detector.pieces if pieces else embedding_detector.windows
                names = list(self.heads.heads)
                scored = await embedding_detector.score(list(unknown.values()), self.heads, names, reader, cut)
                span.set("mainspring.windows", scored.windows)
                span.set("gen_ai.usage.input_tokens", scored.tokens)
            fresh = dict(zip(unknown, scored.scores, strict=True))
            found |= fresh
            self._known.update(fresh)
        return [found[key] for key in keys]

    def judge(self, background: Background) -> WindowJudge:
        """The judge of answers with the same heads."""
        return WindowJudge(self.heads, self._embedder, self._charged, self._tracing, background)


def make(embedder: Embedder, charged: ChargedModels, tracing: Tracing, *, wanted: bool) -> Detection | None:
    """The packaged detectors; None if another embedding model is loaded than they were fitted on.

    Raises ``SettingsError`` if they are ``wanted`` then.
    """
    heads = packaged()
    if heads.embedder == embedder.name:
        return Detection(heads, embedder, charged, tracing)
    if wanted:
        raise SettingsError(
            f"guards.detectors were fitted on embeddings of {heads.embedder}, and models.embedding is {embedder.name}",
            remedy=f"Set models.embedding to {heads.embedder}, or guards.detectors to off",
        )
    return None


def _key(text: str, context: Context, pieces: bool) -> Key:
    return context.principal.tenant, pieces, hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
