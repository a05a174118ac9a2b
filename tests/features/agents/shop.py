"""An agent in Python that the configuration names."""

from __future__ import annotations

from typing import Any

from mainspring.agents.agent import LlmAgent

ORDERS = {"7": "shipped"}


def get_order(order_id: str) -> dict[str, Any]:
    """Look up an order."""
    return {"order_id": order_id, "status": ORDERS[order_id]}


support = LlmAgent(name="support", description="Helps customers.", instruction="Help with orders.", tools=[get_order])
