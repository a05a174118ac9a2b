"""Runs a pulled encoder by OpenVINO in a separate thread: the common part of embedders and rerankers.

Texts are sorted by length and cut into batches of bounded size. Batches of all requests wait in one priority queue:
small requests (queries) go before those of a few batches (the sentences of an answer), these before large ones
(ingestion), and requests of the same size take turns. A request waits at most for the running batch, and only for a
slice of a large request's while small ones arrive.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from math import inf
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import EngineError, ModelError
from mainspring.engines.catalogue.pull import PulledModel
from mainspring.engines.encode.tokens import plain_tokenizer

Floats = NDArray[np.float32]
MAX_CHARACTERS_A_TOKEN = 64
Precision = Literal["bf16", "f32"]
Graph = Callable[[], Any]
Finish = Callable[[Floats, Sequence["Row"]], Floats]
_BATCH_TOKENS = 1024
_BATCH_TEXTS = 64
# Requests of more batches are large: while small ones arrive, their batches are cut into slices. Each slice reads all
# weights once more, so what an answer reads is left whole.
_FEW_BATCHES = 4
_SLICE_TOKENS = 256
_RECENT_S = 2.0
# Lengths are rounded up so that the engine prepares few shapes; padding is masked. Single words have a few tokens.
_LENGTH_STEP, _WORD_LENGTH = 16, 8


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids of one input; those from ``second`` on are of the second text of a pair."""

    ids: Sequence[int]
    second: int


@dataclass(order=True)
class _Batch:
    """Rows waiting for the thread; ordered by (priority, turn, number)."""

    priority: int
    turn: int
    number: int
    rows: Sequence[Row] = field(compare=False)
    finish: Finish | None = field(compare=False)
    future: Future[Floats] = field(compare=False)


_SMALL, _FEW, _LARGE = 0, 1, 2
# Before all others, and after all that wait.
_CLOSE, _UNLOAD = -1, 3


class EncoderRunner:
    """The graph of ``pulled`` (or the one that ``graph`` makes), compiled at the first batch. Usable from any
    thread and event loop.

    ``threads`` 0 takes all cores. ``paired`` graphs take token types. ``precision`` bf16 is faster on processors
    that compute in it; others compute in f32 then.
    """

    def __init__(
        self,
        pulled: PulledModel,
        threads: int,
        precision: Precision,
        *,
        paired: bool = False,
        graph: Graph | None = None,
    ) -> None:
        self._pulled = pulled
        self._threads = threads
        self._precision = precision
        self._paired = paired
        self._graph = graph
        self._queue: queue.PriorityQueue[_Batch] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._small_at = -inf

    async def run(self, rows: Sequence[Row], width: int, finish: Finish | None = None) -> Floats:
        """The graph's output for each row, float32 (rows, ``width``), in their order.

        ``finish`` converts the graph's output for a batch, (texts, tokens, ...), in the runner's thread.

        Raises ``ModelError`` when the graph cannot be loaded and ``EngineError`` after ``close``.
        """
        order = sorted(range(len(rows)), key=lambda index: len(rows[index].ids))
        parts = _batches(order, rows)
        priority = _SMALL if len(parts) == 1 else _FEW if len(parts) <= _FEW_BATCHES else _LARGE
        futures = [
            self._submit([rows[index] for index in part], finish, priority, turn) for turn, part in enumerate(parts)
        ]
        results = np.empty((len(rows), width), np.float32)
        try:
            for part, future in zip(parts, futures, strict=True):
                done: Floats = await asyncio.wrap_future(future)
                results[part] = done
        except BaseException:
            for future in futures:
                future.cancel()
            raise
        return results

    async def close(self) -> None:
        """Stop the thread after the running batch; waiting batches fail with ``EngineError``."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._queue.put(_Batch(_CLOSE, 0, next(self._numbers), [], None, Future()))
            await asyncio.to_thread(thread.join)

    def unload(self) -> None:
        """Release the compiled graph once waiting batches are done; the next batch compiles it again."""
        with self._lock:
            if self._thread is not None and not self._closed:
                self._queue.put(_Batch(_UNLOAD, 0, next(self._numbers), [], None, Future()))

    def _submit(self, rows: Sequence[Row], finish: Finish | None, priority: int, turn: int) -> Future[Floats]:
        future: Future[Floats] = Future()
        if priority == _SMALL:
            self._small_at = time.monotonic()
        name = self._pulled.entry.name
        with self._lock:
            if self._closed:
                raise EngineError(f"{self._pulled.entry.kind} model {name} is closed")
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=f"encode-{name}", daemon=True)
                self._thread.start()
            self._queue.put(_Batch(priority, turn, next(self._numbers), rows, finish, future))
        return future

    # --- in the thread ----------------------------------------------------------------------------------------

    def _work(self) -> None:
        request: Any = None
        while (batch := self._queue.get()).priority != _CLOSE:
            if batch.priority == _UNLOAD:
                request = None
                continue
            request = self._serve(batch, request)
        while not self._queue.empty():
            batch = self._queue.get()
            if batch.future.set_running_or_notify_cancel():
                batch.future.set_exception(EngineError(f"model {self._pulled.entry.name} was closed"))

    def _serve(self, batch: _Batch, request: Any) -> Any:
        """Run a batch; returns the compiled graph, or None before the first compilation."""
        if batch.future.set_running_or_notify_cancel():
            try:
                request = request or self._compile()
                batch.future.set_result(self._through(batch, request))
            except Exception as error:
                batch.future.set_exception(error)
        return request

    def _through(self, batch: _Batch, request: Any) -> Floats:
        busy = batch.priority == _LARGE and time.monotonic() - self._small_at < _RECENT_S
        done: list[Floats] = []
        for rows in _slices(batch.rows) if busy else [batch.rows]:
            if done:
                self._let_by(request)
            result = _infer(request, rows, self._paired)
            done.append(batch.finish(result, rows) if batch.finish else result)
        return done[0] if len(done) == 1 else np.concatenate(done)

    def _let_by(self, request: Any) -> None:
        """Do the small requests that wait."""
        while not self._queue.empty():
            first = self._queue.get()
            if first.priority != _SMALL:
                self._queue.put(first)
                return
            self._serve(first, request)

    def _compile(self) -> Any:
        import openvino as ov

        core = ov.Core()
        hints = {"INFERENCE_PRECISION_HINT": self._precision, "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": "1"}
        # Weights may be integers, activations stay as they are: scores are those that were measured.
        hints["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "0"
        if self._threads:
            hints["INFERENCE_NUM_THREADS"] = str(self._threads)
        try:
            model = self._graph() if self._graph else str(self._pulled.files["graph"])
            return core.compile_model(model, "CPU", hints).create_infer_request()
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            name = self._pulled.entry.name
            raise ModelError(
                f"{name} cannot be loaded: {reason}", remedy=f"Run `mainspring models pull {name} --force`"
            ) from None


def _infer(request: Any, rows: Sequence[Row], paired: bool) -> Floats:
    longest = max(len(row.ids) for row in rows)
    width = _WORD_LENGTH if longest <= _WORD_LENGTH else -(-longest // _LENGTH_STEP) * _LENGTH_STEP
    ids, mask, types = (np.zeros((len(rows), width), np.int64) for _ in range(3))
    for number, row in enumerate(rows):
        ids[number, : len(row.ids)] = row.ids
        mask[number, : len(row.ids)] = 1
        types[number, row.second : len(row.ids)] = 1
    inputs = {"input_ids": ids, "attention_mask": mask}
    request.infer(inputs | {"token_type_ids": types} if paired else inputs)
    return np.array(request.get_output_tensor(0).data, np.float32)


def _slices(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """``rows`` of a batch, of about ``_SLICE_TOKENS`` each."""
    size = max(1, _SLICE_TOKENS // max(len(row.ids) for row in rows))
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def load_tokenizer(pulled: PulledModel) -> Any:
    """The model's ``tokenizers.Tokenizer``; see ``plain_tokenizer``."""
    return plain_tokenizer(str(pulled.files["tokenizer"]))


def _batches(order: Sequence[int], rows: Sequence[Row]) -> list[list[int]]:
    """Cut ``order`` (indices, by length) into batches whose padded size is bounded."""
    parts: list[list[int]] = []
    for index in order:
        part = parts[-1] if parts else []
        if part and len(part) < _BATCH_TEXTS and (len(part) + 1) * len(rows[index].ids) <= _BATCH_TOKENS:
            part.append(index)
        else:
            parts.append([index])
    return parts


class PairEncoder:
    """A pulled encoder of pairs of texts: its tokenizer and its graph. Its subclasses say what its logits mean. Usable
    from any thread and event loop. Raises ``ModelError`` for a model of another kind."""

    KIND: ClassVar[str]
    """Of its entry in the catalogue."""
    CALLED: ClassVar[str]

    def __init__(self, pulled: PulledModel, threads: int = 0, *, precision: Precision = "bf16") -> None:
        if pulled.entry.kind != self.KIND:
            raise ModelError(f"{pulled.entry.name} is a {pulled.entry.kind} model, not a {self.CALLED}")
        self._pulled = pulled
        self._tokenizer = load_tokenizer(pulled)
        self._runner = EncoderRunner(pulled, threads, precision, paired=True)

    @property
    def name(self) -> str:
        return self._pulled.entry.name

    @property
    def fingerprint(self) -> str:
        return self._pulled.fingerprint

    @property
    def pulled_at(self) -> int:
        """Unix seconds."""
        return self._pulled.pulled_at

    @property
    def limit(self) -> int:
        """Tokens that it reads at once."""
        return self._pulled.entry.max_tokens

    @property
    def most(self) -> int:
        """Characters that could fit: of longer texts nothing else is read."""
        return self.limit * MAX_CHARACTERS_A_TOKEN

    async def close(self) -> None:
        """Stop the thread after the running batch; waiting batches fail with ``EngineError``."""
        await self._runner.close()
