"""Readers, support checks and classifiers: a tiny encoder is pulled, and answers as plain numpy does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from mainspring.core.errors import ModelError
from mainspring.engines.catalogue import convert
from mainspring.engines.catalogue.entries import ModelEntry
from mainspring.engines.catalogue.pull import PulledModel
from mainspring.engines.encode import bert
from mainspring.engines.encode.reader import PassageReader
from mainspring.engines.encode.support_check import SupportCheck
from mainspring.engines.encode.text_classes import TextClasses
from mainspring.engines.encode.tokens import joined, plain_tokenizer
from mainspring.training.encoders import weights
from tests.training.encoders import tiny

QUESTION, PASSAGE = "what is the price of the house", "the price of the red house is seven and the sea is blue"


def _pulled(folder: Path, kind: str, outputs: int, *, int8: bool = False) -> PulledModel:
    source = tiny.base(folder / "source", head=outputs)
    found: dict[str, Any] = load_file(source / "model.safetensors")
    random = np.random.default_rng(5)
    found["classifier.bias"] = random.normal(0, 1, outputs).astype(np.float32)
    if kind == "reader":
        found["span.weight"] = random.normal(0, 0.3, (2, tiny.HIDDEN)).astype(np.float32)
        found["span.bias"] = np.zeros(2, np.float32)
    save_file(found, source / "model.safetensors")
    if int8:
        base = weights.read(source)
        source = folder / "int8"
        weights.write(source, base.weights, base, int8=True)
    entry = ModelEntry.model_validate(
        {
            "name": "tiny",
            "kind": kind,
            "license": "MIT",
            "format": "safetensors",
            "files": [{"name": name, "sources": [f"file:{source / name}"]} for name in weights.FILES],
            "convert": ["encoder"],
            "context_window": tiny.PLACES,
            "max_tokens": 32,
        }
    )
    # The step of the catalogue, without the process of its own that a pull gives it.
    graph = folder / "graph"
    job = {"name": "tiny", "head": entry.head, "source": str(source), "target": str(graph)}
    checked = convert.encoder(job, lambda _stage, _done, _total: None)
    assert checked["cosine"] > 0.999
    files = {"graph": graph / "openvino_model.xml", "tokenizer": source / "tokenizer.json"}
    return PulledModel(entry, graph, {**files, "weights": source / "model.safetensors"}, "tiny", None, {}, {})


@pytest.mark.parametrize("int8", [False, True])
async def test_a_reader_reads_as_numpy_does(tmp_path: Path, int8: bool) -> None:
    pulled = _pulled(tmp_path, "reader", 1, int8=int8)
    reader = PassageReader(pulled, 1, precision="f32")
    try:
        found = await reader.read(QUESTION, [PASSAGE, "cat"])
        assert await reader.read(QUESTION, []) == []
        ranked = await reader.rerank(QUESTION, [PASSAGE, "cat", "cat " * 50])
        assert (await reader.rerank(QUESTION, [])).scores.size == 0
    finally:
        await reader.close()
    (pair,) = joined(plain_tokenizer(str(pulled.files["tokenizer"])), [QUESTION], [PASSAGE], 32, 0.5)
    expected = bert.reference(bert.load(pulled.files["weights"].parent), "read", pair.ids, pair.type_ids)
    assert found[0].score == pytest.approx(float(expected[0, 2]), abs=1e-4)
    inside = range(pair.type_ids.index(1), len(pair.ids) - 1)
    best = max(
        ((first, last) for first in inside for last in inside if first <= last),
        key=lambda span: expected[span[0], 0] + expected[span[1], 1],
    )
    assert (found[0].start, found[0].end) == (pair.offsets[best[0]][0], pair.offsets[best[1]][1])
    assert ranked.scores[:2] == pytest.approx([1 / (1 + np.exp(-each.score)) for each in found], abs=1e-5)
    assert ranked.truncated == 1
    assert list(ranked.spans[:2]) == [(each.start, each.end) for each in found]
    assert 0 <= found[1].start < found[1].end <= 3


async def test_a_support_check_gives_chances(tmp_path: Path) -> None:
    pulled = _pulled(tmp_path, "nli", 3)
    check = SupportCheck(pulled, 1, precision="f32")
    try:
        found = await check.chances([(PASSAGE, "the sea is blue"), (PASSAGE, "the sea is red")])
        assert (await check.chances([])).shape == (0, 3)
    finally:
        await check.close()
    assert found.sum(1) == pytest.approx([1, 1], abs=1e-5)
    (pair,) = joined(plain_tokenizer(str(pulled.files["tokenizer"])), [PASSAGE], ["the sea is blue"], 32, 0.8)
    logits = bert.reference(bert.load(pulled.files["weights"].parent), "score", pair.ids, pair.type_ids)
    odds = np.exp(logits - logits.max())
    assert found[0] == pytest.approx(odds / odds.sum(), abs=1e-4)


async def test_a_classifier_gives_a_logit_a_class(tmp_path: Path) -> None:
    pulled = _pulled(tmp_path, "classifier", 4)
    classes = TextClasses(pulled, ["a", "b", "c", "d"], 1, precision="f32")
    try:
        found = await classes.logits(["the sea is blue", "cat " * 100])
        assert (await classes.logits([])).shape == (0, 4)
    finally:
        await classes.close()
    ids = plain_tokenizer(str(pulled.files["tokenizer"])).encode("the sea is blue").ids
    expected = bert.reference(bert.load(pulled.files["weights"].parent), "score", ids)
    assert found[0] == pytest.approx(expected, abs=1e-4)


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    pulled = _pulled(tmp_path, "nli", 3)
    for make in (PassageReader, lambda model: TextClasses(model, ["a"])):
        with pytest.raises(ModelError, match="is a nli model"):
            make(pulled)
