"""The plan of memory: the guide's examples, corrected, and what is measured on small models."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.training.own.models.shape import Shape
from mainspring.training.parallel.layout import Layout
from mainspring.training.parallel.memory import activations, planned, workspace

GB = 1e9


def test_seven_billion_parameters() -> None:
    """E.8: 14 + 14 + 28 GB with all in half precision; with the usual mixed precision 16 bytes a parameter."""
    half = planned(7e9, precision="half")
    assert (half.weights, half.gradients, half.optimiser) == (14 * GB, 14 * GB, 28 * GB)
    assert planned(7e9, precision="mixed").total == 112 * GB


def test_seventy_billion_parameters_on_eight_processes() -> None:
    """E.8: 560 GB as the guide counts, of which 70 GB are a process's under ZeRO-3; in mixed precision it is 140 GB."""
    layout = Layout(data=8, shard="weights")
    assert planned(70e9, precision="half").total == 560 * GB
    assert planned(70e9, precision="half", layout=layout).total == 70 * GB
    assert planned(70e9, precision="mixed", layout=layout).total == 140 * GB


@pytest.mark.parametrize(("shard", "gb"), [("none", 120), ("optimiser", 31.4), ("gradients", 16.6), ("weights", 1.88)])
def test_the_paper_of_zero(shard: Any, gb: float) -> None:
    """Rajbhandari et al. 2020, figure 1: 7.5 billion parameters, 64 processes."""
    found = planned(7.5e9, precision="mixed", layout=Layout(data=64, shard=shard)).total
    assert found / GB == pytest.approx(gb, rel=0.005)


def test_adapters_have_gradients_for_themselves_alone() -> None:
    found = planned(1e9, precision="mixed", trained=1e7)
    assert (found.weights, found.gradients, found.optimiser) == (2e9, 2e7, 12e7)


def test_what_is_unknown_is_named() -> None:
    with pytest.raises(InvalidRequest, match="mixed"):
        planned(1e9, precision="int3")
    with pytest.raises(InvalidRequest, match="both stacks"):
        activations(Shape("encoder-decoder", 40), 1, 8)


SHAPES = {
    "wide": Shape("decoder", 2_000, width=256, layers=4, heads=8, kv_heads=2, length=128),
    "deep": Shape("decoder", 500, width=128, layers=10, heads=4, kv_heads=4, length=64),
    "learned": Shape("decoder", 4_000, width=192, layers=3, heads=6, kv_heads=2, length=128, positions="learned"),
}


@pytest.mark.torch
@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_activations_and_workspace_are_within_a_tenth_of_what_is_measured(
    name: str, checkpointing: bool, half: bool
) -> None:
    from memory_plan import kept_of

    shape = SHAPES[name]
    found = kept_of(shape, 8, shape.length, half=half, checkpointing=checkpointing)
    wanted = activations(shape, 8, shape.length, half=half, checkpointing=checkpointing)
    assert found.activations == pytest.approx(wanted, rel=0.1)
    if not checkpointing:
        moment = workspace(shape, 8, shape.length, half=half)
        assert found.activations + found.workspace == pytest.approx(wanted + moment, rel=0.1)


@pytest.mark.torch
def test_weights_gradients_and_moments_are_what_is_planned() -> None:
    from memory_plan import kept_of

    shape = SHAPES["wide"]
    found, plan = kept_of(shape, 8, shape.length), planned(shape.parameters)
    assert (found.weights, found.gradients) == (plan.weights, plan.gradients)
    assert found.optimiser == pytest.approx(plan.optimiser, rel=0.01)
