"""A decoder with rotary positions is what others call Llama: written so, everything that reads Llama reads it."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from mainspring.core.errors import Unsupported
from mainspring.training.own.models.decoder import Decoder

_NAMES = {
    "norm.scale": "input_layernorm.weight",
    "attention.query.weight": "self_attn.q_proj.weight",
    "attention.key.weight": "self_attn.k_proj.weight",
    "attention.value.weight": "self_attn.v_proj.weight",
    "attention.out.weight": "self_attn.o_proj.weight",
    "forward_norm.scale": "post_attention_layernorm.weight",
    "feed_forward.gate.weight": "mlp.gate_proj.weight",
    "feed_forward.up.weight": "mlp.up_proj.weight",
    "feed_forward.down.weight": "mlp.down_proj.weight",
}


def told(model: Decoder, *, pad: int, begin: int, end: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config and weights as transformers' ``LlamaForCausalLM`` reads them. Raises ``Unsupported`` for other positions
    than rotary ones."""
    shape = model.shape
    if shape.positions != "rotary":
        raise Unsupported(
            f"a decoder with {shape.positions} positions is not a Llama",
            remedy="Use rotary positions",
            param="positions",
        )
    config: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head,
        "max_position_embeddings": shape.length,
        "rms_norm_eps": 1e-5,
        "rope_theta": shape.theta,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "pad_token_id": pad,
        "bos_token_id": begin,
        "eos_token_id": end,
    }
    return config, {renamed(name): weight for name, weight in model.state_dict().items()}


def renamed(name: str) -> str:
    """Our name of a weight, as Llama's."""
    if name == "embedding.tokens.weight":
        return "model.embed_tokens.weight"
    if name == "decoder.norm.scale":
        return "model.norm.weight"
    _, _, layer, rest = name.split(".", 3)
    return f"model.layers.{layer}.{_NAMES[rest]}"
