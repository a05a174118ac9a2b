"""A toolset: what a lamp of the shop costs, for agents that are asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.agents.tools.base import FixedToolset, ToolResult
from mainspring.agents.tools.functions import FunctionTool
from mainspring.core.errors import InvalidRequest

PRICES = {"desk": 35, "floor": 80}


def lamp_price(kind: str) -> ToolResult:
    """Tells the price of a lamp in pounds, by its kind: desk or floor."""
    if kind not in PRICES:
        return ToolResult(error=f"There is no lamp of the kind {kind}. There are: {', '.join(PRICES)}.")
    return ToolResult({"kind": kind, "pounds": PRICES[kind]})


def lamps(options: Mapping[str, Any]) -> FixedToolset:
    """Raises ``InvalidRequest`` for an option: there are none."""
    if options:
        raise InvalidRequest(f"the toolset lamps has no option {min(options)}", remedy="Leave it out", param="tools")
    return FixedToolset("lamps", (FunctionTool(lamp_price),))
