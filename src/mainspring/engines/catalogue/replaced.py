"""Weights in the form of transformers in the place of those of a GGUF file: what full fine-tuning writes.

The file keeps its metadata, tokenizer and template; the architecture and all shapes must be the same.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import ModelError
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.lora import MODULES, interleave

Floats = NDArray[np.float32]
_LAYER = re.compile(r"blk\.(?P<layer>\d+)\.(?P<part>.+)\.(?P<kind>weight|bias)$")
_OUTER = {"token_embd.weight": "model.embed_tokens", "output_norm.weight": "model.norm", "output.weight": "lm_head"}
_PARTS = {
    **{part: module for module, part in MODULES.items()},
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
}
READS = frozenset({"llama", "qwen2", "qwen3"})


class Replaced:
    """Tensors of a safetensors file by their names there, read one at a time."""

    def __init__(self, file: Any, name: str) -> None:
        self._file = file
        self._name = name
        self._names = frozenset(file.keys())

    @classmethod
    def load(cls, path: Path) -> Replaced:
        """Raises ``ModelError`` for a file that cannot be read."""
        from safetensors import SafetensorError, safe_open

        try:
            return cls(safe_open(str(path), framework="np"), path.name)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{path.name} cannot be read: {error}") from None

    def check(self, weights: GgufWeights) -> None:
        """Raise ``ModelError`` for another architecture, and if either has a tensor that the other lacks."""
        if weights.architecture not in READS:
            raise ModelError(f"weights of {weights.architecture} cannot be replaced", remedy="Train an adapter")
        wanted = {theirs for name in weights.tensors if (theirs := _theirs(name)) is not None}
        # A tied output matrix is the embedding.
        lacking = sorted(wanted - self._names - {"lm_head.weight"})
        strange = sorted(self._names - wanted - {"lm_head.weight"})
        if lacking or strange:
            raise ModelError(f"{self._name} is of another model: {(lacking or strange)[0]} has no counterpart")

    def merged(self, name: str, values: Floats, weights: GgufWeights) -> Floats:
        """The tensor that stands for ``name``; ``values`` where there is none, such as factors of positions."""
        theirs = _theirs(name)
        if theirs == "lm_head.weight" and theirs not in self._names:
            theirs = "model.embed_tokens.weight"
        if theirs is None:
            return values
        found = np.asarray(self._tensor(theirs), np.float32)
        if found.shape != values.shape:
            raise ModelError(f"{theirs} has shape {found.shape}, the model's {values.shape}")
        if (weights.architecture == "llama" and ".attn_q." in name) or (
            weights.architecture == "llama" and ".attn_k." in name
        ):
            heads = int(weights.hyper("attention.head_count"))
            if ".attn_k." in name:
                heads = int(weights.hyper("attention.head_count_kv", heads))
            rows = found if found.ndim == 2 else found[:, None]
            return interleave(rows, heads).reshape(found.shape)
        return found

    def _tensor(self, name: str) -> Any:
        try:
            return self._file.get_tensor(name)
        except TypeError:
            # numpy has no bfloat16.
            raise ModelError(
                f"{self._name} has weights in bfloat16", remedy="Save them as float16 or float32"
            ) from None


def _theirs(name: str) -> str | None:
    """The name of a tensor in the form of transformers; None: it has no counterpart there."""
    if name in _OUTER:
        return f"{_OUTER[name]}.weight"
    match = _LAYER.match(name)
    if match is None or match["part"] not in _PARTS:
        return None
    return f"model.layers.{match['layer']}.{_PARTS[match['part']]}.{match['kind']}"
