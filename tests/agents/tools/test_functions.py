from typing import Any, Literal

import pytest

from mainspring.agents.tools.base import ToolContext, ToolResult
from mainspring.agents.tools.functions import FunctionTool, tool
from mainspring.core.errors import SettingsError
from mainspring.core.types import Context, Principal

CONTEXT = ToolContext(Context(Principal("t", "k")), "run_1", "call_1", "key", "agent", {})


def get_order(order_id: str, parts: Literal["all", "open"] = "all") -> dict[str, Any]:
    """Look up an order.

    Args:
        order_id: The number on the invoice.
        parts (str): Which lines.
    """
    return {"order_id": order_id, "parts": parts}


def test_the_schema_comes_from_the_signature_and_the_docstring() -> None:
    declaration = FunctionTool(get_order).declaration
    assert (declaration.name, declaration.description) == ("get_order", "Look up an order.")
    assert declaration.parameters["required"] == ["order_id"]
    assert declaration.parameters["properties"]["order_id"]["description"] == "The number on the invoice."
    assert declaration.parameters["properties"]["parts"]["enum"] == ["all", "open"]


async def test_a_call_checks_the_arguments_and_says_what_is_wrong() -> None:
    made = FunctionTool(get_order)
    assert (await made.call({"order_id": "7"}, CONTEXT)).output == {"order_id": "7", "parts": "all"}
    assert "parts" in (await made.call({"order_id": "7", "parts": "none"}, CONTEXT)).error
    assert "more" in (await made.call({"order_id": "7", "more": 1}, CONTEXT)).error


async def test_the_context_is_no_argument() -> None:
    @tool(examples=("who am I",))
    async def whoami(context: ToolContext) -> ToolResult:
        """Say who calls."""
        return ToolResult(context.run_id)

    assert whoami.declaration.parameters.get("properties", {}) == {}
    assert (await whoami.call({}, CONTEXT)).output == "run_1"


def test_a_function_without_types_is_refused() -> None:
    def bad(order):  # type: ignore[no-untyped-def]
        """Nothing."""

    with pytest.raises(SettingsError, match="order"):
        FunctionTool(bad)
