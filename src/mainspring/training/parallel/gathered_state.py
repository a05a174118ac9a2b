"""The optimiser's state in one process's form: weights numbered in the order of its groups, as
``training.own.loop.optimiser_of`` makes them. Divided models name them instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

Names = Sequence[Sequence[str]]
"""The names of each group."""


def grouped(model: nn.Module) -> list[list[str]]:
    """The names of the matrices, and those of the vectors, of a whole model."""
    trained = [(name, each.dim()) for name, each in model.named_parameters() if each.requires_grad]
    groups = [[name for name, size in trained if size >= 2], [name for name, size in trained if size < 2]]
    return [each for each in groups if each]


def numbered(moments: Mapping[str, Any], options: Sequence[Mapping[str, Any]], names: Names) -> dict[str, Any]:
    """From names to numbers. ``options`` are those of the groups here, all of which are the same except the decay; a
    part of a model may have one group alone."""
    order = [name for group in names for name in group]
    state = {number: dict(moments[name]) for number, name in enumerate(order) if name in moments}
    place, groups = 0, []
    for group in names:
        # Names identify groups.
        same = [each for each in options if set(each["params"]) & set(group)] or list(options)
        told = {name: value for name, value in same[0].items() if name not in ("params", "param_names")}
        groups.append({**told, "params": list(range(place, place + len(group)))})
        place += len(group)
    return {"state": state, "param_groups": groups}


def named(kept: Mapping[str, Any], names: Names, mine: set[str]) -> dict[str, Any]:
    """The reverse, for the weights of these names."""
    order = [name for group in names for name in group]
    state = {order[int(number)]: dict(each) for number, each in kept["state"].items() if order[int(number)] in mine}
    groups = []
    for told, group in zip(kept["param_groups"], names, strict=True):
        held = [name for name in group if name in mine]
        if held:
            groups.append({**{name: value for name, value in told.items() if name != "params"}, "params": held})
    return {"state": state, "param_groups": groups}
