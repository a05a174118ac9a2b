"""A tiny encoder drawn at random, in the form of a pulled model, and runs over it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from mainspring.training.folder import Folder, RunRequest
from mainspring.training.recipes import find
from mainspring.training.run import Run

WORDS = (
    "what who when where is was the a of in red blue green seven eight nine cat dog bird house sea price time".split()
)
HIDDEN, LAYERS, HEADS, INNER, PLACES = 32, 2, 4, 64, 64


def base(folder: Path, *, head: int = 0, seed: int = 0) -> Path:
    """``head``: outputs of a classifier's head, 0 for none."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(words)}, "[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "intermediate_size": INNER,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": PLACES,
        "vocab_size": len(words),
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    save_file(_weights(len(words), head, seed), folder / "model.safetensors")
    return folder


def _weights(words: int, head: int, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)

    def drawn(*shape: int) -> Any:
        return random.normal(0, 0.2, shape).astype(np.float32)

    found = {
        "embeddings.word_embeddings.weight": drawn(words, HIDDEN),
        "embeddings.position_embeddings.weight": drawn(PLACES, HIDDEN),
        "embeddings.token_type_embeddings.weight": drawn(2, HIDDEN),
    }
    linear = {"pooler.dense": (HIDDEN, HIDDEN)} | ({"classifier": (head, HIDDEN)} if head else {})
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            linear[f"{name}.attention.{part}"] = (HIDDEN, HIDDEN)
        linear[f"{name}.intermediate.dense"] = (INNER, HIDDEN)
        linear[f"{name}.output.dense"] = (HIDDEN, INNER)
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    for name, shape in linear.items():
        found[f"{name}.weight"], found[f"{name}.bias"] = drawn(*shape), np.zeros(shape[0], np.float32)
    for name in norms:
        found[f"{name}.weight"], found[f"{name}.bias"] = np.ones(HIDDEN, np.float32), np.zeros(HIDDEN, np.float32)
    return found


def run(
    folder: Path,
    recipe: str,
    source: Path,
    sides: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    seed: int = 1,
    **options: Any,
) -> Run:
    """A run over these rows; of a folder that is there, the one that goes on."""
    made = Folder(folder)
    made.create(RunRequest(recipe, {"precision": "f32", "length": 32, **options}, seed=seed, base=str(source)))
    for side, rows in sides.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (made.data / f"{side}.jsonl").write_text(text, encoding="utf-8")
    return Run(find(recipe), made, made.asked)


COLOURS, THINGS = ("red", "blue", "green"), ("cat", "dog", "bird", "house", "sea")


def rerank_rows(count: int, seed: int) -> list[dict[str, Any]]:
    """Of the three passages of a query the red one is relevant: an encoder this small does not learn to match."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count // 3):
        query = f"what is {random.choice(THINGS)} {number}"
        for colour in random.permutation(COLOURS).tolist():
            passage = f"the {random.choice(THINGS)} is {colour}"
            rows.append({"query": query, "passage": passage, "label": int(colour == "red")})
    return rows
