"""The memory of a run of a chat recipe, planned beforehand from the file of its base. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.errors import Unsupported
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.training.chat import base_weights, gguf_names
from mainspring.training.chat.options import TuneOptions
from mainspring.training.folder import read_json
from mainspring.training.parallel.memory import MemoryPlan

_FULL, _HALF = 4, 2
_FOUR_BITS = 0.516
"""Bytes of a weight in NF4 whose scales are quantised, too (Dettmers et al. 2023)."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a Llama-like model: all ``parameters``, those of its ``embeddings`` (the head's, if it has its own), and each
    matrix of a layer by name as (inputs, outputs)."""

    parameters: int
    embeddings: int
    layers: int
    matrices: Mapping[str, tuple[int, int]]


def sizes(folder: Path) -> Sizes:
    """Of the base in ``folder``. Raises what ``base_weights.find`` raises, and ``Unsupported`` for a folder without
    its sizes."""
    base = base_weights.find(folder)
    if base.gguf is not None:
        weights = GgufWeights(base.gguf)
        told = gguf_names.config_fields(weights)
        count = sum(int(each.n_elements) for each in weights.tensors.values())
    else:
        assert base.folder is not None
        told, count = read_json(base.folder / "config.json") or {}, 0
    try:
        width, inner, heads = (told[each] for each in ("hidden_size", "intermediate_size", "num_attention_heads"))
        layers, vocabulary = told["num_hidden_layers"], told["vocab_size"]
    except KeyError as error:
        raise Unsupported(f"{base.name}: its config.json has no {error}", param="base") from None
    head = told.get("head_dim") or width // heads
    keys, mixed = told.get("num_key_value_heads", heads) * head, heads * head
    matrices = {
        "q_proj": (width, mixed),
        "k_proj": (width, keys),
        "v_proj": (width, keys),
        "o_proj": (mixed, width),
        "gate_proj": (width, inner),
        "up_proj": (width, inner),
        "down_proj": (inner, width),
    }
    embeddings = vocabulary * width * (1 if told.get("tie_word_embeddings") else 2)
    block = sum(one * other for one, other in matrices.values()) + 2 * width
    return Sizes(count or embeddings + layers * block + width, embeddings, layers, matrices)


def trained(found: Sizes, options: TuneOptions) -> int:
    """The parameters that learn."""
    if options.method == "full":
        return found.parameters
    return found.layers * sum(options.rank * sum(found.matrices[each]) for each in options.modules)


def planned(found: Sizes, options: TuneOptions) -> MemoryPlan:
    """Weights, gradients and moments. Activations are not planned: they depend on the trainer. With the precision
    ``auto`` the larger form is counted, that of processors without bfloat16."""
    learned = trained(found, options)
    if options.method == "full":
        return MemoryPlan(learned * _FULL, learned * _FULL, learned * 2 * _FULL, 0.0)
    if options.method == "qlora":
        base = (found.parameters - found.embeddings) * _FOUR_BITS + found.embeddings * _HALF
    else:
        base = found.parameters * (_HALF if options.precision == "bf16" else _FULL)
    # Adapters learn in full precision.
    return MemoryPlan(base + learned * _FULL, learned * _FULL, learned * 2 * _FULL, 0.0)


def notes(options: Any) -> list[str]:
    """What comes besides."""
    told = ["activations are not counted: they grow with batch * length, and gradient_checkpointing saves most of them"]
    if options.precision == "auto" and options.method == "lora":
        told.append("where bfloat16 is native, the base takes half of it (precision auto)")
    for name in ("teacher", "reward_model"):
        if getattr(options, name, ""):
            told.append(f"the model that {name} names comes besides")
    return told
