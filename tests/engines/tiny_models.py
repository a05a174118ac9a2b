"""Random models of a few thousand weights in the real file formats, for tests of what must hold for any weights."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGUFWriter
from numpy.typing import NDArray
from safetensors.numpy import save_file

from mainspring.engines.catalogue.gguf_weights import GgufWeights

HIDDEN, HEADS, KV_HEADS, WIDTH, INNER, LAYERS, WORDS = 64, 4, 2, 32, 96, 2, 2000
Weights = dict[str, NDArray[np.float32]]


def random(shape: tuple[int, ...], seed: int, scale: float = 0.08) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def chat_weights(architecture: str, vocabulary: int) -> Weights:
    """GGUF tensors of a decoder."""
    query, kv = HEADS * WIDTH, KV_HEADS * WIDTH
    weights: Weights = {"token_embd.weight": random((vocabulary, HIDDEN), 0, 0.2)}
    weights["output_norm.weight"] = np.ones(HIDDEN, np.float32)
    shapes = {
        "attn_q": (query, HIDDEN),
        "attn_k": (kv, HIDDEN),
        "attn_v": (kv, HIDDEN),
        "attn_output": (HIDDEN, query),
        "ffn_gate": (INNER, HIDDEN),
        "ffn_up": (INNER, HIDDEN),
        "ffn_down": (HIDDEN, INNER),
    }
    for layer in range(LAYERS):
        for number, (name, shape) in enumerate(shapes.items()):
            weights[f"blk.{layer}.{name}.weight"] = random(shape, 10 * layer + number + 1, 0.3)
        for name in ("attn_norm", "ffn_norm"):
            weights[f"blk.{layer}.{name}.weight"] = 1 + random((HIDDEN,), 50 + layer)
        if architecture == "qwen3":
            for name in ("attn_q_norm", "attn_k_norm"):
                weights[f"blk.{layer}.{name}.weight"] = 1 + random((WIDTH,), 70 + layer)
    return weights


@functools.cache
def _tokenizer(path: Path) -> list[tuple[str, Any, list[Any]]]:
    """The tokenizer's fields of a GGUF, cut to its first ``WORDS`` tokens and the merges that make them."""
    source = GgufWeights(path)
    words = source.field("tokenizer.ggml.tokens")[:WORDS]
    known = set(words)
    fields = []
    for name, found in source._reader.fields.items():
        if not name.startswith("tokenizer."):
            continue
        value = found.contents()
        if name == "tokenizer.ggml.merges":
            value = [merge for merge in value if merge.replace(" ", "", 1) in known and set(merge.split(" ")) <= known]
        elif isinstance(value, list):
            value = value[:WORDS]
        fields.append((name, value, found.types))
    return fields


def write_chat(path: Path, architecture: str, vocabulary: GgufWeights, kind: str = "F16") -> Path:
    """A GGUF with the beginning of ``vocabulary``'s tokenizer and random weights stored as ``kind``."""
    writer = GGUFWriter(str(path), architecture)
    for name, value, kinds in _tokenizer(vocabulary.path):
        if kinds[0] == gguf.GGUFValueType.ARRAY:
            writer.add_key_value(name, value, kinds[0], sub_type=kinds[-1])
        else:
            writer.add_key_value(name, value, kinds[0])
    writer.add_file_type(1)
    writer.add_context_length(512)
    writer.add_block_count(LAYERS)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(WIDTH)
    writer.add_value_length(WIDTH)
    writer.add_rope_dimension_count(WIDTH)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    words = WORDS
    writer.add_vocab_size(words)
    quantisation = gguf.GGMLQuantizationType[kind]
    for name, values in chat_weights(architecture, words).items():
        if values.ndim == 1:
            writer.add_tensor(name, values)
        elif kind == "F16":
            writer.add_tensor(name, values.astype(np.float16))
        else:
            writer.add_tensor(name, gguf.quants.quantize(values, quantisation), raw_dtype=quantisation)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_adapter(path: Path, rank: int = 4) -> Path:
    """A LoRA adapter on the query and down projections of every layer, named as PEFT names them."""
    tensors = {}
    for layer in range(LAYERS):
        prefix = f"base_model.model.model.layers.{layer}"
        tensors[f"{prefix}.self_attn.q_proj.lora_A.weight"] = random((rank, HIDDEN), 100 + layer)
        tensors[f"{prefix}.self_attn.q_proj.lora_B.weight"] = random((HEADS * WIDTH, rank), 110 + layer)
        tensors[f"{prefix}.mlp.down_proj.lora_A.weight"] = random((rank, INNER), 120 + layer)
        tensors[f"{prefix}.mlp.down_proj.lora_B.weight"] = random((HIDDEN, rank), 130 + layer)
    save_file(tensors, path)
    return path


def write_encoder(directory: Path, tokenizer: Path, vocabulary: int, *, score: bool = False) -> Path:
    """A BERT encoder: config.json, model.safetensors and ``tokenizer``; with a classifier where ``score``."""
    directory.mkdir(parents=True, exist_ok=True)
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": HIDDEN,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "layer_norm_eps": 1e-12,
    }
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    prefix = "bert." if score else ""
    weights: Weights = {
        f"{prefix}embeddings.word_embeddings.weight": random((vocabulary, HIDDEN), 1, 0.5),
        f"{prefix}embeddings.position_embeddings.weight": random((512, HIDDEN), 2),
        f"{prefix}embeddings.token_type_embeddings.weight": random((2, HIDDEN), 3, 0.5),
    }
    norms = [f"{prefix}embeddings.LayerNorm"]
    for layer in range(LAYERS):
        name = f"{prefix}encoder.layer.{layer}"
        for number, part in enumerate(("query", "key", "value")):
            _linear(weights, f"{name}.attention.self.{part}", HIDDEN, HIDDEN, 10 * layer + number)
        _linear(weights, f"{name}.attention.output.dense", HIDDEN, HIDDEN, 10 * layer + 4)
        _linear(weights, f"{name}.intermediate.dense", INNER, HIDDEN, 10 * layer + 5)
        _linear(weights, f"{name}.output.dense", HIDDEN, INNER, 10 * layer + 6)
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    for name in norms:
        weights[f"{name}.weight"] = 1 + random((HIDDEN,), 90)
        weights[f"{name}.bias"] = random((HIDDEN,), 91)
    if score:
        _linear(weights, "bert.pooler.dense", HIDDEN, HIDDEN, 92)
        _linear(weights, "classifier", 1, HIDDEN, 93)
    save_file(weights, directory / "model.safetensors")
    return directory


def _linear(weights: Weights, name: str, rows: int, columns: int, seed: int) -> None:
    weights[f"{name}.weight"] = random((rows, columns), 200 + seed, 0.2)
    weights[f"{name}.bias"] = random((rows,), 300 + seed, 0.2)
