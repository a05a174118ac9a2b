"""Requests in the shape of coding agents' are accepted: their fields, tools and turns, recorded without their texts.

Each file of ``agents`` has the first and the last request of a small edit that the agent made of a scripted model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.types import ChatRequest
from mainspring.http.anthropic.requests import MessagesBody
from mainspring.http.fields import ignored
from mainspring.http.openai.requests import ChatBody
from mainspring.http.openai.responses_requests import ResponsesBody

RECORDED = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in Path(__file__).parent.glob("agents/*")}
BODIES: dict[str, Any] = {
    "/v1/messages?beta=true": MessagesBody,
    "/v1/chat/completions": ChatBody,
    "/v1/responses": ResponsesBody,
}


def made(path: str, body: dict[str, Any]) -> ChatRequest:
    asked = BODIES[path].model_validate(body)
    request = asked.request((), 1000) if path == "/v1/responses" else asked.request(1000)
    assert isinstance(request, ChatRequest)
    return request


@pytest.mark.parametrize("agent", RECORDED)
def test_the_requests_of_an_agent_are_accepted(agent: str) -> None:
    recorded = RECORDED[agent]
    first, last = (made(recorded["path"], body) for body in recorded["requests"])
    assert len(first.tools) > 5
    assert all(tool.name and tool.parameters for tool in first.tools)
    assert [each.role for each in last.messages].count("tool") == 2
    called = [call.name for each in last.messages for call in each.tool_calls]
    assert len(called) == 2
    assert set(called) <= {tool.name for tool in last.tools}


def test_caps_of_agents_are_above_what_was_once_the_most() -> None:
    caps = [made(each["path"], each["requests"][0]).sampling.max_tokens for each in RECORDED.values()]
    assert max(cap or 0 for cap in caps) == 32_000
    assert any(4096 < (cap or 0) < 32_000 for cap in caps)


def test_what_changes_no_answer_is_named() -> None:
    recorded = RECORDED["claude-code"]
    assert "system.cache_control" in ignored(MessagesBody, recorded["requests"][0])


@pytest.mark.parametrize("agent", RECORDED)
def test_no_text_of_an_agent_is_kept(agent: str) -> None:
    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for each in value.values() for text in texts(each)]
        if isinstance(value, list):
            return [text for each in value for text in texts(each)]
        return [value] if isinstance(value, str) else []

    assert not [text for text in texts(RECORDED[agent]) if " " in text and text != RECORDED[agent]["agent"]]
