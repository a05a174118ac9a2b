import json
from typing import Any

from mainspring.agents.agent import LlmAgent
from mainspring.agents.loop.react import read
from mainspring.agents.loop.steps import Reply
from mainspring.core.types import Reasoning
from mainspring.engines.grammar import checks
from mainspring.engines.grammar.validation import validator
from tests.agents.loop.scripted import ran


def get_order(order_id: str) -> dict[str, Any]:
    """Look up an order."""
    return {"status": "shipped"}


def _turn(thought: str, **rest: Any) -> str:
    return json.dumps({"thought": thought, **rest})


async def test_thought_action_and_observation_are_text_under_a_grammar() -> None:
    agent = LlmAgent(name="a", instruction="Help.", tools=[get_order], reasoning="react")
    act = {"name": "get_order", "arguments": {"order_id": "7"}}
    found = await ran(agent, [_turn("I need the order.", action=act), _turn("I know.", answer="Shipped.")])
    first, second = found.model.seen
    assert first.tools == ()
    assert first.messages[0].content.startswith("Help.")
    assert "Look up an order." in first.messages[0].content
    assert first.sampling.grammar is not None
    checks.check(first.sampling.grammar)
    fits = validator(first.sampling.grammar.source)
    assert fits({"thought": "x", "action": act}) is None
    assert fits({"thought": "x", "action": {"name": "other", "arguments": {}}}) is not None
    assert json.loads(second.messages[-2].content)["action"] == act
    assert second.messages[-1].role == "user"
    assert second.messages[-1].content.startswith("Observation: ")
    assert '"status":"shipped"' in second.messages[-1].content
    assert found.shown == "Shipped."
    assert "I need the order." in "".join(each.text for each in found.events if isinstance(each, Reasoning))


async def test_text_that_is_no_turn_is_the_answer() -> None:
    agent = LlmAgent(name="a", tools=[get_order], reasoning="react")
    assert (await ran(agent, ["Just so."])).shown == "Just so."


async def test_of_an_answer_that_was_cut_there_is_what_there_is() -> None:
    cut = '{"thought": "so", "answer": "It is \\"shipped\\" and arr\\u00e'
    assert read(Reply(cut, finish="length"), "1").text == 'It is "shipped" and arr'
    assert read(Reply('{"thought": "I nee', finish="length"), "1").text == ""
