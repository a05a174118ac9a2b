"""An agent of this server over A2A: its card, an approval that it waits for, and a run that a crash interrupts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mainspring.agents.agent import LlmAgent
from mainspring.agents.tools.base import ToolContext, ToolPolicy
from mainspring.agents.tools.functions import tool
from mainspring.core.types import ChatRequest
from mainspring.features.a2a.service import A2aAgents
from tests.agents.loop.scripted import Said
from tests.features.a2a.house import House, Told, message, until
from tests.features.agents.world import opened

pytestmark = pytest.mark.slow
paid: list[str] = []


@tool(policy=ToolPolicy(effect="keyed", approval=True))
def pay(amount: int, context: ToolContext) -> str:
    """Pay."""
    paid.append(context.key)
    return f"paid {amount}"


@tool(policy=ToolPolicy(effect="keyed"))
def note(text: str, context: ToolContext) -> str:
    """Note something."""
    if context.key not in paid:
        paid.append(context.key)
    return f"noted {text}"


cashier = LlmAgent(name="cashier", description="Pays bills.", tools=[pay, note], untrusted="allow")
SETTINGS = {"modules": [f"{__name__}:cashier"]}


async def test_a_task_waits_for_an_approval_and_pays_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paid.clear()

    def says(request: ChatRequest) -> Said:
        return "It is paid." if request.messages[-1].role == "tool" else [("pay", {"amount": 5})]

    async with opened(monkeypatch, tmp_path, says, SETTINGS) as agents, agents.world.system.working():
        house = House(agents.world, Told())
        card = (await house.rest("GET", "/cashier/.well-known/agent-card.json")).json()
        assert (card["name"], card["description"]) == ("cashier", "Pays bills.")
        task = await house.send("Pay 5.", path="/cashier")
        assert (task["status"]["state"], paid) == ("TASK_STATE_INPUT_REQUIRED", [])
        waits = task["status"]["message"]["metadata"]
        assert waits["code"] == "approval_pending"
        early = await house.send("Go on", path="/cashier", message={"taskId": task["id"]})
        assert (early["status"]["state"], paid) == ("TASK_STATE_INPUT_REQUIRED", [])
        decided = await agents.call("POST", f"/v1/approvals/{waits['id']}/approve", {}, key="both")
        assert decided.status_code == 200, decided.text
        done = await house.send("It is approved", path="/cashier", message={"taskId": task["id"]})
        assert done["status"]["state"] == "TASK_STATE_COMPLETED", done
        assert done["artifacts"][-1]["parts"] == [{"text": "It is paid."}]
        assert len(paid) == 1


async def test_the_run_of_an_interrupted_turn_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    paid.clear()
    held: list[asyncio.Event] = [asyncio.Event()]

    def says(request: ChatRequest) -> Said:
        return "Noted." if request.messages[-1].role == "tool" else [("note", {"text": "x"})]

    class Holding:
        """Holds the model's second answer back until the process has died."""

        def __init__(self, inner: Any) -> None:
            self.inner = inner

        async def respond(self, request: Any, context: Any) -> Any:
            if request.messages[-1].role == "tool" and not held[0].is_set():
                await asyncio.Event().wait()
            return await self.inner.respond(request, context)

        def fingerprint(self, request: Any, context: Any) -> str | None:
            return None

    async with opened(monkeypatch, tmp_path, says, SETTINGS, runs=_quick()) as agents:
        chat: Any = agents.world.system.rooms.path.chat
        chat["m"] = Holding(chat["m"])
        house = House(agents.world, Told())
        async with agents.world.system.working():
            body = {"message": message("Note x."), "configuration": {"returnImmediately": True}}
            task = (await house.rest("POST", "/cashier/message:send", body)).json()["task"]
            await until(lambda: _noted())
        # The process stops in the middle; the next one knows neither the context nor what was said.
        service = agents.world.system.services[A2aAgents]
        service._turns.contexts.clear()
        service._feeds._feeds.clear()
        held[0].set()
        async with agents.world.system.working():
            done = await until(lambda: _done(house, task["id"]), 30.0)
        assert done["artifacts"][-1]["parts"] == [{"text": "Noted."}]
        assert len(paid) == 1
        # The model was asked for the call once.
        assert len([each for each in agents.model.seen if each.messages[-1].role == "user"]) == 1


def _quick() -> Any:
    from mainspring.features.runs.settings import RunsSettings

    return RunsSettings(lease_s=0.5, poll_s=0.1)


async def _noted() -> bool:
    return bool(paid)


async def _done(house: House, task_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] = (await house.rest("GET", f"/cashier/tasks/{task_id}")).json()
    return found if found["status"]["state"] in ("TASK_STATE_COMPLETED", "TASK_STATE_FAILED") else None
