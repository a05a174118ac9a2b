"""What a trained encoder has changed, small enough to be packaged, and put into its base when that is pulled. numpy
only.

A matrix that training has moved is kept as a product of two narrow ones: ``NAME.up`` (outputs, rank) times
``NAME.down`` (rank, inputs), float16, is added to the base's ``NAME``. What is small, or what the base lacks, such as a
head, is kept whole under its own name and put in the base's place. What did not move is not kept.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import ModelError

Arrays = dict[str, NDArray[Any]]
_UP, _DOWN = ".up", ".down"
_SMALL = 32
"""Matrices with at most so many rows or columns are kept whole."""


def narrowed(base: Mapping[str, NDArray[Any]], trained: Mapping[str, NDArray[Any]], rank: int) -> Arrays:
    """What makes ``trained`` of ``base`` (both float32 by name), as near as matrices of this rank come to it."""
    found: Arrays = {}
    for name, value in trained.items():
        old = base.get(name)
        if old is None or old.shape != value.shape:
            found[name] = np.asarray(value, np.float32)
            continue
        moved = np.asarray(value, np.float32) - np.asarray(old, np.float32)
        if not np.abs(moved).max() > 0:
            continue
        if value.ndim != 2 or min(value.shape) <= _SMALL:
            found[name] = np.asarray(value, np.float32)
            continue
        up, down = _products(moved, rank)
        found[f"{name}{_UP}"], found[f"{name}{_DOWN}"] = np.asarray(up, np.float16), np.asarray(down, np.float16)
    return found


def _products(moved: NDArray[Any], rank: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """The narrow matrices whose product is nearest to ``moved``: the first parts of its singular value decomposition,
    by the eigenvectors of the smaller of its two squares, which is much less work."""
    if moved.shape[0] > moved.shape[1]:
        up, down = _products(moved.T, rank)
        return np.ascontiguousarray(down.T), np.ascontiguousarray(up.T)
    _, vectors = np.linalg.eigh(moved.astype(np.float64) @ moved.T)
    up = np.ascontiguousarray(vectors[:, ::-1][:, :rank], np.float32)
    return up, up.T @ moved


def applied(base: Mapping[str, NDArray[Any]], kept: Mapping[str, NDArray[Any]]) -> Arrays:
    """``base`` with what ``kept`` changes, float16 where the base is. Raises ``ModelError`` if it is of another
    model."""
    found = dict(base)
    for name, value in kept.items():
        if name.endswith(_DOWN):
            continue
        if not name.endswith(_UP):
            found[name] = value
            continue
        plain = name.removesuffix(_UP)
        down = kept.get(f"{plain}{_DOWN}")
        old = base.get(plain)
        if old is None or down is None or old.shape != (value.shape[0], down.shape[1]):
            raise ModelError(
                f"the packaged change of {plain} is of another model", remedy="Pull the model again with --force"
            )
        moved = value.astype(np.float32) @ down.astype(np.float32)
        found[plain] = (old.astype(np.float32) + moved).astype(old.dtype)
    return found


def change(source: Path, kept: Path, target: Path) -> None:
    """Write the encoder in ``source`` with the changes of the file ``kept`` into ``target``. Raises ``ModelError``."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file, save_file

    try:
        weights = applied(load_file(source / "model.safetensors"), load_file(kept))
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{kept.name} cannot be read: {error}", remedy="Install the package again") from None
    target.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(value) for name, value in weights.items()}, target / "model.safetensors")
    for name in ("config.json", "tokenizer.json"):
        shutil.copyfile(source / name, target / name)
