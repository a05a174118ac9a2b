"""What a trained encoder changed: narrowed, put back, and pulled with a base."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file, save_file

from mainspring.core.errors import ModelError
from mainspring.engines.catalogue import convert, differences
from mainspring.engines.catalogue.entries import FileEntry, ModelEntry
from mainspring.engines.catalogue.sources import Fetcher, Source, parse
from tests.training.encoders import tiny

MATRIX = "encoder.layer.0.output.dense.weight"


def _two() -> tuple[dict[str, Any], dict[str, Any]]:
    random = np.random.default_rng(3)
    base = {
        MATRIX: random.normal(0, 1, (64, 96)).astype(np.float32),
        "embeddings.word_embeddings.weight": random.normal(0, 1, (50, 64)).astype(np.float32),
        "classifier.weight": random.normal(0, 1, (1, 64)).astype(np.float32),
    }
    moved = random.normal(0, 0.1, (64, 3)) @ random.normal(0, 0.1, (3, 96))
    trained = {
        **base,
        MATRIX: (base[MATRIX] + moved).astype(np.float32),
        "classifier.weight": base["classifier.weight"] + 1,
        "span.weight": np.ones((2, 64), np.float32),
    }
    return base, trained


def test_a_narrow_change_comes_back_and_what_did_not_move_is_not_kept() -> None:
    base, trained = _two()
    kept = differences.narrowed(base, trained, 3)
    assert sorted(kept) == ["classifier.weight", f"{MATRIX}.down", f"{MATRIX}.up", "span.weight"]
    found = differences.applied(base, kept)
    assert found.keys() == trained.keys()
    for name, value in trained.items():
        assert np.abs(found[name] - value).max() < 1e-3, name
    # A lower rank keeps less of it.
    less = differences.applied(base, differences.narrowed(base, trained, 1))
    assert np.abs(less[MATRIX] - trained[MATRIX]).max() > 1e-3


def test_changes_of_another_model_are_refused() -> None:
    base, trained = _two()
    kept = differences.narrowed(base, trained, 3)
    with pytest.raises(ModelError, match=r"layer\.0.*another model"):
        differences.applied({**base, MATRIX: base[MATRIX][:, :50]}, kept)


def test_the_step_of_a_pull_writes_the_changed_encoder_and_its_graph(tmp_path: Path) -> None:
    source = tiny.base(tmp_path / "source", head=1)
    weights: dict[str, Any] = load_file(source / "model.safetensors")
    random = np.random.default_rng(5)
    trained = {
        name: value + 0.05 * random.normal(0, 1, value.shape).astype(np.float32) for name, value in weights.items()
    }
    trained["span.weight"] = random.normal(0, 0.3, (2, tiny.HIDDEN)).astype(np.float32)
    trained["span.bias"] = np.zeros(2, np.float32)
    save_file(differences.narrowed(weights, trained, 10**6), tmp_path / "kept.safetensors")
    job = {"name": "tiny", "head": "read", "source": str(source), "weights": str(tmp_path / "kept.safetensors")}
    checked = convert.encoder({**job, "target": str(tmp_path / "out")}, lambda *_: None)
    assert checked["cosine"] > 0.999
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert all(np.abs(written[name] - value).max() < 1e-3 for name, value in trained.items())
    assert (tmp_path / "out" / "openvino_model.xml").exists()
    (tmp_path / "kept.safetensors").write_bytes(b"torn")
    with pytest.raises(ModelError, match=r"kept\.safetensors cannot be read"):
        convert.encoder({**job, "target": str(tmp_path / "other")}, lambda *_: None)


def test_what_the_package_brings_is_a_source(tmp_path: Path) -> None:
    assert parse("packaged:near-miss-reader.safetensors") == Source("packaged", "near-miss-reader.safetensors")
    for wrong in ("packaged:../x", "packaged:a/b", "packaged:a!b"):
        with pytest.raises(ModelError, match="is not understood"):
            parse(wrong)
    fetcher = Fetcher(tmp_path, tmp_path / "archives")
    found = fetcher.fetch(FileEntry(name="card.md", sources=("packaged:CARD.md",)))
    assert "near-miss-reader" in found.read_text(encoding="utf-8")
    with pytest.raises(ModelError, match="could not be fetched"):
        fetcher.fetch(FileEntry(name="other.md", sources=("packaged:absent.md",)))


def test_only_chat_models_and_readers_have_weights_of_their_own() -> None:
    fields: dict[str, Any] = {
        "name": "x",
        "license": "MIT",
        "format": "safetensors",
        "convert": ["encoder"],
        "context_window": 64,
        "max_tokens": 64,
        "files": [
            {"name": name, "sources": ["file:/a"]} for name in ("config.json", "tokenizer.json", "model.safetensors")
        ],
        "weights": {"name": "w.safetensors", "sources": ["packaged:w.safetensors"]},
    }
    assert ModelEntry.model_validate({**fields, "kind": "reader"}).downloads[-1].name == "w.safetensors"
    with pytest.raises(ValidationError, match="weights are for chat models and readers"):
        ModelEntry.model_validate({**fields, "kind": "reranker"})
