"""Writes a version as lines of JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Literal

from mainspring.evaluation.example_json import message_body, plain
from mainspring.evaluation.examples import Example
from mainspring.stores.sql import rows

Shape = Literal["examples", "chat", "evals"]
"""``chat``: OpenAI's lines for fine-tuning; ``evals``: those of its evals (``{"item": ...}``)."""


async def lines(examples: AsyncIterator[tuple[int, Example]], shape: Shape) -> AsyncIterator[bytes]:
    """A line for each example; as ``chat`` those without a right answer are left out."""
    async for _, each in examples:
        if (body := _body(each, shape)) is not None:
            yield rows.dump(body).encode() + b"\n"


def _body(example: Example, shape: Shape) -> dict[str, Any] | None:
    if shape == "examples":
        return plain(example)
    if shape == "evals":
        reference = example.references[0] if example.references else ""
        return {"item": {"id": example.id, "question": example.question, "reference": reference, **example.tags}}
    if not example.references:
        return None
    said = [message_body(each) for each in example.messages]
    return {"messages": [*said, {"role": "assistant", "content": example.references[0]}]}
