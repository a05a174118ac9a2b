"""The step about insults and hate: what guards found in a text at the time, and what their detector finds in it.

The detector is a head over the vectors of an embedding model (``guards.detect.embedding_detector``). It reads questions
in windows and answers sentence by sentence, as the guards do. Texts of a batch are read together, each once.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mainspring.core.errors import ModelError
from mainspring.features.lake.steps.base import Outcome, texts
from mainspring.features.lake.steps.options import BuildSettings
from mainspring.guards.detect import embedding_detector
from mainspring.guards.rewrite.windows import Windows

if TYPE_CHECKING:
    from mainspring.engines.base import Embedder
    from mainspring.engines.catalogue.pull import PulledModel

    Pulled = Callable[[str], PulledModel]
    """The model of this name. Raises ``ModelNotPulled``."""

HEAD = "toxicity"
_GUARDS = frozenset({"answer", "toxicity_detector"})
_AT_ONCE = 4_096
"""Texts whose vectors are in memory at once."""


def ready(options: BuildSettings, pulled: Pulled) -> BuildSettings:
    """``options`` with the model that the detector needs, for processes that know no settings. Raises ``ModelError``
    where the model is not there."""
    if options.toxicity != "detector" or HEAD in options.without or options.detector_model is not None:
        return options
    try:
        return options.with_detector_model(pulled(embedding_detector.packaged().embedder))
    except ModelError as error:
        raise type(error)(f"lake.build.toxicity: {error.message}", remedy=error.remedy) from error


def toxic(batch: pa.RecordBatch, options: BuildSettings) -> Outcome:
    """Rows in whose question or answer a guard saw toxicity, and those in which the detector does."""
    reasons = ["a guard said so" if told(each or ()) else "" for each in batch.column("guards").to_pylist()]
    if options.toxicity == "detector":
        rows = [row for row, reason in enumerate(reasons) if not reason]
        pieces = [sorted(set(each)) for each in _pieces(batch.take(pa.array(rows, pa.int64())))]
        found = _toxic_texts({text for each in pieces for text in each}, options)
        for row, said in zip(rows, pieces, strict=True):
            reasons[row] = "" if found.isdisjoint(said) else "detector"
    return batch, reasons


def told(guards: Sequence[str]) -> bool:
    """Whether a guard saw toxicity, by ``guard:kind:action``. After ``retry`` the answer is another one."""
    for each in guards:
        guard, kind, action = each.split(":", 2)
        if kind == HEAD and guard in _GUARDS and action != "retry":
            return True
    return False


def _pieces(batch: pa.RecordBatch) -> Iterator[list[str]]:
    """What is read of each row: windows of its question, sentences of its answer and of what a person made of it."""
    columns = (texts(batch, name) for name in ("question", "answer", "edited"))
    for question, answer, edited in zip(*columns, strict=True):
        yield [*embedding_detector.windows(question), *_sentences(answer), *_sentences(edited)]


def _sentences(text: str) -> list[str]:
    cut = Windows()
    return [each.text for each in [*cut.push(text), *cut.flush()] if each.text]


def _toxic_texts(wanted: set[str], options: BuildSettings) -> set[str]:
    head = embedding_detector.packaged().heads[HEAD]
    least = options.toxicity_above or head.threshold
    # The order decides which texts share a batch of the model, and so the last digits of their vectors.
    ordered = sorted(wanted)
    found: set[str] = set()
    for start in range(0, len(ordered), _AT_ONCE):
        part = ordered[start : start + _AT_ONCE]
        chances = head.probabilities(_vectors(part, options))
        found.update(part[place] for place in np.flatnonzero(chances >= least))
    return found


def _vectors(wanted: Sequence[str], options: BuildSettings) -> Any:
    model = options.detector_model
    assert model is not None, "the options are not ready"
    return asyncio.run(_embedder(_Model(model)).embed(wanted, "passage")).vectors


class _Model:
    """A pulled model as a key: its bytes decide."""

    def __init__(self, pulled: PulledModel) -> None:
        self.pulled = pulled

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Model) and other.pulled.fingerprint == self.pulled.fingerprint

    def __hash__(self) -> int:
        return hash(self.pulled.fingerprint)


@functools.lru_cache(1)
def _embedder(model: _Model) -> Embedder:
    """One thread: each process of a build has its own. Vectors in full precision hardly depend on the texts beside
    them."""
    from mainspring.engines.encode.embedder import OpenVinoEmbedder

    return OpenVinoEmbedder(model.pulled, threads=1, precision="f32")
