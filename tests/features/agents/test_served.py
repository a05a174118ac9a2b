import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mainspring.agents.agent import LlmAgent
from mainspring.core.plugins import Registry
from mainspring.core.types import ChatRequest
from mainspring.feature import AGENT, Rooms
from tests.agents.loop.scripted import Said
from tests.features.agents.world import AgentsWorld, opened

pytestmark = pytest.mark.slow
SHOP = "tests.features.agents.shop"


def _says(request: ChatRequest) -> Said:
    if request.messages[-1].role == "user" and request.tools:
        return [("get_order", {"order_id": "7"})]
    return "It is shipped."


@pytest_asyncio.fixture
async def agents(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[AgentsWorld]:
    definition = {
        "instruction": "Help.",
        "tools": [{"function": f"{SHOP}:get_order"}],
        "visible": "names",
    }
    settings = {"modules": [f"{SHOP}:support"], "definitions": {"desk": definition}}
    async with opened(monkeypatch, tmp_path, _says, settings) as made:
        yield made


@pytest.mark.parametrize("name", ["support", "desk"])
async def test_an_agent_is_a_model_of_the_openai_client(agents: AgentsWorld, name: str) -> None:
    answer = await agents.ask(name, "Where is order 7?")
    assert answer.choices[0].message.content == "It is shipped."
    assert answer.choices[0].finish_reason == "stop"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (20, 10)
    assert name in [each.id async for each in await agents.openai.models.list()]


async def test_steps_stream_through_chat_completions(agents: AgentsWorld) -> None:
    stream = await agents.ask("support", "Where is order 7?", stream=True)
    text, thoughts, notices, finish = "", "", [], None
    async for chunk in stream:
        delta = chunk.choices[0].delta
        extra: dict[str, Any] = delta.model_extra or {}
        text += delta.content or ""
        thoughts += extra.get("reasoning_content", "")
        notices += extra.get("notices", [])
        finish = chunk.choices[0].finish_reason or finish
    assert (text, finish) == ("It is shipped.", "stop")
    assert '[support] get_order({"order_id": "7"})' in thoughts
    assert "shipped" in thoughts
    assert [each["code"] for each in notices] == ["tool_call", "tool_result"]
    assert notices[0]["id"] == notices[1]["id"]


async def test_names_alone_are_shown_where_the_agent_says_so(agents: AgentsWorld) -> None:
    answer = await agents.ask("desk", "Where is order 7?")
    thoughts = answer.choices[0].message.model_extra["reasoning_content"]
    assert "get_order -> done" in thoughts
    assert "shipped" not in thoughts


async def test_steps_stream_through_responses(agents: AgentsWorld) -> None:
    kinds, thoughts = [], ""
    async with agents.openai.responses.stream(model="support", input="Where is order 7?") as stream:
        async for event in stream:
            kinds.append(event.type)
            if event.type == "response.reasoning_text.delta":
                thoughts += event.delta
        final = await stream.get_final_response()
    assert kinds[-1] == "response.completed"
    assert final.output_text == "It is shipped."
    assert [each.type for each in final.output] == ["reasoning", "message"]
    assert "get_order" in thoughts


async def test_steps_stream_through_messages(agents: AgentsWorld) -> None:
    messages: Any = agents.anthropic.messages
    asked: dict[str, Any] = {"model": "support", "max_tokens": 2000}
    asked["messages"] = [{"role": "user", "content": "Where is order 7?"}]
    async with messages.stream(**asked, thinking={"type": "enabled", "budget_tokens": 1024}) as stream:
        final = await stream.get_final_message()
    assert [each.type for each in final.content] == ["thinking", "text"]
    assert "get_order" in final.content[0].thinking
    assert final.content[-1].text == "It is shipped."


async def test_calls_of_models_and_tools_are_facts_of_one_trace(agents: AgentsWorld) -> None:
    answer = await agents.openai.chat.completions.with_raw_response.create(
        model="support", messages=[{"role": "user", "content": "Where is order 7?"}]
    )
    found = (await agents.call("GET", f"/v1/events?answer_id={answer.parse().id}")).json()["data"]
    by_kind = {kind: [each for each in found if each["kind"] == kind] for kind in ("call", "tool", "answer")}
    assert [len(each) for each in by_kind.values()] == [2, 1, 1]
    assert by_kind["tool"][0]["facts"]["tool"] == "get_order"
    assert by_kind["tool"][0]["facts"]["outcome"] == "ok"
    assert answer.headers["x-mainspring-run"]
    spans = await _spans(agents, by_kind["answer"][0]["trace_id"])
    assert spans["agent"]["attributes"]["gen_ai.agent.name"] == "support"
    tool = spans["tool get_order"]
    assert tool["parent_id"] == spans["agent"]["id"]


async def _spans(agents: AgentsWorld, trace_id: str) -> dict[str, Any]:
    """The spans by name, once they are written."""
    async with asyncio.timeout(10):
        while (found := await agents.call("GET", f"/v1/traces/{trace_id}")).status_code == 404:
            await asyncio.sleep(0.05)
    return {each["name"]: each for each in found.json()["spans"]}


async def test_a_clients_own_tool_is_handed_to_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def says(request: ChatRequest) -> Said:
        return "Open." if request.messages[-1].role == "tool" else [("open_page", {"url": "x"})]

    tools: Any = [{"type": "function", "function": {"name": "open_page", "parameters": {"type": "object"}}}]
    async with opened(monkeypatch, tmp_path, says, {"modules": [f"{SHOP}:support"]}) as agents:
        answer = await agents.ask("support", "Open it.", tools=tools)
        call = answer.choices[0].message.tool_calls[0]
        assert answer.choices[0].finish_reason == "tool_calls"
        assert call.function.name == "open_page"
        said: Any = [
            {"role": "user", "content": "Open it."},
            answer.choices[0].message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": "done"},
        ]
        again = await agents.openai.chat.completions.create(model="support", messages=said, tools=tools)
        assert again.choices[0].message.content == "Open."


def _broken(_: Rooms) -> LlmAgent:
    raise ZeroDivisionError


async def test_a_plugin_brings_an_agent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    brought = Registry()
    brought.add(AGENT, "clerk", lambda rooms: LlmAgent(name="clerk", description="From a plugin."))
    brought.add(AGENT, "broken", _broken)
    async with opened(monkeypatch, tmp_path, ["Good day."], {}, brought) as agents:
        assert (await agents.ask("clerk", "Hello")).choices[0].message.content == "Good day."
        listed = (await agents.call("GET", "/v1/agents")).json()["data"]
        sources = {each["id"]: each["source"] for each in listed}
        assert sources["clerk"] == "plugin"
        assert "broken" not in sources
