"""The embedder: a pulled encoder run by OpenVINO in one thread of its own.

Texts are sorted by length and cut into batches of bounded size. Batches of all requests wait in one priority
queue: small requests (queries) go before the batches of large ones (ingestion), and large ones take turns, so that
nobody waits for more than the batch that is running.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mainspring.engines.base import Embedded
from mainspring.engines.pull import PulledModel
from mainspring.errors import EngineError, ModelError

Floats = NDArray[np.float32]
_BATCH_TOKENS = 1024
_BATCH_TEXTS = 64
# Lengths are rounded up so that the engine prepares few shapes; padding is masked.
_LENGTH_STEP = 16
_SLICE_TEXTS = 256
# A text this many characters a readable token long is cut before it is tokenised: nothing behind is ever read.
_MAX_CHARACTERS_A_TOKEN = 64


@dataclass(order=True)
class _Batch:
    """Rows of token ids waiting for the thread; ordered by (priority, turn, number)."""

    priority: int
    turn: int
    number: int
    rows: list[list[int]] = field(compare=False)
    future: Future[Floats] = field(compare=False)


class OpenVinoEmbedder:
    """Implements ``engines.base.Embedder`` for pulled encoders. Usable from any thread and event loop.

    ``threads`` 0 takes all cores. ``precision`` bf16 is faster on processors that compute in it (others compute in
    f32 then); its vectors have cosine above 0.999 to those of f32.
    """

    def __init__(self, pulled: PulledModel, threads: int = 0, *, precision: Literal["bf16", "f32"] = "bf16") -> None:
        if pulled.entry.kind != "embedding":
            raise ModelError(f"{pulled.entry.name} is a {pulled.entry.kind} model, not an embedding model")
        self._pulled = pulled
        self._threads = threads
        self._precision = precision
        self._tokenizer = _load_tokenizer(pulled)
        self._queue: queue.PriorityQueue[_Batch] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def name(self) -> str:
        return self._pulled.entry.name

    @property
    def dimensions(self) -> int:
        return self._pulled.entry.dimensions

    @property
    def max_tokens(self) -> int:
        return self._pulled.entry.max_tokens

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
        encoded = self._tokenizer.encode_batch([_clean(text) for text in texts], add_special_tokens=False)
        return [len(one.ids) for one in encoded]

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
        order = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        parts = _batches(order, rows)
        small = len(parts) == 1
        futures = [
            self._submit([rows[index] for index in part], 0 if small else 1, turn) for turn, part in enumerate(parts)
        ]
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        try:
            for part, future in zip(parts, futures, strict=True):
                done: Floats = await asyncio.wrap_future(future)
                vectors[part] = done
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        return Embedded(vectors, sum(len(row) for row in rows), truncated)

    async def close(self) -> None:
        """Stop the thread after the batch that is running; what waits fails with ``EngineError``."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._queue.put(_Batch(-1, 0, next(self._numbers), [], Future()))
            await asyncio.to_thread(thread.join)

    def _tokenise(self, texts: Sequence[str], prefix: str) -> tuple[list[list[int]], int]:
        rows: list[list[int]] = []
        truncated = 0
        limit = self.max_tokens
        characters = limit * _MAX_CHARACTERS_A_TOKEN
        for start in range(0, len(texts), _SLICE_TEXTS):
            part = [prefix + _clean(text[:characters]) for text in texts[start : start + _SLICE_TEXTS]]
            encoded = self._tokenizer.encode_batch(part)
            for text, one in zip(texts[start : start + _SLICE_TEXTS], encoded, strict=True):
                ids = one.ids
                truncated += len(ids) > limit or len(text) > characters
                # The last token closes the text and stays.
                rows.append(ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]])
        return rows, truncated

    def _submit(self, rows: list[list[int]], priority: int, turn: int) -> Future[Floats]:
        future: Future[Floats] = Future()
        with self._lock:
            if self._closed:
                raise EngineError(f"embedder {self.name} is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"embed-{self.name}", daemon=True)
                self._thread.start()
            self._queue.put(_Batch(priority, turn, next(self._numbers), rows, future))
        return future

    # --- in the thread ----------------------------------------------------------------------------------------

    def _work(self) -> None:
        request: Any = None
        while (batch := self._queue.get()).priority >= 0:
            if not batch.future.set_running_or_notify_cancel():
                continue
            try:
                request = request or self._compile()
                batch.future.set_result(_infer(request, batch.rows))
            except Exception as error:
                batch.future.set_exception(error)
        while not self._queue.empty():
            batch = self._queue.get()
            if batch.future.set_running_or_notify_cancel():
                batch.future.set_exception(EngineError(f"embedder {self.name} was closed"))

    def _compile(self) -> Any:
        import openvino as ov

        core = ov.Core()
        hints = {"INFERENCE_PRECISION_HINT": self._precision, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1"}
        if self._threads:
            hints["INFERENCE_NUM_THREADS"] = str(self._threads)
        try:
            return core.compile_model(str(self._pulled.files["graph"]), "CPU", hints).create_infer_request()
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise ModelError(
                f"{self.name} cannot be loaded: {reason}",
                remedy=f"Run `mainspring models pull {self.name} --force`",
            ) from None


def _infer(request: Any, rows: list[list[int]]) -> Floats:
    longest = max(len(row) for row in rows)
    width = -(-longest // _LENGTH_STEP) * _LENGTH_STEP
    ids = np.zeros((len(rows), width), np.int64)
    mask = np.zeros((len(rows), width), np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = 1
    request.infer({"input_ids": ids, "attention_mask": mask})
    vectors = np.array(request.get_output_tensor(0).data, np.float32)
    # The graph normalises in the hinted precision; unit length is promised in float32.
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return vectors


def _batches(order: list[int], rows: list[list[int]]) -> list[list[int]]:
    """Cut ``order`` (indices, by length) into batches whose padded size is bounded."""
    parts: list[list[int]] = []
    for index in order:
        part = parts[-1] if parts else []
        if part and len(part) < _BATCH_TEXTS and (len(part) + 1) * len(rows[index]) <= _BATCH_TOKENS:
            part.append(index)
        else:
            parts.append([index])
    return parts


def _clean(text: str) -> str:
    # Lone surrogates (from broken JSON escapes) are no text that a tokenizer accepts.
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _load_tokenizer(pulled: PulledModel) -> Any:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(pulled.files["tokenizer"]))
    # Bundled files pad and cut to lengths of their own.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
