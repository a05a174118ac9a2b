"""Agents that reason by choice: the loop makes the calls, and a resumed run chooses nothing anew."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mainspring.agents.agent import LlmAgent
from mainspring.agents.choice import plainly
from mainspring.agents.choice.chooser import ToolChooser
from mainspring.agents.choice.rules import Rule
from mainspring.agents.loop.ports import FixedModels, Surroundings
from mainspring.agents.loop.runner import Runner
from mainspring.agents.tools.base import ToolPolicy, ToolResult
from mainspring.agents.tools.functions import tool
from mainspring.core.types import ChatRequest, Event, Message, Text
from tests.agents.choice.support import Words
from tests.agents.loop.scripted import CONTEXT, Ran, Said, ScriptedModel, asked, ran
from tests.agents.loop.test_replay import Crash, Kept

trusted = ToolPolicy(trusted=True)


@tool(policy=trusted)
def verify_identity(email: str) -> dict[str, bool]:
    """Verify the identity of the customer by e-mail."""
    return {"verified": "@" in email}


@tool(policy=trusted)
def refund_order(order_id: str, reason: str) -> dict[str, str]:
    """Refund the money of an order."""
    return {"order": order_id, "refunded": "yes", "reason": reason}


AGENT = LlmAgent(
    name="desk",
    tools=(verify_identity, refund_order),
    reasoning="choice",
    rules=(Rule(tool="refund_order", requires=("verify_identity",)),),
)
SAID = "Refund the money of my order A-1234, the reason is a broken lamp, I am jo@example.org"


def _says(request: ChatRequest) -> Said:
    """Writes the arguments of a forced call, and answers otherwise."""
    if request.tools:
        (forced,) = request.tools
        assert request.tool_choice == forced.name
        return [(forced.name, {"order_id": "Z-9", "reason": "a broken lamp"})]
    return f"It is done: {request.messages[-1].content}"


async def _run(said: str, history: Kept, embedder: Words) -> Ran:
    around = {"chooser": ToolChooser(embedder)}
    return await ran(AGENT, _says, request=asked(said), history=history, around=around)


async def test_the_calls_are_made_in_their_order_and_the_model_words_the_answer() -> None:
    history = Kept()
    found = await _run(SAID, history, Words())
    called = [(step.name, step.input) for step in history.performed if step.kind == "tool"]
    assert [name for name, _ in called] == ["verify_identity", "refund_order"]
    # The identifier that the model made up is not the one of the call.
    assert "A-1234" in str(called[1][1])
    assert "Z-9" not in str(called[1][1])
    assert "refunded" in found.outcome.text
    assert "tool_choice" in {step.name for step in history.performed if step.kind == "value"}


async def test_a_question_back_is_the_answer_of_the_agent() -> None:
    history = Kept()
    found = await _run("Refund the money of my order", history, Words())
    assert found.outcome.text == found.shown == "Which email?"
    assert not found.model.seen
    assert not [step for step in history.performed if step.kind == "tool"]


async def test_a_run_that_dies_at_any_step_makes_the_same_calls() -> None:
    whole = Kept()
    made = await _run(SAID, whole, Words())
    for dies in range(len(whole.performed)):
        dead = Kept(dies=dies)
        with pytest.raises(Crash):
            await _run(SAID, dead, Words())
        resumed = Kept(copy.copy(dead.known))
        found = await _run(SAID, resumed, Words())
        assert found.outcome.text == made.outcome.text
        assert resumed.known == whole.known


async def test_a_replay_embeds_nothing_and_asks_no_model() -> None:
    first, again, embedder = Kept(), Kept(), Words()
    made = await _run(SAID, first, Words())
    again.known = first.known
    replayed = await _run(SAID, again, embedder)
    assert (embedder.texts, again.performed, replayed.model.seen) == (0, [], [])
    assert replayed.outcome.text == made.outcome.text


async def test_an_answer_to_a_question_goes_on_in_the_next_request() -> None:
    messages: tuple[Any, ...] = (
        Message("user", "Refund the money of my order A-1234, the reason is a broken lamp"),
        Message("assistant", "Which email?"),
        Message("user", "jo@example.org"),
    )
    history = Kept()
    request = ChatRequest("agent", messages)
    found = await ran(AGENT, _says, request=request, history=history, around={"chooser": ToolChooser(Words())})
    assert [step.name for step in history.performed if step.kind == "tool"] == ["verify_identity", "refund_order"]
    assert "refunded" in found.outcome.text


@pytest.mark.parametrize("trust", [True, False])
async def test_a_model_that_misreads_results_is_not_asked_to_word_them(trust: bool) -> None:
    @tool(policy=ToolPolicy(trusted=trust))
    def order_status(order_id: str) -> dict[str, Any]:
        """Look up the status of an order."""
        return {"order_id": order_id, "status": "shipped", "parcels": [{"carrier": "DHL", "late": False}]}

    small = "smollm2-135m-instruct"
    agent = LlmAgent(name="desk", model=small, tools=(order_status,), reasoning="choice")
    model = ScriptedModel([])
    surroundings = Surroundings(FixedModels({small: model}), chooser=ToolChooser(Words()))
    history, events = Kept(), list[Event]()
    request = asked("Look up the status of my order A-1234")
    outcome = await Runner(agent, surroundings).run(request, CONTEXT, emit=events.append, state={}, history=history)
    assert outcome.text == "Order id: A-1234\nStatus: shipped\nCarrier: DHL\nLate: no"
    assert "".join(each.text for each in events if isinstance(each, Text)) == outcome.text
    assert model.seen == []
    again = Kept(history.known)
    replayed = await Runner(agent, surroundings).run(request, CONTEXT, state={}, history=again)
    assert (replayed.text, again.performed) == (outcome.text, [])


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("It is done.", "It is done."),
        ({"say": "A table for 4 is yours.", "table": 7}, "A table for 4 is yours."),
        ({"passages": [{"text": "Thirty\ndays.", "source": "terms.md"}, {"text": "No."}]}, "Thirty days. (terms.md)"),
        ({"stdout": "", "value": 59.16, "files": []}, "Value: 59.16"),
        (["a", "b"], "a\nb"),
        ({}, ""),
        (list(range(25)), "\n".join([*map(str, range(20)), "(5 more)"])),
    ],
)
def test_results_are_shown_as_they_are(output: Any, text: str) -> None:
    assert plainly.told([ToolResult(output)]) == text
    assert plainly.told([ToolResult(None, "It is closed."), ToolResult(output)]).startswith("It is closed.")
