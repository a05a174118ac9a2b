"""An agent with one tool of each kind, and the rules by which its model calls them."""

from __future__ import annotations

import json
from typing import Any

from mainspring.agents.agent import LlmAgent
from mainspring.agents.tools.base import ToolPolicy
from mainspring.agents.tools.functions import tool
from mainspring.engines.base import Generation
from mainspring.engines.scripted import words


def look_up(order_id: str) -> dict[str, Any]:
    """Look up an order."""
    return {"order_id": order_id, "status": "shipped", "remark": "Left the house.\nArrives on Monday."}


@tool(policy=ToolPolicy(effect="keyed", approval=True))
def refund(order_id: str, amount: float) -> str:
    """Pay the price of an order back."""
    return f"{amount} paid back for {order_id}"


@tool(policy=ToolPolicy(effect="unkeyed"))
def send_letter(text: str) -> str:
    """Send a letter."""
    raise ConnectionError("the post office hung up")


clerk = LlmAgent(
    name="clerk", description="Looks after orders.", tools=[look_up, refund, send_letter], untrusted="allow"
)

_CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "money back": ("refund", {"order_id": "A-1042", "amount": 12.5}),
    "letter": ("send_letter", {"text": "Dear Ada, your grinder is on its way."}),
    "Where": ("look_up", {"order_id": "A-1042"}),
}


def script(generation: Generation) -> list[str]:
    """Calls the tool that the latest question is about, once; then repeats what it said."""
    asked = [index for index, each in enumerate(generation.messages) if each.role == "user"]
    question = str(generation.messages[asked[-1]].content)
    told = [str(each.content) for each in generation.messages[asked[-1] + 1 :] if each.role == "tool"]
    if told:
        return words("Done: " + " ".join(told[-1].split())[:200])
    for about, (name, arguments) in _CALLS.items():
        if about in question:
            return [json.dumps({"name": name, "arguments": arguments})]
    return words("I look after orders.")
