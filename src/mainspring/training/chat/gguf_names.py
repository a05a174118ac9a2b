"""How the tensors and hyperparameters of a GGUF file are named in transformers, and back; numpy alone.

In llama-family files the rows of the query and key matrices lie in rotary pairs side by side; training code has the
pairs half a head apart. ``apart`` and ``together`` are each other's inverse.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import Unsupported
from mainspring.engines.catalogue.gguf_weights import GgufWeights

Floats = NDArray[np.float32]
ARCHITECTURES = ("llama", "qwen2", "qwen3")
_WHOLE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_OF_LAYER = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def config_fields(weights: GgufWeights) -> dict[str, Any]:
    """The fields of the configuration in transformers. Raises ``Unsupported`` for other architectures, and for rotary
    frequencies that are stretched by a table of the file."""
    if weights.architecture not in ARCHITECTURES or weights.has("rope_freqs.weight"):
        told = "its rotary frequencies are stretched" if weights.has("rope_freqs.weight") else weights.architecture
        raise Unsupported(
            f"{weights.path.name} cannot be trained here: {told}",
            remedy=f"Start from a chat model of the architectures {', '.join(ARCHITECTURES)}",
            param="base",
        )
    heads = int(weights.hyper("attention.head_count"))
    width = int(weights.hyper("embedding_length"))
    return {
        "model_type": weights.architecture,
        "vocab_size": weights.row_count("token_embd.weight"),
        "hidden_size": width,
        "intermediate_size": int(weights.hyper("feed_forward_length")),
        "num_hidden_layers": int(weights.hyper("block_count")),
        "num_attention_heads": heads,
        "num_key_value_heads": int(weights.hyper("attention.head_count_kv", heads)),
        "head_dim": int(weights.hyper("attention.key_length", width // heads)),
        "rms_norm_eps": float(weights.hyper("attention.layer_norm_rms_epsilon")),
        "max_position_embeddings": int(weights.hyper("context_length", 2048)),
        "rope_parameters": {"rope_type": "default", "rope_theta": float(weights.hyper("rope.freq_base", 10000.0))},
        "tie_word_embeddings": not weights.has("output.weight"),
        "bos_token_id": weights.field("tokenizer.ggml.bos_token_id"),
        "eos_token_id": weights.field("tokenizer.ggml.eos_token_id"),
    }


def tensors(weights: GgufWeights) -> Iterator[tuple[str, Floats]]:
    """Name and values of each tensor as transformers has them, one after the other. Raises ``Unsupported`` for a tensor
    that has no place there."""
    for name in weights.tensors:
        yield torch_name(name), turned(weights, name, weights.rows(name), apart)


def torch_name(name: str) -> str:
    """``blk.3.attn_q.weight`` -> ``model.layers.3.self_attn.q_proj.weight``."""
    if name in _WHOLE:
        return _WHOLE[name]
    parts = name.split(".")
    if len(parts) != 4 or parts[0] != "blk" or parts[2] not in _OF_LAYER:
        raise Unsupported(f"the tensor {name} has no place in a model that is trained here", param="base")
    return f"model.layers.{parts[1]}.{_OF_LAYER[parts[2]]}.{parts[3]}"


def turned(weights: GgufWeights, name: str, values: Floats, turn: Any) -> Floats:
    """``values`` with ``turn`` (``apart`` or ``together``) applied where this file needs it."""
    if weights.architecture != "llama" or (".attn_q." not in name and ".attn_k." not in name):
        return values
    heads = int(weights.hyper("attention.head_count"))
    if ".attn_k." in name:
        heads = int(weights.hyper("attention.head_count_kv", heads))
    return np.asarray(turn(values, heads), np.float32)


def apart(values: Floats, heads: int) -> Floats:
    """From pairs side by side to pairs half a head apart; (rows, columns), or a vector of rows."""
    return values.reshape(heads, -1, 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def together(values: Floats, heads: int) -> Floats:
    """From pairs half a head apart to pairs side by side."""
    return values.reshape(heads, 2, -1, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
