from enum import Enum
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest
from pydantic import BaseModel, Field

from mainspring.agents.tools.base import ToolContext, ToolPolicy, ToolResult
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


STYLES = {
    "google": """Move it.

    Slowly.

    Args:
        to: Where it goes,
            by its name.
        by (int, optional): How far.

    Returns:
        Nothing.
    """,
    "numpy": """Move it.

    Slowly.

    Parameters
    ----------
    to : str
        Where it goes,
        by its name.
    by : int, optional
        How far.
    """,
    "sphinx": """Move it.

    Slowly.

    :param to: Where it goes,
        by its name.
    :param int by: How far.
    :returns: Nothing.
    """,
}


@pytest.mark.parametrize("style", STYLES)
def test_docstrings_of_three_styles_say_what_arguments_are(style: str) -> None:
    def move(to: str, by: int = 1) -> None: ...

    move.__doc__ = STYLES[style]
    declaration = FunctionTool(move).declaration
    assert declaration.description == "Move it.\n\nSlowly."
    told = {name: each.get("description") for name, each in declaration.parameters["properties"].items()}
    assert told == {"to": "Where it goes, by its name.", "by": "How far."}
    assert declaration.parameters["properties"]["by"]["default"] == 1


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Item(BaseModel):
    name: str
    size: Size = Size.SMALL


async def test_enumerations_nested_models_and_annotations_are_part_of_the_schema() -> None:
    seen: list[Any] = []

    def add(
        item: Item, sizes: list[Size], count: Annotated[int, Field(ge=1, description="How many.")] = 1
    ) -> dict[str, int]:
        """Add an item.

        Args:
            count: Not this.
        """
        seen.append((item, sizes, count))
        return {"count": count}

    made = FunctionTool(add)
    properties = made.declaration.parameters["properties"]
    assert properties["count"] == {"default": 1, "description": "How many.", "minimum": 1, "type": "integer"}
    assert made.declaration.parameters["$defs"]["Size"]["enum"] == ["small", "large"]
    result = await made.call({"item": {"name": "lid"}, "sizes": ["large"]}, CONTEXT)
    assert seen == [(Item(name="lid"), [Size.LARGE], 1)]
    assert result.output == {"count": 1}
    assert "count" in (await made.call({"item": {"name": "lid"}, "sizes": [], "count": 0}, CONTEXT)).error
    assert "size" in (await made.call({"item": {"name": "lid", "size": "huge"}, "sizes": []}, CONTEXT)).error


class Line(TypedDict):
    item: str
    count: NotRequired[int]


def test_typed_dictionaries_are_understood() -> None:
    def lines(first: Line) -> list[Line] | None:
        """Lines."""

    made = FunctionTool(lines)
    assert made.policy.result is not None
    line = made.policy.result["$defs"]["Line"]
    assert (line["required"], line["properties"]["count"]["type"]) == (["item"], "integer")
    assert made.declaration.parameters["$defs"]["Line"]["required"] == ["item"]


def test_the_type_that_it_returns_is_the_form_of_its_result() -> None:
    def typed() -> list[Item]:
        """Items."""
        return []

    def untyped() -> Any:
        """Something."""

    def own() -> ToolResult | str:
        """A result."""
        return ToolResult()

    schema = FunctionTool(typed).policy.result
    assert schema is not None
    assert schema["type"] == "array"
    assert FunctionTool(untyped).policy.result is None
    assert FunctionTool(own).policy.result is None
    given = ToolPolicy(result={"type": "array", "maxItems": 1})
    assert FunctionTool(typed, policy=given).policy == given


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
