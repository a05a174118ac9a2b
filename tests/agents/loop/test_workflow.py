import asyncio

from mainspring.agents.agent import LlmAgent, LoopAgent, ParallelAgent, SequentialAgent
from mainspring.agents.loop.agent_tool import exit_loop
from mainspring.agents.tools.base import ToolContext
from mainspring.core.types import ChatRequest, Reasoning
from tests.agents.loop.scripted import Said, ran


def _system(request: ChatRequest) -> str:
    return request.messages[0].content


async def test_a_sequence_passes_the_state_on_and_answers_with_its_last_agent() -> None:
    draft = LlmAgent(name="draft", instruction="Draft.", output_key="draft")
    edit = LlmAgent(name="edit", instruction="Edit: {draft}")
    found = await ran(SequentialAgent(name="s", sub_agents=[draft, edit]), ["rough", "smooth"])
    assert found.shown == "smooth"
    assert _system(found.model.seen[1]) == "Edit: rough"
    assert "rough" in "".join(each.text for each in found.events if isinstance(each, Reasoning))


async def test_parallel_agents_run_side_by_side_and_join_their_states_in_order() -> None:
    both = asyncio.Barrier(2)

    def member(name: str) -> LlmAgent:
        async def note(context: ToolContext) -> str:
            """Note."""
            await both.wait()
            context.state["last"] = name
            return str(context.state.get("last"))

        return LlmAgent(name=name, tools=[note], output_key=f"of_{name}")

    def says(request: ChatRequest) -> Said:
        return [("note", {})] if request.messages[-1].role == "user" else "noted"

    team = ParallelAgent(name="team", sub_agents=[member("one"), member("two")])
    found = await ran(team, says)
    assert found.state == {"last": "two", "of_one": "noted", "of_two": "noted"}
    assert found.shown == "one: noted\n\ntwo: noted"


async def test_a_loop_ends_when_an_agent_escalates_or_its_rounds_are_over() -> None:
    writer = LlmAgent(name="writer", instruction="Write.", output_key="text")
    critic = LlmAgent(name="critic", instruction="Judge {text}", tools=[exit_loop])
    loop = LoopAgent(name="loop", sub_agents=[writer, critic], max_iterations=3)
    found = await ran(loop, ["one", "worse", "two", [("exit_loop", {})]])
    assert found.state["text"] == "two"
    assert found.shown == "two"
    assert len((await ran(loop, ["x"] * 6)).model.seen) == 6
    rounds = LoopAgent(name="l", sub_agents=[writer], until=lambda state: state["text"] == "good")
    assert (await ran(rounds, ["bad", "good"])).shown == "good"
