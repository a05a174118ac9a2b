"""Vectors cached on disk between measurements: no arm or run embeds a text again.

A vector is kept under the embedder's fingerprint and the text itself, so nothing in it can go stale. Queries are never
cached: their time is part of the measurement. Tokens are counted as if nothing were cached; the time of an index then
does not include the time of embedding.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mainspring.engines.base import Embedded, Embedder

FILE = "vectors.sqlite"


class KeptEmbedder:
    """``inner`` with its passages' vectors kept in ``folder``. Everything else is delegated to the inner embedder."""

    def __init__(self, inner: Embedder, folder: Path) -> None:
        self._inner = inner
        self._mark = str(getattr(inner, "fingerprint", inner.name)).encode()
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE
        with closing(self._connect()) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB) WITHOUT ROWID")

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def dimensions(self) -> int:
        return self._inner.dimensions

    @property
    def max_tokens(self) -> int:
        return self._inner.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._inner.count_tokens(texts)

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        if kind == "query":
            return await self._inner.embed(texts, kind)
        keys = [hashlib.sha256(self._mark + b"\0" + text.encode()).hexdigest() for text in texts]
        kept = await asyncio.to_thread(self._read, keys)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in kept}
        tokens = sum(self.count_tokens([t for key, t in zip(keys, texts, strict=True) if key not in missing]))
        if missing:
            embedded = await self._inner.embed(list(missing.values()), kind)
            tokens += embedded.tokens
            new = dict(zip(missing, embedded.vectors, strict=True))
            kept |= new
            await asyncio.to_thread(self._write, new)
        vectors = np.stack([kept[key] for key in keys]) if keys else np.zeros((0, self.dimensions), np.float32)
        return Embedded(vectors, tokens)

    async def close(self) -> None:
        await self._inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=60)

    def _read(self, keys: Sequence[str]) -> dict[str, Any]:
        with closing(self._connect()) as connection, connection:
            rows = connection.execute(
                "SELECT key, vector FROM vectors WHERE key IN (SELECT value FROM json_each(?))", (json.dumps(keys),)
            )
            return {key: np.frombuffer(vector, np.float32) for key, vector in rows}

    def _write(self, vectors: dict[str, Any]) -> None:
        rows = [(key, np.asarray(vector, np.float32).tobytes()) for key, vector in vectors.items()]
        with closing(self._connect()) as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
