"""BERT-family encoders as OpenVINO graphs, built straight from safetensors without torch.

``build`` gives an embedder (pooled, L2-normalised) or a cross-encoder (one relevance logit); ``reference`` is the
same forward pass in numpy, written independently, against which each conversion is checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import ModelError

Floats = NDArray[np.float32]
Head = Literal["mean", "cls", "score", "tokens", "read"]
_PAIRED = ("score", "read")
_MASKED = -1e9
_WORDS = "embeddings.word_embeddings.weight"
_SCALE = "embeddings.word_embeddings.scale"


@dataclass(frozen=True, slots=True)
class Encoder:
    """Configuration and float32 weights of a BERT encoder, names without the ``bert.`` prefix.

    A large embedding table may stay in int8, (words, hidden), with its scales in ``embeddings.word_embeddings.scale``,
    (words, groups): each scale applies to a group of neighbouring values. So may the matrix ``NAME.weight`` of a linear
    layer, (outputs, inputs), with a scale an output in ``NAME.scale``, (outputs, 1).
    """

    layers: int
    heads: int
    hidden: int
    epsilon: float
    weights: Mapping[str, NDArray[Any]]


def load(directory: Path) -> Encoder:
    """Read ``config.json`` and ``model.safetensors``. Raises ``ModelError`` if it is not a BERT encoder."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "bert" or config.get("hidden_act", "gelu") != "gelu":
        kind = f"{config.get('model_type')} with {config.get('hidden_act')}"
        raise ModelError(f"only BERT encoders with gelu can be converted, this is {kind}")
    if config.get("position_embedding_type", "absolute") != "absolute":
        raise ModelError("only absolute position embeddings can be converted")
    try:
        raw = load_file(directory / "model.safetensors")
    except (SafetensorError, OSError) as error:
        raise ModelError(f"model.safetensors cannot be read: {error}", remedy="Pull again with --force") from None
    weights = {
        name.removeprefix("bert."): value if value.dtype == np.int8 else value.astype(np.float32)
        for name, value in raw.items()
    }
    encoder = Encoder(
        layers=int(config["num_hidden_layers"]),
        heads=int(config["num_attention_heads"]),
        hidden=int(config["hidden_size"]),
        epsilon=float(config["layer_norm_eps"]),
        weights=weights,
    )
    missing = [f"encoder.layer.{encoder.layers - 1}.output.dense.weight", "embeddings.LayerNorm.weight"]
    if any(name not in weights for name in missing):
        raise ModelError("model.safetensors lacks weights that config.json promises")
    return encoder


def build(encoder: Encoder, head: Head, layers: int = 1) -> Any:
    """An ``openvino.Model``: int64 ``input_ids``, ``attention_mask`` (and ``token_type_ids`` for ``score`` and
    ``read``), all (texts, tokens); output float32 (texts, hidden), unit rows, or (texts, outputs) logits for ``score``,
    or (texts, tokens, layers x hidden), unit rows, for ``tokens``: of the last ``layers`` ones side by side. ``read``
    gives (texts, tokens, 3): the logits of an answer's start and end, and that of there being one, the same for all."""
    import openvino as ov
    from openvino import opset13 as op

    graph = _Graph(op, encoder)
    names = ["input_ids", "attention_mask"] + (["token_type_ids"] if head in _PAIRED else [])
    inputs = [op.parameter([-1, -1], np.int64, name=name) for name in names]
    for parameter, name in zip(inputs, names, strict=True):
        parameter.output(0).get_tensor().set_names({name})
    *_, states = seen = list(graph.encode(*inputs))
    if head == "score":
        result = graph.score(states)
    elif head == "read":
        result = graph.read(states)
    elif head == "tokens":
        kept = seen[-layers:]
        units = [op.normalize_l2(each, graph.index(2), 1e-12, "max") for each in kept]
        result = op.multiply(op.concat(units, 2), op.constant(np.float32(len(kept) ** -0.5)))
    else:
        result = graph.pool(states, inputs[1], head)
    result.output(0).get_tensor().set_names({"result"})
    return ov.Model([result], inputs, "encoder")


class _Graph:
    """Builds nodes; ``op`` is the operation set, ``n`` a weight's name."""

    def __init__(self, op: Any, encoder: Encoder) -> None:
        self.op = op
        self.encoder = encoder

    def constant(self, name: str) -> Any:
        return self.op.constant(self.encoder.weights[name])

    def index(self, *values: int) -> Any:
        return self.op.constant(np.array(values, np.int64))

    def linear(self, x: Any, name: str) -> Any:
        product = self.op.matmul(x, self.matrix(name), False, True)
        return self.op.add(product, self.constant(f"{name}.bias"))

    def matrix(self, name: str) -> Any:
        found = self.constant(f"{name}.weight")
        if f"{name}.scale" not in self.encoder.weights:
            return found
        # The engine keeps the integers and multiplies where it computes.
        return self.op.multiply(self.op.convert(found, "f32"), self.constant(f"{name}.scale"))

    def norm(self, x: Any, name: str) -> Any:
        centred = self.op.mvn(x, self.index(-1), True, self.encoder.epsilon, "inside_sqrt")
        scaled = self.op.multiply(centred, self.constant(f"{name}.weight"))
        return self.op.add(scaled, self.constant(f"{name}.bias"))

    def embed(self, ids: Any, types: Any | None) -> Any:
        op = self.op
        length = op.squeeze(op.gather(op.shape_of(ids), self.index(1), self.index(0)), self.index(0))
        places = op.range(op.constant(np.int64(0)), length, op.constant(np.int64(1)), "i64")
        positions = op.gather(self.constant("embeddings.position_embeddings.weight"), places, self.index(0))
        x = op.add(self.words(ids), positions)
        kinds = "embeddings.token_type_embeddings.weight"
        if types is None:
            x = op.add(x, op.constant(self.encoder.weights[kinds][0]))
        else:
            x = op.add(x, op.gather(self.constant(kinds), types, self.index(0)))
        return self.norm(x, "embeddings.LayerNorm")

    def words(self, ids: Any) -> Any:
        op = self.op
        found = op.gather(self.constant(_WORDS), ids, self.index(0))
        if _SCALE not in self.encoder.weights:
            return found
        # Only the rows that are read are scaled: the table stays small in memory.
        groups = self.encoder.weights[_SCALE].shape[1]
        shape = self.index(0, 0, groups, self.encoder.hidden // groups)
        scale = op.unsqueeze(op.gather(self.constant(_SCALE), ids, self.index(0)), self.index(3))
        scaled = op.multiply(op.reshape(op.convert(found, "f32"), shape, True), scale)
        return op.reshape(scaled, self.index(0, 0, self.encoder.hidden), True)

    def encode(self, ids: Any, mask: Any, types: Any | None = None) -> Iterator[Any]:
        """The states behind each layer."""
        op = self.op
        x = self.embed(ids, types)
        kept = op.convert(op.unsqueeze(mask, self.index(1, 2)), "f32")
        bias = op.multiply(op.subtract(op.constant(np.float32(1)), kept), op.constant(np.float32(_MASKED)))
        for number in range(self.encoder.layers):
            x = self.layer(x, bias, f"encoder.layer.{number}")
            yield x

    def layer(self, x: Any, bias: Any, name: str) -> Any:
        op, width = self.op, self.encoder.hidden // self.encoder.heads

        def split(y: Any) -> Any:
            shaped = op.reshape(y, self.index(0, 0, self.encoder.heads, width), True)
            return op.transpose(shaped, self.index(0, 2, 1, 3))

        parts = [split(self.linear(x, f"{name}.attention.self.{part}")) for part in ("query", "key", "value")]
        mixed = op.transpose(op.scaled_dot_product_attention(*parts, bias), self.index(0, 2, 1, 3))
        joined = op.reshape(mixed, self.index(0, 0, self.encoder.hidden), True)
        attended = op.add(x, self.linear(joined, f"{name}.attention.output.dense"))
        x = self.norm(attended, f"{name}.attention.output.LayerNorm")
        inner = op.gelu(self.linear(x, f"{name}.intermediate.dense"), "erf")
        return self.norm(op.add(x, self.linear(inner, f"{name}.output.dense")), f"{name}.output.LayerNorm")

    def pool(self, states: Any, mask: Any, head: Head) -> Any:
        op = self.op
        if head == "cls":
            pooled = op.gather(states, op.constant(np.int64(0)), self.index(1))
        else:
            weights = op.convert(op.unsqueeze(mask, self.index(2)), "f32")
            total = op.reduce_sum(op.multiply(states, weights), self.index(1))
            pooled = op.divide(total, op.reduce_sum(weights, self.index(1)))
        return op.normalize_l2(pooled, self.index(1), 1e-12, "max")

    def score(self, states: Any) -> Any:
        first = self.op.gather(states, self.op.constant(np.int64(0)), self.index(1))
        return self.linear(self.op.tanh(self.linear(first, "pooler.dense")), "classifier")

    def read(self, states: Any) -> Any:
        spans = self.linear(states, "span")
        # Added to zeros in the form of one column of the spans, the score stands beside each token.
        none = self.op.multiply(self.op.gather(spans, self.index(0), self.index(2)), self.op.constant(np.float32(0)))
        return self.op.concat([spans, self.op.add(none, self.op.unsqueeze(self.score(states), self.index(1)))], 2)


def reference(encoder: Encoder, head: Head, ids: list[int], types: list[int] | None = None) -> Floats:
    """The forward pass of one text in numpy: a vector (hidden,), or (outputs,) for ``score``, (tokens, 3) for
    ``read``."""
    w = encoder.weights

    def linear(x: Floats, name: str) -> Floats:
        scale = w.get(f"{name}.scale", np.float32(1))
        return np.asarray(x @ (w[f"{name}.weight"] * scale).T + w[f"{name}.bias"], np.float32)

    def norm(x: Floats, name: str) -> Floats:
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + encoder.epsilon)
        return np.asarray(centred / scale * w[f"{name}.weight"] + w[f"{name}.bias"], np.float32)

    x = w[_WORDS][ids]
    if _SCALE in w:
        x = x.astype(np.float32) * np.repeat(w[_SCALE][ids], encoder.hidden // w[_SCALE].shape[1], axis=1)
    x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][types or [0] * len(ids)], "embeddings.LayerNorm")
    width = encoder.hidden // encoder.heads
    for number in range(encoder.layers):
        name = f"encoder.layer.{number}"
        query, key, value = (
            linear(x, f"{name}.attention.self.{part}").reshape(len(ids), encoder.heads, width).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        mixed = _softmax(query @ key.transpose(0, 2, 1) / np.sqrt(width)) @ value
        joined = mixed.transpose(1, 0, 2).reshape(len(ids), encoder.hidden)
        x = norm(x + linear(joined, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        inner = _gelu(linear(x, f"{name}.intermediate.dense"))
        x = norm(x + linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    if head in _PAIRED:
        score = linear(np.tanh(linear(x[0], "pooler.dense")), "classifier")
        if head == "score":
            return score
        return np.concatenate([linear(x, "span"), np.repeat(score[None], len(ids), 0)], 1)
    pooled = x[0] if head == "cls" else x.mean(0)
    return np.asarray(pooled / np.linalg.norm(pooled), np.float32)


def _softmax(scores: Floats) -> Floats:
    exponent = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(exponent / exponent.sum(-1, keepdims=True), np.float32)


def _gelu(x: Floats) -> Floats:
    import math

    erf: Callable[[Any], Any] = np.vectorize(math.erf, otypes=[np.float32])
    return np.asarray(x * 0.5 * (1.0 + erf(x / math.sqrt(2.0))), np.float32)
