import pytest

from mainspring.agents.agent import Limits, LlmAgent
from mainspring.agents.limits import repeats
from mainspring.agents.loop.agent_tool import AgentTool
from mainspring.agents.tools.base import ToolContext
from mainspring.core.errors import BudgetExceeded
from mainspring.core.types import Allowance, ChatRequest, Context, Notice, Principal, Usage
from tests.agents.loop.scripted import Ran, Said, ran


def look(place: int) -> str:
    """Look there."""
    return f"nothing at {place}"


def _wandering(request: ChatRequest) -> Said:
    return [("look", {"place": len(request.messages)})] if request.tools else "Nothing was found."


def _limits(found: Ran) -> list[str]:
    return [each.id for each in found.events if isinstance(each, Notice) and each.code == "agent_limit_reached"]


async def test_the_last_step_is_an_answer_without_tools() -> None:
    found = await ran(LlmAgent(name="a", tools=[look], limits=Limits(steps=5)), _wandering)
    assert found.outcome.text == "Nothing was found."
    assert len(found.model.seen) == 3
    assert "no further steps" in found.model.seen[-1].messages[0].content
    assert not _limits(found)


@pytest.mark.parametrize(
    ("limits", "limit"),
    [(Limits(tokens=40), "tokens"), (Limits(wall_s=0), "time"), (Limits(steps=0), "steps")],
)
async def test_a_limit_ends_the_run_and_the_user_sees_it(limits: Limits, limit: str) -> None:
    found = await ran(LlmAgent(name="a", tools=[look], limits=limits), _wandering)
    assert (found.outcome.limit, found.outcome.finish) == (limit, "length")
    assert _limits(found) == [limit]
    assert "could not finish" in found.shown
    assert len(found.model.seen) <= 3


async def test_what_an_agent_within_uses_counts_for_those_above_it() -> None:
    inner = LlmAgent(name="inner", tools=[look], limits=Limits(steps=1000))
    outer = LlmAgent(name="outer", tools=[AgentTool(inner)], limits=Limits(steps=9))

    def says(request: ChatRequest) -> Said:
        if request.tools and request.tools[0].name == "inner":
            return [("inner", {"request": str(len(request.messages))})]
        return _wandering(request)

    found = await ran(outer, says)
    # A step of the outer one, the call, then seven steps within.
    assert len(found.model.seen) <= 5
    assert found.outcome.text


async def test_a_limit_of_an_agent_within_ends_only_that_one() -> None:
    inner = LlmAgent(name="inner", tools=[look], limits=Limits(tokens=1))
    outer = LlmAgent(name="outer", tools=[AgentTool(inner)])
    found = await ran(outer, [[("inner", {"request": "x"})], [("look", {"place": 1})], "It stopped."])
    assert "It stopped early" in found.told(2)
    assert found.outcome.text == "It stopped."


async def test_the_money_limit_ends_a_run() -> None:
    found = await ran(LlmAgent(name="a", tools=[look], limits=Limits(money_nanousd=30)), _wandering, cost=20)
    assert (found.outcome.limit, found.outcome.finish) == ("money", "length")
    assert len(found.model.seen) == 2
    enough = await ran(
        LlmAgent(name="a", tools=[look], limits=Limits(money_nanousd=99)), [[("look", {"place": 1})], "So."], cost=20
    )
    assert (enough.outcome.text, enough.outcome.limit) == ("So.", "")


async def test_the_money_that_agents_within_spend_counts_above_them() -> None:
    def says(request: ChatRequest) -> Said:
        if request.tools[0].name == "inner":
            return [("inner", {"request": str(len(request.messages))})]
        return [("look", {"place": 1})] if request.messages[-1].role == "user" else "Nothing."

    inner = LlmAgent(name="inner", tools=[look])
    found = await ran(LlmAgent(name="outer", tools=[AgentTool(inner)], limits=Limits(money_nanousd=60)), says, cost=20)
    # Its own call, and two of the agent within.
    assert (found.outcome.limit, len(found.model.seen)) == ("money", 3)
    handed = LlmAgent(name="handed", tools=[look])
    desk = LlmAgent(name="desk", sub_agents=[handed], limits=Limits(money_nanousd=60))

    def goes_on(request: ChatRequest) -> Said:
        if "look" in [each.name for each in request.tools]:
            return [("look", {"place": len(request.messages)})]
        return [("transfer_to_agent", {"agent_name": "handed"})]

    found = await ran(desk, goes_on, cost=20)
    assert (found.outcome.limit, len(found.model.seen)) == ("money", 3)


@pytest.mark.parametrize(("limits", "limit"), [(Limits(money_nanousd=60), "money"), (Limits(tokens=100), "tokens")])
async def test_what_tools_spend_on_models_counts_each_call_once(limits: Limits, limit: str) -> None:
    async def study(place: int, context: ToolContext) -> str:
        """Study the place."""
        context.context.allowance.spend(Usage(30, 5, 0, 25))
        return f"read {place}"

    def says(request: ChatRequest) -> Said:
        return [("study", {"place": 10 * len(request.messages) + each}) for each in (1, 2)]

    context = Context(Principal("t", "k"), allowance=Allowance(money=1000))
    found = await ran(LlmAgent(name="a", tools=[study], limits=limits), says, context=context, cost=1)
    # Two calls side by side after each answer: 51 nano-US-dollars and 85 tokens, then 102 and 170.
    assert found.outcome.limit == limit
    assert context.allowance.spent.cost_nanousd == (100 if limit == "money" else 50)
    assert context.allowance.money == 1000 - context.allowance.spent.cost_nanousd
    # The usage of the answer is that of the agent's own models: the others are charged where they are asked.
    [used] = [each for each in found.events if isinstance(each, Usage)]
    assert used == Usage(20, 10, 0, 2)


async def test_agents_that_hand_the_conversation_to_each_other_share_the_limits_above_them() -> None:
    one = LlmAgent(name="one", description="One.")
    other = LlmAgent(name="other", description="Other.")
    desk = LlmAgent(name="desk", sub_agents=[one, other], limits=Limits(steps=7))
    asked: list[str] = []

    def says(_: ChatRequest) -> Said:
        to = "other" if asked[-1:] == ["one"] else "one"
        asked.append(to)
        return [("transfer_to_agent", {"agent_name": to})]

    found = await ran(desk, says)
    # Each turn is an answer of a model and a call.
    assert (found.outcome.limit, len(found.model.seen)) == ("steps", 4)


async def test_an_agent_that_gets_the_conversation_back_has_what_is_left_of_its_limits() -> None:
    helper = LlmAgent(name="helper")
    desk = LlmAgent(name="desk", sub_agents=[helper], limits=Limits(tokens=40, depth=0))

    def says(request: ChatRequest) -> Said:
        at_desk = "- helper" in request.tools[0].description
        return [("transfer_to_agent", {"agent_name": "helper" if at_desk else "desk"})]

    found = await ran(desk, says)
    assert (found.outcome.limit, len(found.model.seen)) == ("tokens", 3)


async def test_agents_stand_only_so_deep_within_each_other() -> None:
    agent = LlmAgent(name="a0")
    for depth in range(1, 5):
        agent = LlmAgent(name=f"a{depth}", tools=[AgentTool(agent)], limits=Limits(depth=2))

    def says(request: ChatRequest) -> Said:
        return [(request.tools[0].name, {"request": "x"})] if request.tools else "bottom"

    found = await ran(agent, says)
    assert found.outcome.limit == "depth"


async def test_the_same_call_with_the_same_result_is_not_made_for_ever() -> None:
    calls = []

    def check(place: int) -> str:
        """Check."""
        calls.append(place)
        return "closed"

    found = await ran(LlmAgent(name="a", tools=[check], limits=Limits(steps=100)), lambda _: [("check", {"place": 1})])
    assert len(calls) == repeats.TOLD_AFTER
    assert found.outcome.limit == "no_progress"
    assert "is not called again" in found.told(3)


async def test_a_call_whose_result_changes_is_progress() -> None:
    calls = []

    def check() -> int:
        """Check."""
        calls.append(1)
        return len(calls)

    found = await ran(LlmAgent(name="a", tools=[check]), lambda request: [("check", {})] if len(calls) < 6 else "six")
    assert found.outcome.text == "six"


async def test_failures_alone_are_no_progress() -> None:
    found = await ran(
        LlmAgent(name="a", limits=Limits(steps=100)), lambda request: [("nothing", {"n": len(request.messages)})]
    )
    assert found.outcome.limit == "no_progress"
    assert len(found.model.seen) == repeats.FAILURES


async def test_a_budget_of_the_caller_that_is_used_up_later_ends_the_answer() -> None:
    spent = BudgetExceeded("the budget of this key is used up")
    with pytest.raises(BudgetExceeded):
        await ran(LlmAgent(name="a"), [spent])
    found = await ran(LlmAgent(name="a", tools=[look]), [[("look", {"place": 1})], spent])
    assert _limits(found) == ["budget"]
    assert "budget of this key" in found.shown
    inner = LlmAgent(name="inner")
    within = await ran(LlmAgent(name="a", tools=[AgentTool(inner)]), [[("inner", {"request": "x"})], spent])
    assert _limits(within) == ["budget"]
