"""What the processes of a run hold, as ``torchrun`` starts them: ``-m tests.training.parallel.held TASKS``, which is
JSON. The first process prints the most that one of them holds, in bytes."""

from __future__ import annotations

import json
import sys
from typing import Any

from mainspring.training.own.models.shape import Shape
from mainspring.training.parallel.layout import Layout

SHAPE = Shape("decoder", 1_000, width=64, layers=4, heads=4, kv_heads=2, length=32)
ROWS = 8
"""Of one process."""


def held(layout: Layout, *, half: bool = False) -> dict[str, float]:
    """After a step: weights, gradients, moments, and what is kept between the passes."""
    import torch
    import torch.distributed as dist

    from mainspring.training.own.loop import Plan, optimiser_of, summed
    from mainspring.training.own.models.model_files import build
    from mainspring.training.parallel.mesh import processes

    torch.set_num_threads(1)
    torch.manual_seed(0)
    ids = torch.randint(5, SHAPE.vocabulary, (ROWS, SHAPE.length))
    batch = {"ids": ids, "targets": ids}
    with processes(layout) as world:

        def cast() -> Any:
            return torch.autocast("cpu", torch.bfloat16, enabled=half)

        def loss(model: Any, given: Any) -> Any:
            with cast():
                return summed(model, given)

        model = world.wrap(build(SHAPE).train(), cast)
        optimiser = optimiser_of(model, Plan(steps=1), world)
        weights = {_local(each).untyped_storage().data_ptr() for each in model.parameters()}
        kept: dict[int, int] = {}
        alive: list[Any] = []

        def pack(saved: Any) -> Any:
            storage = _local(saved).untyped_storage()
            if storage.data_ptr() not in weights:
                kept[storage.data_ptr()] = storage.nbytes()
                alive.append(storage)
            return saved

        for look in (False, True):
            # In the first step a pipeline tries its shapes out.
            hooks = torch.autograd.graph.saved_tensors_hooks(pack if look else _same, _same)
            with world.together(model, last=True), hooks:
                world.passes(model, batch, loss, _same)
            gradients = sum(_local(each.grad).nbytes for each in model.parameters() if each.grad is not None)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        states: Any = getattr(optimiser, "optim", optimiser).state
        moments = [each for state in states.values() for each in state.values() if torch.is_tensor(each)]
        found = (
            float(sum(_local(each).nbytes for each in model.parameters())),
            float(gradients),
            float(sum(_local(each).nbytes for each in moments)),
            float(sum(kept.values())),
        )
        everyone: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(everyone, found)
    most = max(everyone, key=sum)
    return dict(zip(("weights", "gradients", "optimiser", "activations"), most, strict=True))


def _local(values: Any) -> Any:
    return values.to_local() if hasattr(values, "to_local") else values


def _same(values: Any) -> Any:
    return values


if __name__ == "__main__":
    for task in json.loads(sys.argv[1]):
        found = held(Layout(**task.pop("layout")), **task)
        print(json.dumps(found), flush=True)
