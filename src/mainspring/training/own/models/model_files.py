"""Models on disk: ``config.json``, ``model.safetensors`` and, beside them, ``tokenizer.json``.

``config.json`` is the shape; of a decoder with rotary positions it is Llama's config, so that others read it as well.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mainspring.core.errors import ModelError
from mainspring.training.own.models import llama
from mainspring.training.own.models.config import CONFIG, shape_of
from mainspring.training.own.models.decoder import Decoder
from mainspring.training.own.models.encoder import Encoder
from mainspring.training.own.models.encoder_decoder import EncoderDecoder
from mainspring.training.own.models.shape import Shape
from mainspring.training.own.words import BEGIN, END, PAD

WEIGHTS = "model.safetensors"


def build(shape: Shape) -> nn.Module:
    """A model of this shape with random weights, by torch's generator."""
    kinds: dict[str, type[nn.Module]] = {"decoder": Decoder, "encoder": Encoder, "encoder-decoder": EncoderDecoder}
    return kinds[shape.kind](shape)


def save(model: nn.Module, folder: Path) -> tuple[str, ...]:
    """Write a model; returns the names of its files."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(model, Decoder) and model.shape.positions == "rotary":
        config, weights = llama.told(model, pad=PAD, begin=BEGIN, end=END)
    else:
        shape: Any = model.shape
        config, weights = shape.told(), model.state_dict()
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    write(weights, folder / WEIGHTS)
    return CONFIG, WEIGHTS


def load(folder: Path) -> nn.Module:
    """Raises ``ModelError`` naming what is missing or does not fit."""
    model = build(shape_of(folder))
    weights = read(folder / WEIGHTS)
    if "model.embed_tokens.weight" in weights:
        weights = {name: weights[llama.renamed(name)] for name in model.state_dict()}
    put(model, weights)
    return model


def write(weights: dict[str, Tensor], path: Path) -> None:
    save_file({name: each.detach().cpu().contiguous() for name, each in weights.items()}, path)


def read(path: Path) -> dict[str, Tensor]:
    try:
        found: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path.name} cannot be read: {error}", remedy="Train the model again") from None
    return found


def put(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Raises ``ModelError`` naming the first weight that does not fit."""
    try:
        with torch.no_grad():
            model.load_state_dict(weights)
    except RuntimeError as error:
        raise ModelError(
            f"the weights do not fit the model: {str(error).splitlines()[-1].strip()}",
            remedy="Use weights and config.json of one model",
        ) from None
