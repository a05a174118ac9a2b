"""The weights of a translator as they are served: read from CTranslate2's ``model.bin``, in the names of the trainer.

The file is little-endian: the format's version, the name and revision of the model's class, the variables (name, shape,
number type, bytes), and aliases. Matrices in int8 have a scale for each row beside them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import ModelError

Arrays = Mapping[str, NDArray[np.float32]]
FORMAT = 6
_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_BRAIN = 5
"""Numbers of the format for types; bfloat16 is none of NumPy's."""
_ATTENTIONS = {"self_attention": "self_attn", "attention": "encoder_attn"}


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, kind: str) -> int:
        found = struct.unpack_from(f"<{kind}", self._data, self._at)[0]
        self._at += struct.calcsize(kind)
        return int(found)

    def text(self) -> str:
        """Its length counts the zero at its end."""
        return self.bytes(self.number("H"))[:-1].decode()

    def bytes(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]


def read(model: Path) -> dict[str, NDArray[np.float32]]:
    """All variables by their names in the file, in full precision. Raises ``ModelError`` for another format."""
    try:
        found = _variables(_Bytes(model.read_bytes()))
    except (OSError, struct.error, UnicodeDecodeError, ValueError, KeyError) as error:
        raise ModelError(
            f"the weights in {model} cannot be read: {error}", remedy="Train the translator again"
        ) from None
    scales = {name: found.pop(name) for name in [*found] if name.endswith("_scale")}
    for name, scale in scales.items():
        matrix = name.removesuffix("_scale")
        found[matrix] = found[matrix] / scale[:, None]
    return found


def _variables(data: _Bytes) -> dict[str, NDArray[np.float32]]:
    version = data.number("I")
    if version != FORMAT:
        raise ValueError(f"format {version} of CTranslate2, and not {FORMAT}")
    data.text()
    data.number("I")
    found: dict[str, NDArray[np.float32]] = {}
    for _ in range(data.number("I")):
        name = data.text()
        shape = [data.number("I") for _ in range(data.number("B"))]
        kind = data.number("B")
        raw = data.bytes(data.number("I"))
        if kind == _BRAIN:
            values = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw, _TYPES[kind]).astype(np.float32)
        found[name] = values.reshape(shape)
    return found


def by_trainer(found: Arrays) -> dict[str, NDArray[np.float32]]:
    """The same in the names of ``M2M100ForConditionalGeneration``. Raises ``KeyError`` for a model of another shape."""
    table = found["decoder/embeddings/weight"]
    made = dict.fromkeys(
        (
            "model.shared.weight",
            "model.encoder.embed_tokens.weight",
            "model.decoder.embed_tokens.weight",
            "lm_head.weight",
        ),
        table,
    )
    for side in ("encoder", "decoder"):
        _norm(made, f"model.{side}.layer_norm", found, f"{side}/layer_norm")
        layer = 0
        while f"{side}/layer_{layer}/ffn/linear_0/weight" in found:
            _layer(made, f"model.{side}.layers.{layer}", found, f"{side}/layer_{layer}")
            layer += 1
    return made


def _layer(made: dict[str, Any], to: str, found: Arrays, of: str) -> None:
    for theirs, ours in _ATTENTIONS.items():
        if f"{of}/{theirs}/linear_0/weight" not in found:
            continue
        _norm(made, f"{to}.{ours}_layer_norm", found, f"{of}/{theirs}/layer_norm")
        for part in ("weight", "bias"):
            # Queries, keys and values of the same input are one matrix there.
            first = found[f"{of}/{theirs}/linear_0/{part}"]
            if theirs == "self_attention":
                query, key, value = np.split(first, 3)
                last = found[f"{of}/{theirs}/linear_1/{part}"]
            else:
                query = first
                key, value = np.split(found[f"{of}/{theirs}/linear_1/{part}"], 2)
                last = found[f"{of}/{theirs}/linear_2/{part}"]
            for name, values in (("q_proj", query), ("k_proj", key), ("v_proj", value), ("out_proj", last)):
                made[f"{to}.{ours}.{name}.{part}"] = values
    for number in (0, 1):
        for part in ("weight", "bias"):
            made[f"{to}.fc{number + 1}.{part}"] = found[f"{of}/ffn/linear_{number}/{part}"]
    _norm(made, f"{to}.final_layer_norm", found, f"{of}/ffn/layer_norm")


def _norm(made: dict[str, Any], to: str, found: Arrays, of: str) -> None:
    made[f"{to}.weight"], made[f"{to}.bias"] = found[f"{of}/gamma"], found[f"{of}/beta"]
