"""The semantic cache: when two questions may share an answer, and the stored entries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mainspring.core.settings import Settings
from mainspring.engines import Engines
from mainspring.serving.cache.semantic.layer import Meaning
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.serving.ring.background import Background
from mainspring.stores import Stores
from mainspring.telemetry.metrics import Metrics

__all__ = ["Meaning", "open"]


@asynccontextmanager
async def open(  # noqa: A001
    settings: Settings,
    stores: Stores,
    engines: Engines,
    charged: ChargedModels,
    background: Background,
    metrics: Metrics,
) -> AsyncIterator[Meaning | None]:
    """The parts of the semantic cache; None if it is off."""
    serving = settings.serving
    if not serving.semantic_cache or not serving.cache_responses:
        yield None
        return
    from mainspring.engines import builtin
    from mainspring.engines.encode.late_interaction import LateInteraction

    # The default reranker reads with the same model: one graph serves both.
    shared = isinstance(engines.reranker, LateInteraction) and engines.reranker.name == f"late:{engines.embedder.name}"
    words = engines.reranker if shared else builtin.words(settings)
    assert isinstance(words, LateInteraction)
    try:
        yield Meaning(
            embedder=engines.embedder,
            words=words,
            charged=charged,
            index=stores.similar,
            answers=stores.cache,
            background=background,
            metrics=metrics,
            threshold=serving.semantic_threshold,
            ttl_s=settings.stores.cache_ttl_s,
        )
    finally:
        if not shared:
            await words.close()
