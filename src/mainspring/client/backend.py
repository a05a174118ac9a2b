"""The interface behind a client: the system in this process, or a server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from mainspring.client.results import Ingested, Passage, Reply, Turn
from mainspring.core.types import Sampling

Pieces = AsyncGenerator[str | Reply, None]
"""The text of an answer piece by piece, then the whole answer."""


class Backend(Protocol):
    """What answers."""

    chat_model: str
    embedding_model: str

    def answer(
        self, model: str, turns: Sequence[Turn], sampling: Sampling, options: Mapping[str, str] = MappingProxyType({})
    ) -> Pieces:
        """Raises the errors of ``core.errors`` before the first piece."""
        ...

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]: ...

    async def search(self, collection: str, query: str, k: int) -> list[Passage]: ...

    async def ingest(self, collection: str, paths: Sequence[Path]) -> Ingested: ...

    async def collections(self) -> list[str]: ...

    async def documents(self, collection: str) -> list[str]: ...
