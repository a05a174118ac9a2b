"""A part of a pipeline computes as the options say, as a whole model does."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.torch


def part(*, half: bool = False, checkpointing: bool = False) -> tuple[Any, int, set[Any]]:
    """The loss of a pipeline of one process, the bytes that it keeps for the pass backwards, and the precisions of its
    products."""
    import torch

    from mainspring.training.own.models.model_files import build
    from mainspring.training.own.models.shape import Shape
    from mainspring.training.own.models.stack import checkpointed
    from mainspring.training.parallel.layout import Layout
    from mainspring.training.parallel.pipeline import Part

    torch.manual_seed(0)
    model: Any = build(Shape("decoder", 40, width=32, layers=3, heads=4, kv_heads=2, length=16)).train()
    checkpointed(model, checkpointing)
    ids = torch.randint(5, 40, (4, 16))
    wanted = model(ids, ids).item()
    found = Part(model, 0, Layout(), lambda: torch.autocast("cpu", torch.bfloat16, enabled=half))
    precisions: set[Any] = set()
    for block in found.decoder.blocks:
        block.feed_forward.down.register_forward_hook(lambda _, __, out: precisions.add(out.dtype))
    kept: dict[int, int] = {}

    def pack(saved: Any) -> Any:
        kept[saved.untyped_storage().data_ptr()] = saved.untyped_storage().nbytes()
        alive.append(saved)
        return saved

    alive: list[Any] = []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda saved: saved):
        loss = found(ids, targets=ids).sum()
    loss.backward()
    assert loss.item() == pytest.approx(wanted, rel=1e-2 if half else 1e-6)
    return loss, sum(kept.values()), precisions


def test_a_pipeline_multiplies_in_the_precision_of_the_run() -> None:
    import torch

    assert part()[2] == {torch.float32}
    loss, _, precisions = part(half=True)
    assert precisions == {torch.bfloat16}
    # Processes exchange states and losses in full precision.
    assert loss.dtype == torch.float32


def test_a_pipeline_computes_states_again_where_that_is_asked_for() -> None:
    assert part(checkpointing=True)[1] < part()[1] / 2
