"""Trainings of small models within a benchmark: a place for each, and what was done before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mainspring.training.folder import Folder, RunRequest
from mainspring.training.recipe import Recipe, RecipeOptions
from mainspring.training.run import Run


def work_in(path: Path) -> Run:
    """What the loop logs to and keeps checkpoints in."""
    folder = Folder(path)
    folder.create(RunRequest("benchmark"))
    return Run(Recipe("benchmark", "", "language-model", RecipeOptions, "none:none", ("text",)), folder, folder.asked)


def arms(keep: Path, names: Sequence[str], seconds: float, measure: Callable[[str, Path], Any]) -> dict[str, Any]:
    """What ``measure`` finds for each arm, kept as ``NAME.json``; those that there is no time for are left out."""
    begun, found = time.monotonic(), {}
    keep.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = keep / f"{name}.json"
        if not path.exists():
            if time.monotonic() - begun > seconds:
                continue
            since = time.monotonic()
            path.write_text(json.dumps(measure(name, keep / name)), encoding="utf-8")
            print(f"{name}: {time.monotonic() - since:.0f} s", flush=True)
        found[name] = json.loads(path.read_text(encoding="utf-8"))
    return found
