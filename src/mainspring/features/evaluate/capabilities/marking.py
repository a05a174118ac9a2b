"""Scores replies, with what some scores need: a sandbox for programs, and an embedder for support by sources."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mainspring.agents.sandbox.base import Sandbox, SandboxLimits
from mainspring.agents.sandbox.bubblewrap import BubblewrapSandbox
from mainspring.core.errors import SettingsError
from mainspring.features.evaluate.capabilities.benchmark import Benchmark, Item, Marks, Reply

if TYPE_CHECKING:
    from mainspring.engines.base import Embedder

_SECONDS = 10.0
_AT_ONCE = 2


class Marker:
    """Scores replies; ``aclose`` ends the sandbox, which is opened when it is needed. ``embedder``: for grounding."""

    def __init__(self, embedder: Embedder | None = None, sandbox: Sandbox | None = None) -> None:
        self._embedder = embedder
        self._sandbox = sandbox

    async def marks(self, benchmark: Benchmark, item: Item, reply: Reply) -> Marks:
        """Raises ``SettingsError`` if there is no sandbox on this machine, or no embedder."""
        if benchmark.judge is not None:
            return await benchmark.judge(item, reply, self)
        assert benchmark.score is not None
        return benchmark.score(item, reply)

    async def passes(self, program: str) -> bool:
        """Whether ``program`` runs to its end without an error, apart from everything else and within ten seconds."""
        if self._sandbox is None:
            self._sandbox = BubblewrapSandbox(_AT_ONCE)
        # A program that ends itself early does not know the mark.
        mark = secrets.token_hex(16)
        found = await self._sandbox.run(f"{program}\nprint({mark!r})\n", limits=SandboxLimits(seconds=_SECONDS))
        return not found.error and found.stdout.rstrip().endswith(mark)

    async def faithfulness(self, answer: str, passages: Sequence[str], question: str) -> float | None:
        """The share of the answer's statements that the passages support, by the heuristic of the RAG triad; None
        without statements."""
        from mainspring.rag.triad.metrics import Triad

        if self._embedder is None:
            raise SettingsError("grounding is measured with an embedding model", remedy="Set models.embedding")
        found = await Triad(self._embedder).faithfulness(answer, passages, question)
        return found.score if found.claims else None

    async def toxicity(self, text: str) -> tuple[float, float]:
        """See ``Judging``: by the detector over embeddings that the guards have."""
        from mainspring.guards.detect import embedding_detector

        detector = embedding_detector.packaged()
        if self._embedder is None or self._embedder.name != detector.embedder:
            raise SettingsError(
                f"toxicity is measured with {detector.embedder}", remedy="Set models.embedding to this model"
            )
        windows = embedding_detector.windows(text) or [text]
        vectors = (await self._embedder.embed(windows)).vectors
        (found,) = detector.score(vectors, [0] * len(windows), 1, ("toxicity",))
        return found["toxicity"], detector.heads["toxicity"].threshold

    async def aclose(self) -> None:
        if self._sandbox is not None:
            await self._sandbox.aclose()
