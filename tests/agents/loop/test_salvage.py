from typing import Any

import pytest

from mainspring.agents.agent import LlmAgent
from mainspring.agents.loop.salvage import HeldBackText
from mainspring.core.types import Text
from tests.agents.loop.scripted import ran


def get_order(order_id: str) -> dict[str, Any]:
    """Look up an order."""
    return {"status": "shipped"}


AGENT = LlmAgent(name="a", tools=[get_order])
CALL = '{"name": "get_order", "arguments": {"order_id": "7"}}'


@pytest.mark.parametrize(
    "written",
    [
        CALL,
        "{" + CALL + "}",
        "{" + CALL,
        f"```json\n{CALL}\n```",
        f"```\n{CALL}",
        f"<tool_call>\n{CALL}\n</tool_call>",
        CALL.replace("arguments", "parameters"),
    ],
)
async def test_a_call_that_is_written_as_text_is_a_call(written: str) -> None:
    found = await ran(AGENT, [written, "It is shipped."])
    assert found.shown == "It is shipped."
    assert "shipped" in found.told(1)


@pytest.mark.parametrize(
    "written", ['{"answer": 1}', '{"name": "other", "arguments": {}}', "```python\nprint(1)\n```", f"So: {CALL}", "{"]
)
async def test_other_text_is_the_answer(written: str) -> None:
    assert (await ran(AGENT, [written])).shown == written


def test_text_that_cannot_be_a_call_is_not_held_back() -> None:
    said: list[str] = []
    held = HeldBackText(lambda text: said.append(text.text))
    for piece in (" ", "It", " is"):
        held(Text(piece))
    assert "".join(said) == " It is"
    said.clear()
    held = HeldBackText(lambda text: said.append(text.text))
    for piece in ("`", "``", "json", " {"):
        held(Text(piece))
    assert said == []
    held.release()
    assert "".join(said) == "```json {"
