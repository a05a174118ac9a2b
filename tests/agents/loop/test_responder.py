import asyncio
from typing import Any

import pytest

from mainspring.agents.agent import LlmAgent
from mainspring.agents.history import History, NoHistory
from mainspring.agents.loop.ports import FixedModels, Surroundings
from mainspring.agents.loop.responder import AgentResponder
from mainspring.agents.runs import Opened
from mainspring.agents.tools.base import ToolPolicy
from mainspring.agents.tools.functions import tool
from mainspring.core.errors import InvalidRequest, MainspringError, Overloaded, Unsupported
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, EmbedRequest, Message, Notice, Sampling, Tool
from tests.agents.loop.scripted import CONTEXT, Says, ScriptedModel, asked


class Kept:
    """Histories that note what became of each run, and keep the state."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.state: dict[str, Any] = {}

    async def open_run(self, agent: str, request: ChatRequest, context: Context, *, version: str = "") -> Opened:
        return Opened(NoHistory("run_1"), self.state)

    async def end_run(self, history: History, status: str, state: Any, error: BaseException | None = None) -> None:
        self.ended.append(status)
        self.state = dict(state)


def served(agent: LlmAgent, says: Says, kept: Kept | None = None) -> AgentResponder:
    models = FixedModels({"m": ScriptedModel(says)})
    return AgentResponder(agent, Surroundings(models, kept) if kept else Surroundings(models))


async def test_it_answers_with_the_run_in_its_head() -> None:
    kept = Kept()
    response = await served(LlmAgent(name="a", output_key="said"), ["hello"], kept).respond(asked(), CONTEXT)
    assert response.head.headers == {"x-mainspring-run": "run_1"}
    assert (await collect(response)).text == "hello"
    assert (kept.ended, kept.state) == (["completed"], {"said": "hello"})


async def test_what_fails_before_the_first_word_is_raised_at_once_and_later_in_the_stream() -> None:
    kept = Kept()
    with pytest.raises(Overloaded):
        await served(LlmAgent(name="a"), [Overloaded("full")], kept).respond(asked(), CONTEXT)
    agent = LlmAgent(name="a", tools=[_look])
    response = await served(agent, [[("_look", {})], Overloaded("full")], kept).respond(asked(), CONTEXT)
    with pytest.raises(Overloaded):
        await collect(response)
    assert kept.ended == ["failed", "failed"]


def _look() -> str:
    """Look."""
    return "there"


async def test_leaving_ends_the_run() -> None:
    kept, stopped = Kept(), asyncio.Event()

    async def wait() -> str:
        """Wait."""
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return ""

    response = await served(LlmAgent(name="a", tools=[wait]), [[("wait", {})]], kept).respond(asked(), CONTEXT)
    async with response:
        await anext(aiter(response))
    assert stopped.is_set()
    assert kept.ended == ["cancelled"]


async def test_a_call_that_waits_for_a_person_ends_the_answer() -> None:
    @tool(policy=ToolPolicy(approval=True))
    def pay() -> str:
        """Pay."""
        return "paid"

    kept = Kept()
    answer = await collect(
        await served(LlmAgent(name="a", tools=[pay]), [[("pay", {})]], kept).respond(asked(), CONTEXT)
    )
    assert [each.code for each in answer.notices if isinstance(each, Notice)] == ["tool_call", "approval_pending"]
    assert "must approve" in answer.text
    assert kept.ended == ["waiting"]


async def test_the_agent_that_took_over_goes_on_in_the_session() -> None:
    kept = Kept()
    orders = LlmAgent(name="orders", instruction="Orders.")
    desk = LlmAgent(name="desk", instruction="Desk.", sub_agents=[orders])
    first = served(desk, [[("transfer_to_agent", {"agent_name": "orders"})], "Which one?"], kept)
    await collect(await first.respond(asked(), CONTEXT))
    model = ScriptedModel([[("transfer_to_agent", {"agent_name": "desk"})], "Back."])
    later = AgentResponder(desk, Surroundings(FixedModels({"m": model}), kept))
    await collect(await later.respond(asked(), CONTEXT))
    assert [each.messages[0].content for each in model.seen] == ["Orders.", "Desk."]
    assert kept.state == {}


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (EmbedRequest("a", ("x",)), InvalidRequest),
        (asked(options={"top_k": 3}), InvalidRequest),
        (asked(sampling=Sampling(n=2)), Unsupported),
        (asked(tools=(Tool("x"),), tool_choice="required"), Unsupported),
        (asked(sampling=Sampling(logprobs=1)), Unsupported),
        (ChatRequest("a", (Message("assistant", "So"),), continues=True), Unsupported),
    ],
)
async def test_what_it_cannot_honour_is_refused(request_: Any, error: type[MainspringError]) -> None:
    with pytest.raises(error):
        await served(LlmAgent(name="a"), []).respond(request_, CONTEXT)


async def test_an_agent_that_is_its_own_model_comes_to_an_end() -> None:
    asked_of: list[int] = []

    class Mirror(FixedModels):
        async def find(self, name: str, context: Context) -> Any:
            asked_of.append(context.depth)
            return "a", responder

    responder = AgentResponder(LlmAgent(name="a"), Surroundings(Mirror({})))
    with pytest.raises(InvalidRequest, match="levels deep"):
        await responder.respond(asked(), CONTEXT)
    assert len(asked_of) < 12
