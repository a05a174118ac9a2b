"""Catalogue models in transformers: the same numbers as the reference that conversions are gated with."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.reference_forward import Reference
from mainspring.training.chat import base_weights
from tests.training.chat.conftest import pulled

pytestmark = pytest.mark.torch
TEXT = "The water mill at the bend of the river had stood idle for eleven years when the two sisters bought it."


def perplexity(model: object, ids: list[int]) -> float:
    import torch

    with torch.no_grad():
        return math.exp(float(model(input_ids=torch.tensor([ids]), labels=torch.tensor([ids])).loss))  # type: ignore[operator]


@pytest.mark.parametrize("architecture", ["llama", "qwen3"])
def test_the_model_of_transformers_is_the_file(architecture: str, tmp_path: Path, vocabulary: GgufWeights) -> None:
    pytest.importorskip("torch")
    base = base_weights.find(pulled(tmp_path / "base", architecture, vocabulary))
    ids = base_weights.tokenizer(base)(TEXT)["input_ids"]
    assert base.gguf is not None

    expected = Reference(GgufWeights(base.gguf)).perplexity(ids)
    model = base_weights.model(base)
    assert perplexity(model, ids) == pytest.approx(expected, rel=1e-3)

    # The rows of queries and keys in the other order are another model.
    query = model.model.layers[0].self_attn.q_proj.weight
    before = query.detach().clone()
    query.data = before.flip(0)
    assert perplexity(model, ids) != pytest.approx(expected, rel=1e-2)
    query.data = before

    base_weights.write_gguf(base, model, tmp_path / "again.gguf")
    source, again = GgufWeights(base.gguf), GgufWeights(tmp_path / "again.gguf")
    for name in source.tensors:
        # Q8_0 has steps of a 127th of the largest of 32 neighbours, and chance decides whether it rounds up or down.
        assert abs(again.rows(name) - source.rows(name)).max() <= abs(source.rows(name)).max() / 120, name


def test_a_folder_of_transformers_is_a_base(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    found = base_weights.find(base)
    model = base_weights.model(found)
    model.save_pretrained(tmp_path)
    base_weights.tokenizer(found).save_pretrained(tmp_path)
    plain = base_weights.find(tmp_path)

    assert plain.gguf is None
    assert plain.template == found.template
    assert plain.eos == "<|im_end|>"
    ids = base_weights.tokenizer(plain)(TEXT)["input_ids"]
    assert perplexity(base_weights.model(plain), ids) == pytest.approx(perplexity(model, ids), rel=1e-5)


def test_what_is_no_chat_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="needs a chat model") as refused:
        base_weights.find(tmp_path)
    assert refused.value.param == "base"
