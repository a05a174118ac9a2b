"""Checkpoints on disk: each whole or not at all, the latest ones kept.

A checkpoint is a folder ``step-N``. What a recipe puts into it is its own matter; for exact resuming that is weights,
the optimiser's state, the schedule, the states of all random generators, and the place in the data.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

_KEPT = 2


def save(folder: Path, step: int, write: Callable[[Path], None], *, keep: int = _KEPT) -> Path:
    """Have ``write`` fill a new folder, which becomes ``step-N`` when it is complete; older ones beyond ``keep`` go."""
    folder.mkdir(parents=True, exist_ok=True)
    draft, place = folder / f".step-{step}.{os.getpid()}", folder / f"step-{step}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    write(draft)
    for each in draft.rglob("*"):
        if each.is_file():
            with each.open("rb") as file:
                os.fsync(file.fileno())
    shutil.rmtree(place, ignore_errors=True)
    draft.rename(place)
    for old in every(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return place


def every(folder: Path) -> list[Path]:
    """The complete checkpoints, oldest first."""
    found = [each for each in folder.glob("step-*") if each.name.removeprefix("step-").isdigit()]
    return sorted(found, key=step_of)


def latest(folder: Path) -> Path | None:
    """None: there is none yet. Drafts that a killed run left behind are deleted."""
    for draft in folder.glob(".step-*"):
        shutil.rmtree(draft, ignore_errors=True)
    found = every(folder)
    return found[-1] if found else None


def step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("step-"))
