"""Agents of others: as tools and as models, with pinned cards, bounded and confined."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mainspring.agents.agent import LlmAgent
from mainspring.agents.loop.ports import FixedModels, Surroundings
from mainspring.agents.loop.runner import Runner
from mainspring.agents.tools.a2a.agent import RemoteAgent, digest
from mainspring.agents.tools.a2a.responder import RemoteAgentResponder
from mainspring.agents.tools.a2a.settings import RemoteAgentSettings
from mainspring.agents.tools.a2a.toolset import A2aToolset
from mainspring.agents.tools.base import BaseTool, ToolContext, ToolResult
from mainspring.core.errors import UpstreamError
from mainspring.core.path import Answer, collect
from mainspring.core.types import IGNORED_HEADER, ChatRequest, Context, Message, Principal, Tool
from tests.agents.loop.scripted import ScriptedModel
from tests.agents.tools.a2a.served import Agent, billing

CONTEXT = Context(Principal("t", "k"))


@asynccontextmanager
async def remote(agent: Agent, **settings: Any) -> AsyncIterator[RemoteAgent]:
    made = RemoteAgent("billing", RemoteAgentSettings(url=agent.url, **{"poll_s": 0.05, **settings}))
    try:
        yield made
    finally:
        await made.aclose()


def called(state: dict[str, Any], key: str, shown: list[str] | None = None) -> ToolContext:
    said = shown if shown is not None else []
    return ToolContext(CONTEXT, "run_1", "call_1", key, "agent", state, progress=said.append)


async def the_tool(agent: RemoteAgent) -> BaseTool:
    [tool] = await A2aToolset(agent).tools(CONTEXT)
    return tool


@pytest.mark.parametrize("mode", ["auto", "poll"])
async def test_an_agent_is_a_tool_that_remembers_its_context(mode: str) -> None:
    async with billing() as agent, remote(agent, mode=mode, key="k3y", headers={"x-team": "a"}) as other:
        tool = await the_tool(other)
        assert tool.declaration.name == "ask_billing"
        assert tool.declaration.description == (
            "Ask the agent billing. Knows invoices.\nIt can:\n- payments: Says what is paid"
        )
        assert (tool.examples, tool.policy.effect, tool.policy.trusted) == (("Is May paid?",), "unkeyed", False)
        state: dict[str, Any] = {}
        shown: list[str] = []
        found = await tool.call({"message": "May"}, called(state, "key-1", shown))
        assert found == ToolResult("It is paid: May")
        assert shown == (["Looking it up."] if mode == "auto" else shown)
        # The idempotency key of the call is the id of the message.
        assert [each.message.message_id for each in agent.executor.asked if each.message] == ["key-1"]
        await tool.call({"message": "June"}, called(state, "key-2"))
        assert len({each.context_id for each in agent.executor.asked}) == 1
        assert {each["authorization"] for each in agent.headers} == {"Bearer k3y"}
        assert {each["x-team"] for each in agent.headers} == {"a"}


async def test_a_question_back_is_answered_in_the_same_task() -> None:
    async with billing() as agent, remote(agent) as other:
        tool = await the_tool(other)
        state: dict[str, Any] = {}
        found = await tool.call({"message": "which one"}, called(state, "1"))
        assert found.output == {"state": "input_required", "asks": "Which month?"}
        found = await tool.call({"message": "May"}, called(state, "2"))
        assert found.output == "It is paid: May"
        assert len({each.task_id for each in agent.executor.asked}) == 1
        assert "task_id" not in state["a2a:billing"]


async def test_faults_are_reported_and_data_is_handed_on() -> None:
    async with billing() as agent, remote(agent) as other:
        tool = await the_tool(other)
        found = await tool.call({"message": "fail"}, called({}, "1"))
        assert (found.output, found.error) == (None, "The agent's task failed: There is no such invoice.")
        found = await tool.call({"message": "data"}, called({}, "2"))
        assert found.output == {"text": "It is paid: data", "data": [{"total": 12}]}


@pytest.mark.parametrize("mode", ["auto", "poll"])
async def test_a_task_that_takes_too_long_is_cancelled_there(mode: str) -> None:
    async with billing() as agent, remote(agent, mode=mode, timeout_s=0.6) as other:
        tool = await the_tool(other)
        with pytest.raises(UpstreamError, match=r"did not answer within 0\.6 s"):
            await tool.call({"message": "slow"}, called({}, "1"))
        async with asyncio.timeout(60):
            while not agent.executor.cancelled:
                await asyncio.sleep(0.02)


async def test_a_card_is_pinned_and_leads_nowhere_else() -> None:
    async with billing() as agent:
        async with remote(agent) as other:
            read = await other.card()
        async with remote(agent, card_sha256=digest(read)) as other:
            assert await other.card() == read
        agent.card.description = "Knows everything, and does what texts say."
        async with remote(agent, card_sha256=digest(read)) as other:
            with pytest.raises(UpstreamError, match="has changed"):
                await other.card()
        # A process keeps the first card that it has seen.
        async with remote(agent) as other:
            await other.card()
            agent.card.description = "Something else."
            other._client = None
            with pytest.raises(UpstreamError, match="has changed"):
                await other.card()
        agent.card.supported_interfaces[0].url = "http://127.0.0.2:1/rpc"
        async with remote(agent, key="k3y") as other:
            with pytest.raises(UpstreamError, match="leads to another server"):
                await other.card()


async def test_addresses_of_this_network_are_not_reached_for_those_who_define_agents() -> None:
    async with billing() as agent:
        for url in (agent.url, agent.url.replace("127.0.0.1", "localhost")):
            other = RemoteAgent("x", RemoteAgentSettings(url=url), own_host_private=False)
            with pytest.raises(UpstreamError, match="no public address"):
                await other.card()
            await other.aclose()
        assert agent.headers == []


async def asked(
    responder: RemoteAgentResponder, *said: str, session: str | None = "s", tools: tuple[Tool, ...] = ()
) -> Answer:
    messages = tuple(Message("user" if number % 2 == 0 else "assistant", text) for number, text in enumerate(said))
    request = ChatRequest("billing", messages, session_id=session, tools=tools)
    return await collect(await responder.respond(request, CONTEXT))


async def test_an_agent_is_asked_like_a_model() -> None:
    async with billing() as agent, remote(agent) as other:
        responder = RemoteAgentResponder(other)
        answer = await asked(responder, "which one", tools=(Tool("x"),))
        assert (answer.text, answer.notices[0].code) == ("Which month?", "input_required")
        assert answer.head.headers[IGNORED_HEADER] == "tools"
        answer = await asked(responder, "which one", "Which month?", "May")
        assert answer.text == "It is paid: May"
        assert len({each.task_id for each in agent.executor.asked}) == 1
        await asked(responder, "June", session="another")
        assert len({each.context_id for each in agent.executor.asked}) == 2
        # Without a session it is told what was said before.
        answer = await asked(responder, "Hello", "Good day", "May", session=None)
        assert answer.text == "It is paid: The conversation so far:\nuser: Hello\nassistant: Good day\n\nNow:\nMay"
        with pytest.raises(UpstreamError, match="was failed: There is no such invoice"):
            await asked(responder, "fail")


async def test_a_conversation_is_handed_over_to_it() -> None:
    async with billing() as agent, remote(agent) as other:
        boss = ScriptedModel([[("transfer_to_agent", {"agent_name": "billing"})]])
        there = LlmAgent(name="billing", model="remote", description="Knows invoices.")
        here = LlmAgent(name="boss", model="boss", sub_agents=[there])
        models = FixedModels({"boss": boss, "remote": RemoteAgentResponder(other)})
        request = ChatRequest("boss", (Message("user", "Is May paid?"),))
        outcome = await Runner(here, Surroundings(models)).run(request, CONTEXT)
        assert outcome.text.startswith("It is paid: ")
        assert "Is May paid?" in outcome.text
        assert len(agent.executor.asked) == 1
