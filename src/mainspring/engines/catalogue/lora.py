"""LoRA adapters merged into weights: W + B A * alpha / r, numpy only.

Adapters come as PEFT writes them (``...layers.3.self_attn.q_proj.lora_A.weight``); GGUF tensors have names of their
own, and in llama-family files the rows of the query and key matrices are in another order.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import ModelError
from mainspring.engines.catalogue.gguf_weights import GgufWeights

Floats = NDArray[np.float32]
_NAME = re.compile(r"layers\.(?P<layer>\d+)\.(?P<module>[\w.]{1,80}?)\.lora_(?P<side>[AB])(?:\.\w+)?(?:\.weight)?$")
MODULES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


class Adapter:
    """A LoRA adapter, keyed by GGUF tensor name."""

    def __init__(self, pairs: dict[str, tuple[Floats, Floats]], alpha: float) -> None:
        self.pairs = pairs
        self.alpha = alpha

    @classmethod
    def load(cls, path: Path, alpha: float) -> Adapter:
        """Read a safetensors adapter. Raises ``ModelError`` naming the tensor that cannot be merged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            raw = load_file(path)
        except (SafetensorError, OSError, TypeError) as error:
            raise ModelError(f"adapter {path.name} cannot be read: {error}") from None
        sides: dict[str, dict[str, Floats]] = {}
        for name, values in raw.items():
            match = _NAME.search(name)
            if match is None or match["module"] not in MODULES:
                known = ", ".join(MODULES)
                raise ModelError(f"adapter {path.name}: {name} cannot be merged", remedy=f"Train LoRA on {known} only")
            tensor = f"blk.{match['layer']}.{MODULES[match['module']]}.weight"
            sides.setdefault(tensor, {})[match["side"]] = values.astype(np.float32)
        for tensor, found in sides.items():
            if set(found) != {"A", "B"} or found["A"].shape[0] != found["B"].shape[1]:
                raise ModelError(f"adapter {path.name}: {tensor} lacks a matching pair of A and B")
        if not sides:
            raise ModelError(f"adapter {path.name} is empty")
        return cls({tensor: (found["A"], found["B"]) for tensor, found in sides.items()}, alpha)

    def merged(self, name: str, values: Floats, weights: GgufWeights) -> Floats:
        """``values`` of tensor ``name`` with the adapter's part added; unchanged if it has none."""
        if name not in self.pairs:
            return values
        down, up = self.pairs[name]
        delta = (up @ down) * np.float32(self.alpha / down.shape[0])
        if delta.shape != values.shape:
            raise ModelError(f"adapter's {name} has shape {delta.shape}, the model's {values.shape}")
        if weights.architecture == "llama" and name.endswith(("attn_q.weight", "attn_k.weight")):
            heads = int(weights.hyper("attention.head_count"))
            if name.endswith("attn_k.weight"):
                heads = int(weights.hyper("attention.head_count_kv", heads))
            delta = interleave(delta, heads)
        return np.asarray(values + delta, np.float32)

    def check(self, weights: GgufWeights) -> None:
        """Raise ``ModelError`` when the adapter has a tensor that the model lacks."""
        strangers = sorted(set(self.pairs) - set(weights.tensors))
        if strangers:
            raise ModelError(f"the adapter is for another model: {weights.path.name} has no {strangers[0]}")


def interleave(matrix: Floats, heads: int) -> Floats:
    """The rows of a query's or key's matrix of transformers in the order of a GGUF file of the llama family."""
    # llama-family GGUFs store rotary pairs side by side, the training code stores them half a head apart.
    rows, columns = matrix.shape
    return matrix.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
