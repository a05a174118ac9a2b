"""A decoder of ours with its tokenizer as one GGUF file, which the engines read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from mainspring.training.own.models.decoder import Decoder
from mainspring.training.own.texts import TEMPLATE
from mainspring.training.own.words import BEGIN, END, PAD, UNKNOWN

FILE = "model.gguf"
_NAMES = {
    "norm.scale": "attn_norm",
    "attention.query.weight": "attn_q",
    "attention.key.weight": "attn_k",
    "attention.value.weight": "attn_v",
    "attention.out.weight": "attn_output",
    "forward_norm.scale": "ffn_norm",
    "feed_forward.gate.weight": "ffn_gate",
    "feed_forward.up.weight": "ffn_up",
    "feed_forward.down.weight": "ffn_down",
}
_ENDS = {"embedding.tokens.weight": "token_embd", "decoder.norm.scale": "output_norm"}
_NORMAL, _CONTROL = 1, 3


def fits(model: Decoder, tokenizer: Tokenizer) -> bool:
    """Whether it can be written: rotary positions, and byte-level BPE that leaves letters as they are."""
    told = json.loads(tokenizer.to_str())
    lowered = "Lowercase" in json.dumps(told.get("normalizer"))
    return model.shape.positions == "rotary" and told["model"]["type"] == "BPE" and not lowered


def save(model: Decoder, tokenizer: Tokenizer, path: Path) -> None:
    """Write matrices as F16: small models gain little by less. Call it for what ``fits`` alone."""
    import gguf

    shape, draft = model.shape, path.with_name(f".{path.name}")
    writer = gguf.GGUFWriter(str(draft), "llama")
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.length)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(shape.theta)
    writer.add_rope_dimension_count(shape.head)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(1)
    _add_tokenizer(writer, tokenizer)
    for name, weight in model.state_dict().items():
        found = weight.detach().float().cpu().numpy()
        heads = {"query": shape.heads, "key": shape.kv_heads}.get(name.rsplit(".", 2)[-2], 0)
        found = turned(found, heads) if heads else found
        # Engines read vectors as F32 alone, and OpenVINO no matrix of F32.
        writer.add_tensor(f"{_named(name)}.weight", found.astype(np.float16) if found.ndim > 1 else found)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    draft.replace(path)


def turned(weight: Any, heads: int) -> Any:
    """Rows of a head in the order of GGUF's llama, which turns dimension ``2i`` with ``2i + 1``."""
    rows, width = weight.shape
    return np.ascontiguousarray(weight.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width))


def _add_tokenizer(writer: Any, tokenizer: Tokenizer) -> None:
    told = json.loads(tokenizer.to_str())
    special = tokenizer.get_added_tokens_decoder()
    tokens = [tokenizer.id_to_token(number) for number in range(tokenizer.get_vocab_size())]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([_CONTROL if number in special else _NORMAL for number in range(len(tokens))])
    writer.add_token_merges([each if isinstance(each, str) else " ".join(each) for each in told["model"]["merges"]])
    writer.add_bos_token_id(BEGIN)
    writer.add_eos_token_id(END)
    writer.add_pad_token_id(PAD)
    writer.add_unk_token_id(UNKNOWN)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def _named(name: str) -> str:
    if name in _ENDS:
        return _ENDS[name]
    _, _, layer, rest = name.split(".", 3)
    return f"blk.{layer}.{_NAMES[rest]}"
