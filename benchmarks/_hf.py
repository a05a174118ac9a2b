"""A GGUF's weights as a checkpoint that transformers and vLLM read: dequantised, with their names and their order."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from mainspring.engines.catalogue.gguf_weights import GgufWeights

_LAYER = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}


def write_checkpoint(gguf: Path, tokenizer: Path, folder: Path) -> None:
    """Write config.json, the tokenizer and model.safetensors (float32) of a llama model into ``folder``."""
    weights = GgufWeights(gguf)
    heads = int(weights.hyper("attention.head_count"))
    kv_heads = int(weights.hyper("attention.head_count_kv", heads))
    tensors: dict[str, NDArray[np.float32]] = {}
    for name in weights.tensors:
        values = np.ascontiguousarray(weights.rows(name), np.float32)
        if name.endswith(("attn_q.weight", "attn_k.weight")):
            values = _halves(values, heads if "attn_q" in name else kv_heads)
        tensors[_renamed(name)] = values
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    width, vocabulary = int(weights.hyper("embedding_length")), tensors["model.embed_tokens.weight"].shape[0]
    config: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": width,
        "intermediate_size": int(weights.hyper("feed_forward_length")),
        "num_hidden_layers": int(weights.hyper("block_count")),
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "rms_norm_eps": float(weights.hyper("attention.layer_norm_rms_epsilon")),
        "rope_theta": float(weights.hyper("rope.freq_base", 10000.0)),
        "max_position_embeddings": 8192,
        "vocab_size": vocabulary,
        "tie_word_embeddings": "lm_head.weight" not in tensors,
        "hidden_act": "silu",
        "bos_token_id": 1,
        "eos_token_id": 2,
        "dtype": "bfloat16",
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    shutil.copy(tokenizer, folder / "tokenizer.json")
    kept = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(kept), encoding="utf-8")


def _renamed(name: str) -> str:
    stem, _, kind = name.rpartition(".")
    if stem.startswith("blk."):
        _, layer, part = stem.split(".")
        return f"model.layers.{layer}.{_LAYER[part]}.{kind}"
    return f"{_WHOLE[stem]}.{kind}"


def _halves(matrix: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    # llama-family GGUFs store rotary pairs side by side, checkpoints half a head apart.
    rows, columns = matrix.shape
    return np.ascontiguousarray(
        matrix.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
    )
