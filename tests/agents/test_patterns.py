import json
from typing import Any

import pytest

from mainspring.agents import patterns
from mainspring.agents.agent import LlmAgent
from mainspring.agents.errors import Waiting
from mainspring.agents.history import NoHistory, Step
from mainspring.core.types import ChatRequest, Reasoning
from tests.agents.loop.scripted import Said, ran


def _told(request: ChatRequest) -> str:
    return request.messages[0].content


def _verdict(approved: bool, reason: str = "because") -> str:
    return json.dumps({"reason": reason, "approved": approved})


async def test_a_debate_hears_both_sides_and_is_judged() -> None:
    agent = patterns.debate("d", "Argue for it.", "Argue against it.", "Decide.", rounds=2)
    found = await ran(agent, ["pro1", "con1", "pro2", "con2", "con wins"])
    asked = [_told(each) for each in found.model.seen]
    assert "The other side said: pro1" in asked[1]
    assert "The other side said: con1" in asked[2]
    assert "For it: pro2" in asked[4]
    assert "Against it: con2" in asked[4]
    assert found.shown == "con wins"


async def test_answers_of_a_fan_out_are_put_together() -> None:
    members = [LlmAgent(name=name, instruction=f"You are {name}.") for name in ("law", "market")]
    agent = patterns.fan_out("r", members, "Sum up: {law} / {market}")

    def says(request: ChatRequest) -> Said:
        return _told(request).removeprefix("You are ")

    assert (await ran(agent, says)).shown == "Sum up: law. / market."


async def test_a_critic_is_answered_with_another_draft() -> None:
    agent = patterns.generator_critic("g", "Write.", "Criticise.")
    found = await ran(agent, ["draft", "too short", "a longer draft"])
    assert "What is wrong with it: too short" in _told(found.model.seen[2])
    assert found.shown == "a longer draft"


async def test_refinement_ends_with_the_draft_that_is_approved() -> None:
    agent = patterns.refine("r", "Write.", "Check.", rounds=5)
    found = await ran(agent, ["one", _verdict(False, "dull"), "two", _verdict(True)])
    assert "dull" in _told(found.model.seen[2])
    assert found.shown == "two"


async def test_specialists_of_a_hierarchy_see_what_they_are_passed() -> None:
    agent = patterns.hierarchy("boss", [LlmAgent(name="worker")], "Delegate.")
    found = await ran(agent, [[("worker", {"request": "dig"})], "a hole", "There is a hole."])
    assert [each.content for each in found.model.seen[1].messages] == ["dig"]
    assert found.shown == "There is a hole."


async def test_peers_hand_over_to_each_other_and_never_back() -> None:
    agent = patterns.peers("p", [LlmAgent(name="a"), LlmAgent(name="b")], "Begin with a.")
    found = await ran(
        agent, [[("transfer_to_agent", {"agent_name": "a"})], [("transfer_to_agent", {"agent_name": "b"})], "done"]
    )
    offered = found.model.seen[1].tools[0].parameters["properties"]["agent_name"]["enum"]
    assert offered == ["b"]
    assert found.shown == "done"


async def test_thoughts_are_kept_apart_from_the_answer() -> None:
    found = await ran(patterns.chain_of_thought("c"), ['{"thought": "2 and 2", "answer": "4"}'])
    assert found.state["c"] == {"thought": "2 and 2", "answer": "4"}
    assert found.shown == "4"
    assert "2 and 2" in "".join(each.text for each in found.events if isinstance(each, Reasoning))


def dig(where: str) -> str:
    """Dig."""
    return "a hole"


PLAN = '{"steps": ["dig there"]}'


async def test_a_plan_is_carried_out_once_a_judge_approves_it() -> None:
    agent = patterns.plan_and_execute("w", "Plan.", [dig], verifier="Judge it.")
    script: list[Said] = [PLAN, _verdict(False, "where?"), PLAN, _verdict(True), [("dig", {"where": "x"})], "Done."]
    found = await ran(agent, script)
    assert "where?" in _told(found.model.seen[2])
    assert "dig there" in _told(found.model.seen[4])
    assert found.shown == "Done."
    refused = await ran(agent, [PLAN, _verdict(False), PLAN, _verdict(False, "too deep")])
    assert "nothing was done. too deep" in refused.shown


class _Decided(NoHistory):
    """A history in which a person has decided."""

    def __init__(self, decision: str) -> None:
        super().__init__()
        self.decision = decision

    async def outcome(self, step: Step, perform: Any) -> Any:
        if step.kind == "approval":
            assert step.input["arguments"] == {"plan": {"steps": ["dig there"]}}
            return {"decision": self.decision, "note": ""}
        return await super().outcome(step, perform)


async def test_a_plan_is_carried_out_once_a_person_approves_it() -> None:
    agent = patterns.plan_and_execute("w", "Plan.", [dig])
    with pytest.raises(Waiting):
        await ran(agent, [PLAN])
    done = await ran(agent, [PLAN, [("dig", {"where": "x"})], "Done."], history=_Decided("approved"))
    assert done.shown == "Done."
    denied = await ran(agent, [PLAN], history=_Decided("denied"))
    assert "nothing was done" in denied.shown
