"""Trainings by several processes, as ``torchrun`` starts them: ``-m tests.training.parallel.apart TASKS``, which is
JSON. The first process prints the losses of each."""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from mainspring.training.folder import Folder, RunRequest
from mainspring.training.parallel.layout import Layout
from mainspring.training.recipe import Recipe, RecipeOptions
from mainspring.training.run import Run


def losses(path: Path, layout: Layout, steps: int, *, dtype: str = "float32", stop: int = 0) -> dict[str, Any]:
    """The losses of all steps and on held-out rows, and the norms of the gradients. ``stop``: this many steps alone."""
    import numpy as np
    import torch

    from mainspring.training.own.feed import Shuffled
    from mainspring.training.own.loop import Fit, Plan
    from mainspring.training.own.models.model_files import build
    from mainspring.training.own.models.shape import Shape
    from mainspring.training.parallel.mesh import processes

    torch.set_num_threads(1)
    torch.set_default_dtype(getattr(torch, dtype))
    folder = Folder(path)
    run = Run(Recipe("none", "", "language-model", RecipeOptions, "none:none", ("text",)), folder, folder.asked)
    torch.manual_seed(0)
    model = build(Shape("decoder", 40, width=32, layers=4, heads=4, kv_heads=2, length=16))
    rows = np.random.default_rng(0).integers(5, 40, (60, 13)) // 3 * 3

    def collate(chosen: list[Any], generators: list[np.random.Generator]) -> dict[str, Any]:
        assert len(chosen) == len(generators)
        ids = torch.tensor(np.stack(chosen))
        return {"ids": ids[:, :-1], "targets": ids[:, 1:]}

    held = torch.tensor(rows[:6])
    batches = [{"ids": held[at : at + 2, :-1], "targets": held[at : at + 2, 1:]} for at in (0, 2, 4)]
    feed = Shuffled(list(rows), collate, size=16, seed=1)
    plan = Plan(steps=steps, batch=16, micro=4, warmup=2, every=5, save=5, log=1, rate=3e-3)
    opened = nullcontext(None) if layout.processes == 1 else processes(layout)
    with opened as world:
        fit = Fit(run, model, feed, plan, held_out=batches, world=world)
        if stop:
            fit.resume()
            while fit.state.step < stop:
                fit.step(fit.state.step)
                fit.state.step += 1
            fit.save()
            return {}
        fit.run()
    found = folder.metrics() if run.main else []
    return {
        "loss": [each["figures"]["loss"] for each in found],
        "norm": [each["figures"]["gradient_norm"] for each in found],
        "held_out": [each["figures"]["held_out"] for each in found if "held_out" in each["figures"]],
    }


def prepare(path: Path) -> Path:
    Folder(path).create(RunRequest("none"))
    return path


def main(tasks: list[dict[str, Any]]) -> None:
    """One task after the other; each is the arguments of ``losses``."""
    for each in tasks:
        layout = Layout(**each.pop("layout"))
        found = losses(Path(each.pop("path")), layout, **each)
        if found.get("loss"):
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
