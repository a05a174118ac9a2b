"""Weights of BERT encoders as arrays: read from the folder of a pulled model, written as the catalogue's step
``encoder`` reads them. numpy alone; names have no prefix ``bert.``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import InvalidRequest, ModelError
from mainspring.engines.encode import bert

Floats = NDArray[np.float32]
FILES = ("config.json", "tokenizer.json", "model.safetensors")
"""What is written."""
_LARGE = ("encoder.layer.", "pooler.", "embeddings.word_embeddings.")
"""What is written in eight bits: heads and the table of places are small."""


@dataclass(frozen=True, slots=True)
class Base:
    """What a run starts from: the configuration, and float32 weights by name."""

    folder: Path
    config: Mapping[str, Any]
    weights: Mapping[str, Floats]

    @property
    def tokenizer(self) -> Path:
        return self.folder / "tokenizer.json"


def read(folder: Path | None) -> Base:
    """Raises ``InvalidRequest`` without a folder, and for one that holds no BERT encoder."""
    if folder is None:
        raise InvalidRequest("an encoder starts from a pulled one", remedy="Name a base", param="base")
    missing = [name for name in FILES if not (folder / name).exists()]
    if missing:
        raise InvalidRequest(
            f"the base lacks {', '.join(missing)}", remedy="Take an embedding model or a reranker", param="base"
        )
    try:
        weights = {name: dequantised(each, name) for each in [bert.load(folder).weights] for name in each}
    except ModelError as error:
        raise InvalidRequest(
            error.message, remedy="Take a BERT encoder, such as all-minilm-l6-v2", param="base"
        ) from None
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return Base(folder, config, {name: value for name, value in weights.items() if not name.endswith(".scale")})


def dequantised(weights: Mapping[str, NDArray[Any]], name: str) -> Floats:
    """A weight in float32; integers are multiplied by the scales of their groups."""
    value = weights[name]
    if value.dtype != np.int8:
        return np.asarray(value, np.float32)
    scale = weights[f"{name.removesuffix('.weight')}.scale"]
    return value.astype(np.float32) * np.repeat(scale, value.shape[1] // scale.shape[1], axis=1)


def quantised(value: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Integers (rows, columns) in [-127, 127], and the scale of each row, (rows, 1): the nearest integer times it is
    at most half a scale away from the weight."""
    scale = np.maximum(np.abs(value).max(1, keepdims=True), 1e-12) / 127
    return np.clip(np.rint(value / scale), -127, 127).astype(np.int8), scale.astype(np.float32)


def write(folder: Path, weights: Mapping[str, Floats], base: Base, *, int8: bool) -> tuple[str, ...]:
    """Write ``FILES``. ``int8``: large matrices in eight bits with a scale a row."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, NDArray[Any]] = {}
    for name, value in weights.items():
        if int8 and value.ndim == 2 and name.startswith(_LARGE):
            found[name], found[f"{name.removesuffix('.weight')}.scale"] = quantised(value)
        else:
            found[name] = np.ascontiguousarray(value, np.float32)
    save_file(found, folder / "model.safetensors")
    keys = ("model_type", "hidden_act", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    more = ("layer_norm_eps", "max_position_embeddings", "vocab_size", "type_vocab_size", "pad_token_id")
    config = {key: base.config[key] for key in (*keys, *more) if key in base.config}
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    shutil.copyfile(base.tokenizer, folder / "tokenizer.json")
    return FILES
