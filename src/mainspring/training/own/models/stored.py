"""Models on disk: ``config.json`` (the shape), ``model.safetensors`` and, beside them, ``tokenizer.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mainspring.core.errors import ModelError
from mainspring.training.own.models.both import EncoderDecoder
from mainspring.training.own.models.decoder import Decoder
from mainspring.training.own.models.encoder import Encoder
from mainspring.training.own.models.shape import Shape

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def build(shape: Shape) -> nn.Module:
    """A model of this shape with random weights, by torch's generator."""
    kinds: dict[str, type[nn.Module]] = {"decoder": Decoder, "encoder": Encoder, "encoder-decoder": EncoderDecoder}
    return kinds[shape.kind](shape)


def shape_of(folder: Path) -> Shape:
    """Raises ``ModelError`` if no model of ours lies there."""
    try:
        return Shape.read(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        raise ModelError(
            f"{folder.name} has no readable {CONFIG}", remedy="Name the folder of a model that pretrain made"
        ) from None


def save(model: nn.Module, folder: Path) -> tuple[str, ...]:
    """Write a model; returns the names of its files."""
    folder.mkdir(parents=True, exist_ok=True)
    shape: Any = model.shape
    (folder / CONFIG).write_text(json.dumps(shape.told(), indent=2) + "\n", encoding="utf-8")
    write(model.state_dict(), folder / WEIGHTS)
    return CONFIG, WEIGHTS


def load(folder: Path) -> nn.Module:
    """Raises ``ModelError`` naming what is missing or does not fit."""
    model = build(shape_of(folder))
    put(model, read(folder / WEIGHTS))
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
