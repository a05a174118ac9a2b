"""The embedder: texts to unit vectors, by a pulled encoder."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Literal

import numpy as np

from mainspring.core.errors import ModelError
from mainspring.engines.base import Embedded
from mainspring.engines.catalogue.pull import PulledModel
from mainspring.engines.encode.encoder import MAX_CHARACTERS_A_TOKEN, EncoderRunner, Precision, Row, load_tokenizer
from mainspring.engines.encode.tokens import clean, no_token

_SLICE_TEXTS = 256
_COUNTED_TEXTS = 64
# A text this many characters a readable token long is cut before it is tokenised: nothing behind is ever read.


class OpenVinoEmbedder:
    """Implements ``engines.base.Embedder`` for pulled encoders. Usable from any thread and event loop.

    ``threads`` 0 takes all cores. ``precision`` bf16 is faster on processors that compute in it (others compute in
    f32 then); its vectors have cosine above 0.999 to those of f32.
    """

    def __init__(self, pulled: PulledModel, threads: int = 0, *, precision: Precision = "bf16") -> None:
        if pulled.entry.kind != "embedding":
            raise ModelError(f"{pulled.entry.name} is a {pulled.entry.kind} model, not an embedding model")
        self._pulled = pulled
        self._tokenizer = load_tokenizer(pulled)
        self._runner = EncoderRunner(pulled, threads, precision)

    @property
    def name(self) -> str:
        return self._pulled.entry.name

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that the model was made for; ``*`` stands for many."""
        return self._pulled.entry.languages

    @property
    def pulled_at(self) -> int:
        """When the model was pulled, in Unix seconds."""
        return self._pulled.pulled_at

    @property
    def dimensions(self) -> int:
        return self._pulled.entry.dimensions

    @property
    def max_tokens(self) -> int:
        return self._pulled.entry.max_tokens

    @property
    def tokenizer_file(self) -> str:
        """The path of its tokenizer, for counting tokens elsewhere."""
        return str(self._pulled.files["tokenizer"])

    @property
    def fingerprint(self) -> str:
        """Changes when vectors of other weights, pooling or prefixes must not be compared with these."""
        entry = self._pulled.entry
        facts = (
            self._pulled.fingerprint,
            entry.pooling,
            entry.query_prefix,
            entry.passage_prefix,
            entry.max_tokens,
        )
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text without special tokens and without prefixes."""
        counts: list[int] = []
        # An encoding takes a hundred bytes a token: of a long document no more are there at once.
        for start in range(0, len(texts), _COUNTED_TEXTS):
            part = [clean(text) for text in texts[start : start + _COUNTED_TEXTS]]
            counts += [len(one.ids) for one in self._tokenizer.encode_batch(part, add_special_tokens=False)]
        return counts

    async def text_of(self, tokens: Sequence[int]) -> str:
        """See ``engines.base.Decodes``; special tokens are left out, since each text gets its own."""
        size = self._tokenizer.get_vocab_size()
        if not all(token < size for token in tokens):
            raise no_token(self.name, size)
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    async def start(self) -> None:
        """Load the graph now rather than at the first ``embed``. Raises ``ModelError`` when it cannot be used."""
        await self.embed(["ready"])

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        """Embed ``texts``; rows of the result are in their order.

        Raises ``ModelError`` when the graph cannot be loaded and ``EngineError`` after ``close``.
        """
        if not texts:
            return Embedded(np.zeros((0, self.dimensions), np.float32), 0)
        entry = self._pulled.entry
        prefix = entry.query_prefix if kind == "query" else entry.passage_prefix
        rows, truncated = await asyncio.to_thread(self._tokenise, texts, prefix)
        vectors = await self._runner.run(rows, self.dimensions)
        # The graph normalises in the hinted precision; unit length is promised in float32.
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return Embedded(vectors, sum(len(row.ids) for row in rows), truncated)

    def unload(self) -> None:
        """Release the graph; the next ``embed`` loads it again."""
        self._runner.unload()

    async def close(self) -> None:
        """Stop the thread after the running batch; waiting batches fail with ``EngineError``."""
        await self._runner.close()

    def _tokenise(self, texts: Sequence[str], prefix: str) -> tuple[list[Row], int]:
        rows: list[Row] = []
        truncated = 0
        limit = self.max_tokens
        characters = limit * MAX_CHARACTERS_A_TOKEN
        for start in range(0, len(texts), _SLICE_TEXTS):
            part = [prefix + clean(text[:characters]) for text in texts[start : start + _SLICE_TEXTS]]
            encoded = self._tokenizer.encode_batch(part)
            for text, one in zip(texts[start : start + _SLICE_TEXTS], encoded, strict=True):
                ids = one.ids
                truncated += len(ids) > limit or len(text) > characters
                # The last token closes the text and stays.
                kept = ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]]
                rows.append(Row(kept, len(kept)))
        return rows, truncated
