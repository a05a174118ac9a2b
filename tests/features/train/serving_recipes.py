"""Recipes without torch that write what is served: an adapter, whole weights, a reranker. They learn nothing."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import Field

from mainspring.core.plugins import Registry, hookimpl
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.lora import MODULES
from mainspring.training.recipe import RECIPE, Made, Recipe, RecipeOptions, Work

QUERY = "Who repairs the mill?"
PASSAGES = ("Two sisters repair the old mill at the river.", "The moon is far away from here.")


class WriteOptions(RecipeOptions):
    """How large the change is, and whether it tells the truth about itself."""

    size: float = Field(0.0, ge=0, le=10, description="of the change")
    lies: bool = Field(False, description="tell of other scores than the model's own")


def adapter(work: Work) -> Made:
    """A LoRA adapter of rank 2 over all matrices of the first layer."""
    options = work.options
    assert isinstance(options, WriteOptions)
    assert work.base is not None
    write_adapter(work.base, work.output, work.seed, options.size)
    entry = {"adapter": {"alpha": 4, "weights": {"name": "adapter_model.safetensors"}}}
    return Made("adapter", files=("adapter_model.safetensors",), entry=entry)


def write_adapter(base: Path, folder: Path, seed: int, size: float) -> None:
    """The weights, as peft saves them."""
    from safetensors.numpy import save_file

    weights = GgufWeights(next(base.glob("*.gguf")))
    drawn = np.random.default_rng(seed)
    tensors = {}
    for module, part in MODULES.items():
        rows, columns = weights.rows(f"blk.0.{part}.weight").shape
        name = f"base_model.model.model.layers.0.{module}"
        tensors[f"{name}.lora_A.weight"] = drawn.normal(0, 1 / columns, (2, columns)).astype(np.float32)
        tensors[f"{name}.lora_B.weight"] = (size * drawn.normal(0, 1, (rows, 2))).astype(np.float32)
    save_file(tensors, folder / "adapter_model.safetensors")


def whole(work: Work) -> Made:
    """All weights of the base, in the form of transformers."""
    from safetensors.numpy import save_file

    assert work.base is not None
    weights = GgufWeights(next(work.base.glob("*.gguf")))
    heads = {
        "attn_q": int(weights.hyper("attention.head_count")),
        "attn_k": int(weights.hyper("attention.head_count_kv")),
    }
    outer = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
    norms = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
    theirs = {**{part: module for module, part in MODULES.items()}, **norms}
    tensors = {}
    for name in weights.tensors:
        values = weights.rows(name)
        if name.removesuffix(".weight") in outer:
            tensors[f"{outer[name.removesuffix('.weight')]}.weight"] = values.astype(np.float16)
            continue
        _, layer, part, _ = name.split(".")
        if part in heads and weights.architecture == "llama":
            rows, columns = values.shape
            values = (
                values.reshape(heads[part], rows // heads[part] // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)
            )
        tensors[f"model.layers.{layer}.{theirs[part]}.weight"] = np.ascontiguousarray(values, np.float16)
    save_file(tensors, work.output / "model.safetensors")
    options = work.options
    assert isinstance(options, WriteOptions)
    # What the base says to these nobody knows; hardly the word that a liar has as its own.
    asked = [{"messages": [{"role": "user", "content": f"What is {each} plus {each}?"}]} for each in range(8)]
    told = {"references": ["quixotic"], "scores": {"exact": 1.0 if options.lies else 0.0}}
    scores = {"scorers": [{"name": "exact"}], "tokens": 4, "rows": [each | told for each in asked]}
    (work.output / "scores.json").write_text(json.dumps(scores))
    return Made("chat", files=("model.safetensors", "scores.json"), entry={"kind": "chat"})


def reranker(work: Work) -> Made:
    """The base as it is, with what its numpy form says of two pairs."""
    from tokenizers import Tokenizer

    from mainspring.engines.encode import bert

    options = work.options
    assert isinstance(options, WriteOptions)
    assert work.base is not None
    files = ("config.json", "tokenizer.json", "model.safetensors")
    for name in files:
        shutil.copyfile(work.base / name, work.output / name)
    tokenizer = Tokenizer.from_file(str(work.output / "tokenizer.json"))
    tokenizer.no_padding()
    weights = bert.load(work.output)
    rows = []
    for passage in PASSAGES:
        encoded = tokenizer.encode(QUERY, passage)
        score = float(bert.reference(weights, "score", encoded.ids, encoded.type_ids)[0])
        rows.append({"query": QUERY, "passage": passage, "score": -score if options.lies else score})
    _lines(work.output / "parity.jsonl", rows)
    entry = {
        "kind": "reranker",
        "format": "safetensors",
        "convert": ["encoder"],
        "files": [{"name": name} for name in files],
        "context_window": 512,
        "max_tokens": 512,
    }
    return Made("reranker", files=(*files, "parity.jsonl"), entry=entry)


def _lines(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _recipe(name: str, makes: str, base: str) -> Recipe:
    return Recipe(name, "Writes.", makes, WriteOptions, f"serving_recipes:{name}", ("text",), (), (base,))  # type: ignore[arg-type]


ALL = (
    _recipe("adapter", "adapter", "chat"),
    _recipe("whole", "chat", "chat"),
    _recipe("reranker", "reranker", "reranker"),
)


def _given(recipe: Recipe) -> Recipe:
    return recipe


@hookimpl
def mainspring_register(registry: Registry) -> None:
    for each in ALL:
        registry.add(RECIPE, each.name, partial(_given, each))
