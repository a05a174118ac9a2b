"""Rerankers and readers that were trained, for the searches of their tenant."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mainspring.core.errors import Conflict, EngineError, NotFound
from mainspring.engines.base import Reranked
from mainspring.training.ports import Versions


class TrainedReranker:
    """A version of the tenant's, looked up at each search: it may be served again by another engine. Its name differs
    from that of an equal label of another tenant. A reader is one, too."""

    computes_here = True

    def __init__(self, versions: Versions, tenant: str, label: str) -> None:
        self._versions = versions
        self._tenant = tenant
        self._label = label
        self.name = f"{label}#{hashlib.sha256(tenant.encode()).hexdigest()[:8]}"
        self.fingerprint = self.name

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        """Raises ``EngineError`` if the version is not loaded, and the engine's errors: people are answered without it,
        as where an endpoint is down."""
        try:
            engine = await self._versions.engine(self._tenant, self._label)
        except (Conflict, NotFound) as error:
            raise EngineError(f"{self._label} is not loaded here: {error.message}") from None
        rerank = getattr(engine, "rerank", None)
        if rerank is None:
            raise EngineError(f"{self._label} reads no passages")
        found: Reranked = await rerank(query, passages)
        return found

    async def close(self) -> None:
        """The engine is its feature's to close."""
