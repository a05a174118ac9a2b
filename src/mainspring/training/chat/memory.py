"""The memory of a run of a chat recipe, planned beforehand from the file of its base. No torch here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mainspring.core.errors import Unsupported
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.training.chat import activations, base_weights, gguf_names
from mainspring.training.chat.activations import Sizes
from mainspring.training.chat.options import TuneOptions
from mainspring.training.folder import read_json
from mainspring.training.parallel.memory import MemoryPlan

_FULL, _HALF = 4, 2
_FOUR_BITS = 0.516
"""Bytes of a weight in NF4 whose scales are quantised, too (Dettmers et al. 2023)."""


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
    parameters = count or embeddings + layers * block + width
    groups = (heads, keys // head)
    return Sizes(parameters, embeddings, layers, matrices, vocabulary, groups, told.get("model_type") == "qwen3")


def trained(found: Sizes, options: TuneOptions) -> int:
    """The parameters that learn."""
    if options.method == "full":
        return found.parameters
    return found.layers * sum(options.rank * sum(found.matrices[each]) for each in options.modules)


def planned(found: Sizes, options: TuneOptions) -> MemoryPlan:
    """With the precision ``auto`` the larger form is counted, that of processors without bfloat16."""
    learned = trained(found, options)
    step = activations.of_options(options)
    if options.method == "full":
        base = 0.0
    elif options.method == "qlora":
        base = (found.parameters - found.embeddings) * _FOUR_BITS + found.embeddings * _HALF
    else:
        base = float(found.parameters * (_HALF if options.precision == "bf16" else _FULL))
    # What learns is in full precision, adapters too.
    return MemoryPlan(
        base + learned * _FULL,
        learned * _FULL,
        learned * 2 * _FULL,
        activations.kept(found, options, step),
        activations.taken(found, options, step),
    )


def notes(options: Any) -> list[str]:
    """What comes besides."""
    told = [f"activations and workspace are those of rows of {options.length} tokens; shorter rows take less"]
    if options.precision == "auto":
        told.append("where bfloat16 is native, less is taken (precision auto)")
    told.append("the workspace is that of a processor; a GPU takes less")
    for name in ("teacher", "reward_model"):
        if getattr(options, name, ""):
            told.append(f"the model that {name} names comes besides")
    return told
