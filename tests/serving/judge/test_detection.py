"""Detectors at work: each text embedded once for a tenant, charged and traced; never on vectors of another model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from mainspring.core.errors import SettingsError
from mainspring.core.types import Context
from mainspring.engines.base import Embedded, Embedder
from mainspring.guards.detect.embedding_detector import Head, Heads
from mainspring.serving.judge import detection
from mainspring.serving.judge.detection import Detection
from mainspring.serving.money.charged_models import ChargedModels
from tests.serving.house import MemoryTracing, visitor


class Letters:
    name, dimensions, max_tokens = "letters", 1, 512

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str], kind: str = "passage") -> Embedded:
        self.embedded += texts
        return Embedded(np.array([[float("bad" in text)] for text in texts]), sum(self.count_tokens(texts)))

    async def close(self) -> None: ...


class Free:
    """Charges nothing, and says who would have paid."""

    def __init__(self) -> None:
        self.charged: list[str] = []

    def embedder(self, inner: Embedder, context: Context) -> Embedder:
        self.charged.append(context.principal.tenant)
        return inner


HEADS = Heads("letters", {"injection": Head("injection", np.array([20.0]), -10.0, 0.5)})


def made() -> tuple[Detection, Letters, Free, MemoryTracing]:
    letters, free, tracing = Letters(), Free(), MemoryTracing()
    return Detection(HEADS, cast(Any, letters), cast(ChargedModels, free), tracing), letters, free, tracing


async def test_a_text_is_embedded_once_for_each_tenant() -> None:
    detecting, letters, free, tracing = made()
    for tenant in ("acme", "acme", "other"):
        scores = await detecting(["good", "bad"], visitor(tenant))
        assert [round(each["injection"]) for each in scores] == [0, 1]
    assert letters.embedded == ["good", "bad"] * 2
    assert free.charged == ["acme", "other"]
    assert [span.attributes["mainspring.windows"] for span in tracing.spans] == [2, 2]
    assert all(span.attributes["mainspring.detectors"] == HEADS.version for span in tracing.spans)


async def test_documents_are_read_in_pieces() -> None:
    detecting, letters, _, _ = made()
    text = "One is fine. Two is fine. This is bad. Four is fine."
    ((score),) = await detecting([text], visitor(), pieces=True)
    assert score["injection"] > 0.5
    assert letters.embedded == ["One is fine. Two is fine.", "Two is fine. This is bad.", "This is bad. Four is fine."]


def test_another_embedding_model_is_an_error_only_where_detectors_are_wanted() -> None:
    letters, free = cast(Any, Letters()), cast(Any, Free())
    assert detection.make(letters, free, MemoryTracing(), wanted=False) is None
    with pytest.raises(SettingsError, match="all-minilm-l6-v2"):
        detection.make(letters, free, MemoryTracing(), wanted=True)
