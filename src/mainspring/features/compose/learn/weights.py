"""Weights as they are shipped: matrices as int8 with a scale for each row, the rest as float32."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from mainspring.features.compose.learn import starting
from mainspring.features.compose.model.decoder import SCALE
from mainspring.features.compose.model.packed import CONFIG, WEIGHTS
from mainspring.training.own.models.decoder import Decoder

FULL = starting.WEIGHTS
"""The same weights unrounded, to compare with and to start from."""


def write(model: Decoder, folder: Path) -> tuple[str, ...]:
    """Write ``model.safetensors`` and ``config.json``; returns their names."""
    tensors: dict[str, np.ndarray] = {}
    for name, weight in model.state_dict().items():
        values = weight.detach().float().numpy()
        if values.ndim < 2:
            tensors[name] = values
            continue
        scale = np.maximum(np.abs(values).max(1, keepdims=True), 1e-12) / 127
        tensors[name] = np.clip(np.rint(values / scale), -127, 127).astype(np.int8)
        tensors[name + SCALE] = scale.astype(np.float32)[:, 0]
    save_file(tensors, str(folder / WEIGHTS))
    save_file(
        {name: weight.detach().float().numpy() for name, weight in model.state_dict().items()},
        str(folder / FULL),
    )
    (folder / CONFIG).write_text(json.dumps(model.shape.told(), indent=1) + "\n", encoding="utf-8")
    return WEIGHTS, FULL, CONFIG
