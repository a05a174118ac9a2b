"""The plan of memory against what training keeps: weights, gradients, moments, and what the pass backwards needs.

    python benchmarks/memory_plan.py [--dry]

Needs the extra ``train``. Activations are the distinct storages that autograd saves in the pass forwards, without
weights; each is counted once, however many operations share it.
"""

from __future__ import annotations

import argparse
from itertools import product
from typing import Any

from _report import Figure, report
from mainspring.training.own.models.shape import Shape
from mainspring.training.parallel.memory import MemoryPlan, activations, planned

SHAPES = (
    Shape("decoder", 4_000, width=192, layers=4, heads=6, kv_heads=2, length=128),
    Shape("decoder", 8_000, width=384, layers=6, heads=6, kv_heads=2, length=256),
    Shape("decoder", 1_000, width=128, layers=12, heads=4, kv_heads=4, length=64),
    Shape("encoder", 4_000, width=256, layers=4, heads=4, kv_heads=2, length=128),
)


def measured(shape: Shape, batch: int, length: int, *, half: bool = False, checkpointing: bool = False) -> MemoryPlan:
    """One step of a model with random weights."""
    import torch

    from mainspring.training.own.loop import Plan, optimiser_of
    from mainspring.training.own.models.model_files import build
    from mainspring.training.own.models.stack import checkpointed

    torch.manual_seed(0)
    model = build(shape).train()
    checkpointed(model, checkpointing)
    weights = {each.untyped_storage().data_ptr() for each in model.parameters()}
    kept: dict[int, int] = {}
    alive: list[Any] = []

    def pack(saved: Any) -> Any:
        storage = saved.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(storage)
        return saved

    ids = torch.randint(5, shape.vocabulary, (batch, length))
    watched = torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved)
    with watched, torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
        loss = model(ids, ids)
    forward = sum(kept.values())
    loss.backward()
    optimiser = optimiser_of(model, Plan(steps=1))
    optimiser.step()
    moments = sum(
        value.nbytes for state in optimiser.state.values() for value in state.values() if torch.is_tensor(value)
    )
    parameters = list(model.parameters())
    return MemoryPlan(
        sum(each.nbytes for each in parameters),
        sum(each.grad.nbytes for each in parameters if each.grad is not None),
        moments,
        forward,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="write no result")
    options = parser.parse_args()
    worst, count = 0.0, 0
    for shape, half in product(SHAPES, (False, True)):
        found = measured(shape, 8, shape.length, half=half)
        plan = planned(shape.parameters, activations=activations(shape, 8, shape.length, half=half))
        off = max(abs(plan.total / found.total - 1), abs(plan.activations / found.activations - 1))
        worst, count = max(worst, off), count + 1
        print(f"{shape.kind} {shape.width}x{shape.layers} {'bf16' if half else 'f32'}: {off:.3f}", flush=True)
    if not options.dry:
        against = f"{count} models of 1 to 12 M parameters, f32 and bf16; activations alone and all together"
        report(
            "memory_plan", {"largest error of the plan": Figure(worst, "share", "lower", floor=0.1, against=against)}
        )


if __name__ == "__main__":
    main()
