"""The shape of a model on disk: ``config.json`` in our form, or in Llama's. Needs no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.core.errors import ModelError
from mainspring.training.own.models.shape import Shape

CONFIG = "config.json"


def shape_of(folder: Path) -> Shape:
    """Raises ``ModelError`` if no model of ours lies there."""
    try:
        told = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        return _llama(told) if told.get("model_type") == "llama" else Shape.read(told)
    except (OSError, ValueError, KeyError):
        raise ModelError(
            f"{folder.name} has no readable {CONFIG}", remedy="Name the folder of a model that pretrain made"
        ) from None


def _llama(config: Mapping[str, Any]) -> Shape:
    """Of a Llama that is one of ours. Raises ``ModelError`` for one that our decoder cannot be."""
    rope = config.get("rope_parameters") or {}
    if not config.get("tie_word_embeddings") or config.get("rope_scaling") or config.get("attention_bias"):
        raise ModelError(
            "this Llama has a head of its own, biases or stretched positions, which our decoder has not",
            remedy="Name the folder of a model that pretrain made",
        )
    return Shape(
        "decoder",
        vocabulary=config["vocab_size"],
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        kv_heads=config["num_key_value_heads"],
        hidden=config["intermediate_size"],
        length=config["max_position_embeddings"],
        theta=float(config.get("rope_theta") or rope.get("rope_theta", 10_000.0)),
    )
