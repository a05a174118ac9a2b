"""Every shape of agent is deterministic: a run that is resumed at any step, or replayed, says the same."""

import asyncio
import copy
from typing import Any

import orjson
import pytest

from mainspring.agents import patterns
from mainspring.agents.agent import Agent, LlmAgent, LoopAgent, ParallelAgent, SequentialAgent
from mainspring.agents.history import Perform, Step
from mainspring.agents.loop.agent_tool import AgentTool
from mainspring.agents.loop.ports import FixedModels, Surroundings
from mainspring.agents.loop.runner import Runner
from mainspring.agents.tools.base import ToolContext, ToolPolicy
from mainspring.agents.tools.functions import FunctionTool
from mainspring.core.types import ChatRequest, Context, Notice, Reasoning, Responder, Text, ToolCallDelta
from tests.agents.loop.scripted import CONTEXT, Ran, Said, ScriptedModel, asked, ran


class Crash(BaseException):
    """The process dies."""


class Kept:
    """A history in memory. It dies at the step numbered ``dies``, before the outcome is recorded."""

    run_id = origin = "run_1"

    def __init__(self, known: dict[str, Any] | None = None, dies: int = -1) -> None:
        self.known = {} if known is None else known
        self.performed: list[Step] = []
        self._reached: set[str] = set()
        self._dies = dies

    async def outcome(self, step: Step, perform: Perform) -> Any:
        assert step.path not in self._reached, f"two steps have the path {step.path}"
        self._reached.add(step.path)
        if step.path in self.known:
            digest, found = self.known[step.path]
            assert digest == step.digest, f"the step {step.path} asks something else"
            return orjson.loads(found)
        number = len(self.performed)
        self.performed.append(step)
        if number == self._dies:
            raise Crash
        # Calls side by side end in another order than they began.
        await asyncio.sleep(0 if number % 2 else 0.001)
        found = orjson.dumps(await perform(step.key(self.run_id)))
        self.known[step.path] = step.digest, found
        return orjson.loads(found)


done: list[str] = []


def _tool(name: str, effect: Any = "none") -> FunctionTool:
    async def work(what: str, context: ToolContext) -> dict[str, Any]:
        """Work."""
        if effect != "none":
            done.append(context.key)
        context.state[f"did_{name}"] = what
        return {"of": name, "what": what}

    return FunctionTool(work, name=name, policy=ToolPolicy(effect=effect, trusted=True))


def _says(request: ChatRequest) -> Said:
    """Calls all its tools once, side by side, then answers with what it was told."""
    told = request.messages[-1]
    names = [each.name for each in request.tools]
    if request.sampling.grammar is not None:
        wanted = orjson.loads(request.sampling.grammar.source)["required"]
        fields = {"reason": "good", "approved": True, "steps": ["one"], "thought": "so", "answer": "four"}
        return orjson.dumps({name: fields[name] for name in wanted}).decode()
    if told.role == "tool" or not names:
        return f"said {sum(len(each.content) for each in request.messages)}"
    calls: list[tuple[str, dict[str, Any]]] = []
    for tool in request.tools:
        wanted = tool.parameters["properties"]
        if tool.name == "transfer_to_agent":
            calls.append((tool.name, {"agent_name": wanted["agent_name"]["enum"][0]}))
        elif tool.name != "exit_loop":
            calls.append((tool.name, {next(iter(wanted)): "this"}))
    return calls


def _worker(name: str) -> LlmAgent:
    tools = [_tool(f"{name}_reads"), _tool(f"{name}_writes", "keyed")]
    return LlmAgent(name=name, instruction="Work.", tools=tools, output_key=name)


SHAPES: dict[str, Agent] = {
    "single": _worker("a"),
    "sequence": SequentialAgent(name="s", sub_agents=[_worker("a"), _worker("b")]),
    "parallel": ParallelAgent(name="p", sub_agents=[_worker("a"), _worker("b"), _worker("c")]),
    "loop": LoopAgent(name="l", sub_agents=[_worker("a")], max_iterations=2),
    "tools": LlmAgent(name="boss", tools=[AgentTool(_worker("a")), AgentTool(_worker("b")), _tool("own", "keyed")]),
    "transfer": LlmAgent(
        name="desk",
        sub_agents=[LlmAgent(name="orders", tools=[_tool("look")], disallow_transfer_to_parent=True)],
    ),
    "debate": patterns.debate("d", "For.", "Against.", "Decide.", rounds=2),
    "plan": patterns.plan_and_execute("plan", "Plan.", [_tool("acts", "keyed")], verifier="Judge."),
    "refine": patterns.refine("r", "Write.", "Check."),
    "thought": patterns.chain_of_thought("c"),
}


def _seen(found: Ran) -> list[Any]:
    """The events, with texts that follow each other as one."""
    merged: list[Any] = []
    for each in found.events:
        if isinstance(each, Text | Reasoning) and merged and type(merged[-1]) is type(each):
            merged[-1] = type(each)(merged[-1].text + each.text)
        elif isinstance(each, Text | Reasoning | Notice | ToolCallDelta):
            merged.append(each)
    return merged


async def _run(shape: str, history: Kept, *, guarded: bool = False) -> Ran:
    return await ran(
        SHAPES[shape], _says, request=asked("work"), history=history, state={}, around={"guarded": guarded}
    )


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
async def test_a_replay_says_the_same_and_performs_nothing(shape: str, guarded: bool) -> None:
    first, again = Kept(), Kept()
    made = await _run(shape, first, guarded=guarded)
    assert first.performed
    again.known = first.known
    replayed = await _run(shape, again, guarded=guarded)
    assert again.performed == []
    assert _seen(replayed) == _seen(made)
    assert replayed.state == made.state


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_run_that_dies_at_any_step_ends_like_one_that_does_not(shape: str) -> None:
    whole = Kept()
    done.clear()
    made = await _run(shape, whole)
    effects, steps = sorted(done), len(whole.performed)
    for dies in range(steps):
        done.clear()
        dead = Kept(dies=dies)
        with pytest.raises(Crash):
            await _run(shape, dead)
        resumed = Kept(copy.copy(dead.known))
        found = await _run(shape, resumed)
        assert found.outcome.text == made.outcome.text
        assert found.state == made.state
        # Calls side by side may have had their effect while the process died: their keys say that it is the same.
        assert sorted(set(done)) == effects
        assert len(resumed.performed) <= steps - len(dead.known)


async def test_agents_that_name_no_model_keep_the_one_that_they_began_with() -> None:
    class Changing(FixedModels):
        first = "small"

        async def find(self, name: str, context: Context) -> tuple[str, Responder]:
            return await super().find(name or self.first, context)

    small, large = ScriptedModel(lambda _: "small"), ScriptedModel(lambda _: "large")
    models, history = Changing({"small": small, "large": large}), Kept()
    team = ParallelAgent(name="team", sub_agents=[LlmAgent(name="a"), LlmAgent(name="b")])
    runner = Runner(team, Surroundings(models))
    await runner.run(asked(), CONTEXT, history=history, state={})
    assert (len(small.seen), len(large.seen)) == (2, 0)
    # It goes on after a restart, with a call that was not answered yet, when another model is the default one.
    models.first = "large"
    known = dict(history.known)
    del known[next(path for path in known if path != "0.1")]
    await Runner(team, Surroundings(models)).run(asked(), CONTEXT, history=Kept(known), state={})
    assert (len(small.seen), len(large.seen)) == (3, 0)
    await Runner(team, Surroundings(models)).run(asked(), CONTEXT, history=Kept(), state={})
    assert len(large.seen) == 2
