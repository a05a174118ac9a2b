"""What clients of all three protocols see of a hand-over, and of a call that waits for a person."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mainspring.agents.agent import LlmAgent
from mainspring.agents.tools.base import ToolContext, ToolPolicy
from mainspring.agents.tools.functions import tool
from mainspring.core.types import ChatRequest
from tests.agents.loop.scripted import Said
from tests.features.agents.world import AgentsWorld, opened

pytestmark = pytest.mark.slow
paid: list[str] = []


@tool(policy=ToolPolicy(effect="keyed", approval=True))
def pay(amount: int, context: ToolContext) -> str:
    """Pay."""
    paid.append(context.key)
    return f"paid {amount}"


cashier = LlmAgent(name="cashier", tools=[pay], untrusted="allow")
orders = LlmAgent(name="orders", description="Orders.", instruction="Orders.")
desk = LlmAgent(name="desk", instruction="Desk.", sub_agents=[orders])
Seen = tuple[str, str, str]
"""The text of an answer, the steps that stand beside it, and the run."""


async def by_chat(agents: AgentsWorld, model: str, options: dict[str, Any]) -> Seen:
    raw = await agents.openai.chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": "Pay 5."}], extra_body={"options": options}
    )
    message = raw.parse().choices[0].message
    extra: dict[str, Any] = message.model_extra or {}
    return message.content or "", extra.get("reasoning_content", ""), raw.headers["x-mainspring-run"]


async def by_responses(agents: AgentsWorld, model: str, options: dict[str, Any]) -> Seen:
    raw = await agents.openai.responses.with_raw_response.create(
        model=model, input="Pay 5.", extra_body={"options": options}
    )
    answer = raw.parse()
    thoughts = [part.text for each in answer.output if each.type == "reasoning" for part in each.content or ()]
    return answer.output_text, "".join(thoughts), raw.headers["x-mainspring-run"]


async def by_messages(agents: AgentsWorld, model: str, options: dict[str, Any]) -> Seen:
    raw = await agents.anthropic.messages.with_raw_response.create(
        model=model,
        max_tokens=2000,
        messages=[{"role": "user", "content": "Pay 5."}],
        thinking={"type": "enabled", "budget_tokens": 1024},
        extra_body={"options": options},
    )
    parts = (await raw.parse()).content
    text = "".join(each.text for each in parts if each.type == "text")
    thoughts = "".join(each.thinking for each in parts if each.type == "thinking")
    return text, thoughts, raw.headers["x-mainspring-run"]


PROTOCOLS = [by_chat, by_responses, by_messages]
By = Callable[[AgentsWorld, str, dict[str, Any]], Awaitable[Seen]]


@pytest.mark.parametrize("by", PROTOCOLS)
async def test_a_hand_over_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: By) -> None:
    def says(request: ChatRequest) -> Said:
        at_desk = any("Desk." in each.content for each in request.messages if each.role == "system")
        return [("transfer_to_agent", {"agent_name": "orders"})] if at_desk else "Which order?"

    async with opened(monkeypatch, tmp_path, says, {"modules": [f"{__name__}:desk"]}) as agents:
        text, thoughts, _ = await by(agents, "desk", {})
    assert text == "Which order?"
    assert "[desk] hands over to orders" in thoughts


@pytest.mark.parametrize("decision", ["approve", "deny"])
@pytest.mark.parametrize("by", PROTOCOLS)
async def test_a_wanted_approval_is_seen_and_answered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by: By, decision: str
) -> None:
    paid.clear()

    def says(request: ChatRequest) -> Said:
        last = request.messages[-1]
        return [("pay", {"amount": 5})] if last.role == "user" else f"Told: {last.content}"

    async with opened(monkeypatch, tmp_path, says, {"modules": [f"{__name__}:cashier"]}) as agents:
        text, thoughts, run = await by(agents, "cashier", {})
        assert "waits for approval" in text
        assert 'pay({"amount": 5})' in thoughts
        [waits] = (await agents.call("GET", "/v1/approvals?status=pending", key="both")).json()["data"]
        # The client sees what to decide on, and what to go on with, without another request.
        assert waits["id"] in text
        assert run in text
        again = await by(agents, "cashier", {"run": run})
        assert (again[0], paid) == (text, [])
        decided = await agents.call("POST", f"/v1/approvals/{waits['id']}/{decision}", {}, key="both")
        assert decided.status_code == 200, decided.text
        text, _, same = await by(agents, "cashier", {"run": run})
        assert same == run
        assert text.startswith("Told: ")
        assert ("paid 5" in text, "denied" in text) == (decision == "approve", decision == "deny")
        assert len(paid) == (decision == "approve")
