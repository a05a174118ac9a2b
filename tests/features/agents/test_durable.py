"""A run that waits for a person goes on once it is approved, and does nothing twice."""

from pathlib import Path

import pytest

from mainspring.agents.agent import LlmAgent
from mainspring.agents.tools.base import ToolContext, ToolPolicy
from mainspring.agents.tools.functions import tool
from mainspring.core.types import ChatRequest
from tests.agents.loop.scripted import Said
from tests.features.agents.world import opened

pytestmark = pytest.mark.slow
paid: list[str] = []


@tool(policy=ToolPolicy(effect="keyed", approval=True))
def pay(amount: int, context: ToolContext) -> str:
    """Pay."""
    paid.append(context.key)
    return f"paid {amount}"


cashier = LlmAgent(name="cashier", tools=[pay], untrusted="allow", output_key="last")


async def test_an_approved_call_is_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paid.clear()

    def says(request: ChatRequest) -> Said:
        return "It is paid." if request.messages[-1].role == "tool" else [("pay", {"amount": 5})]

    settings = {"modules": [f"{__name__}:cashier"]}
    async with opened(monkeypatch, tmp_path, says, settings) as agents:
        first = await agents.openai.chat.completions.with_raw_response.create(
            model="cashier", messages=[{"role": "user", "content": "Pay 5."}]
        )
        run = first.headers["x-mainspring-run"]
        notices = (first.parse().choices[0].message.model_extra or {})["notices"]
        waits = next(each["id"] for each in notices if each["code"] == "approval_pending")
        assert paid == []
        decided = await agents.call("POST", f"/v1/approvals/{waits}/approve", {}, key="both")
        assert decided.status_code == 200, decided.text
        answer = await agents.ask("cashier", "Pay 5.", extra_body={"options": {"run": run}})
        assert answer.choices[0].message.content == "It is paid."
        assert len(paid) == 1
        assert len(agents.model.seen) == 2
        replayed = (await agents.call("POST", f"/v1/agents/runs/{run}/replay")).json()
        assert replayed.get("identical"), replayed
        assert (len(paid), len(agents.model.seen)) == (1, 2)
