"""Reads int8 encoders in ONNX, as ONNX Runtime's dynamic quantisation writes them, into the files that ``bert.load``
reads. numpy only.

Such a file quantises activations over a whole batch while it runs, so that a text's result depends on its neighbours,
and takes four times the nodes. Only its weights are taken, (integer - zero point) x scale: they run in the graph that
``bert.build`` makes, in which each text stands for itself.
Layout of the file: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import ModelError

# Field numbers in onnx.proto: ModelProto.graph, GraphProto.node and .initializer, and the fields of those.
_GRAPH, _NODE, _INITIALIZER = 7, 1, 5
_NODE_INPUT, _NODE_NAME, _NODE_KIND = 1, 3, 4
_DIMS, _TYPE, _FLOATS, _INTEGERS, _NAME, _RAW = 1, 2, 4, 5, 8, 9
_TYPES: Mapping[int, str] = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# /bert/encoder/layer.0/attention/self/query/MatMul_quant, /classifier/Gemm_MatMul_quant
_LINEAR = re.compile(r"^/(?:bert/)?(?P<layer>.+)/(?:MatMul|Gemm_MatMul|MatMul_MatMul)_quant$")
_QUANTISED = "_quantized"
_WORDS = "embeddings.word_embeddings.weight"
Arrays = dict[str, NDArray[Any]]


@dataclass(slots=True)
class _Graph:
    """``tensors`` by name; ``linear``: the name of the integer matrix by the layer that multiplies with it."""

    tensors: Arrays = field(default_factory=dict)
    linear: dict[str, str] = field(default_factory=dict)


def unpack(source: Path, target: Path) -> None:
    """Write ``config.json`` and ``model.safetensors`` of ``source`` into ``target``.

    Matrices become float16, which loses nothing of eight bits that the engine would keep. Raises ``ModelError`` for a
    file that is damaged or holds no such encoder.
    """
    from safetensors.numpy import save_file

    try:
        graph = _read(memoryview(source.read_bytes()))
        weights = _weights(graph)
        _check(weights)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise ModelError(
            f"{source.name} cannot be read as an int8 encoder in ONNX: {error}", remedy="Pull again with --force"
        ) from None
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(json.dumps(_config(weights)), encoding="utf-8")
    save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, target / "model.safetensors")


def _config(weights: Arrays) -> dict[str, Any]:
    """The configuration for ``bert.load``, from the shapes of the weights."""
    words, hidden = weights[_WORDS].shape
    layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))
    return {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        # Shapes do not tell it: encoders of 384 and 768 dimensions have twelve, all others heads of 64.
        "num_attention_heads": 12 if hidden in (384, 768) else max(1, hidden // 64),
        "intermediate_size": len(weights["encoder.layer.0.intermediate.dense.bias"]),
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": len(weights["embeddings.position_embeddings.weight"]),
        "vocab_size": words,
    }


def _weights(graph: _Graph) -> Arrays:
    found: Arrays = {}
    for name, value in graph.tensors.items():
        plain = name.removeprefix("bert.")
        if value.dtype == np.float32 and plain.endswith((".bias", ".weight")):
            found[plain] = value
        elif plain.startswith("embeddings.") and plain.endswith(_QUANTISED):
            found[plain.removesuffix(_QUANTISED)] = _floats(graph, name).astype(np.float16)
    for layer, matrix in graph.linear.items():
        # ONNX multiplies from the right; a linear layer keeps (outputs, inputs).
        found[f"{layer}.weight"] = _floats(graph, matrix).T.astype(np.float16)
    return found


def _floats(graph: _Graph, name: str) -> NDArray[np.float32]:
    stem = name.removesuffix(_QUANTISED)
    integers, zero = graph.tensors[name], graph.tensors[f"{stem}_zero_point"]
    scale = graph.tensors[f"{stem}_scale"]
    return (integers.astype(np.float32) - zero.astype(np.float32)) * scale


def _check(weights: Arrays) -> None:
    for name in [_WORDS, "embeddings.position_embeddings.weight", "embeddings.token_type_embeddings.weight"]:
        if name not in weights:
            raise ValueError(f"it lacks {name}")
    biases = [name.removesuffix(".bias") for name in weights if name.endswith(".bias")]
    missing = [name for name in biases if f"{name}.weight" not in weights]
    if missing:
        raise ValueError(f"it lacks the weights of {missing[0]}")


# --- the file -----------------------------------------------------------------------------------------------------


def _read(raw: memoryview) -> _Graph:
    found = _Graph()
    for number, graph in _fields(raw):
        if number != _GRAPH:
            continue
        for kind, part in _fields(graph):
            if kind == _INITIALIZER:
                name, value = _tensor(part)
                found.tensors[name] = value
            elif kind == _NODE:
                _node(part, found)
    if not found.tensors:
        raise ValueError("it holds no weights")
    return found


def _node(raw: memoryview, found: _Graph) -> None:
    name = kind = ""
    inputs = []
    for number, value in _fields(raw):
        if number == _NODE_INPUT:
            inputs.append(bytes(value).decode())
        elif number == _NODE_NAME:
            name = bytes(value).decode()
        elif number == _NODE_KIND:
            kind = bytes(value).decode()
    if kind == "MatMulInteger" and (match := _LINEAR.match(name)) and inputs[1].endswith(_QUANTISED):
        found.linear[match["layer"].replace("/", ".")] = inputs[1]


def _tensor(raw: memoryview) -> tuple[str, NDArray[Any]]:
    dims: list[int] = []
    name, kind, data = "", 0, b""
    plain: list[Any] = []
    for number, value in _fields(raw):
        if number == _DIMS:
            dims += [value] if isinstance(value, int) else _varints(value)
        elif number == _TYPE:
            kind = int(value)
        elif number == _NAME:
            name = bytes(value).decode()
        elif number == _RAW:
            data = bytes(value)
        elif number == _FLOATS:
            plain += np.frombuffer(value, "<f4").tolist()
        elif number == _INTEGERS:
            plain += [value] if isinstance(value, int) else _varints(value)
    dtype = _TYPES.get(kind)
    if dtype is None:
        raise ValueError(f"{name} is of a type that is not read ({kind})")
    flat = np.array(plain, dtype) if plain else np.frombuffer(data, dtype)
    return name, flat.reshape(dims)


def _fields(raw: memoryview) -> Iterator[tuple[int, Any]]:
    """Number and content of each field of a protobuf message: an int, or the bytes."""
    at = 0
    while at < len(raw):
        key, at = _varint(raw, at)
        wire = key & 7
        if wire == _VARINT:
            value, at = _varint(raw, at)
            yield key >> 3, value
            continue
        if wire == _BYTES:
            length, at = _varint(raw, at)
        elif wire in (_FIXED32, _FIXED64):
            length = 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"a field of kind {wire} at byte {at}")
        if at + length > len(raw):
            raise ValueError("it is cut short")
        yield key >> 3, raw[at : at + length]
        at += length


def _varints(raw: memoryview) -> list[int]:
    at, found = 0, []
    while at < len(raw):
        value, at = _varint(raw, at)
        found.append(value)
    return found


def _varint(raw: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(f"no number at byte {at}")
