"""The shape of Codex's requests (its fields and tools, as version 0.171 sends them): read, and answered as it reads."""

from __future__ import annotations

from typing import Any

from mainspring.core.types import Finish, ToolCallDelta
from mainspring.http.openai.responses_requests import ResponsesBody
from tests.gateway.asgi import ask, events
from tests.gateway.responses.test_routes import app


def function(name: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": sorted(properties), "additionalProperties": False}
    return {"type": "function", "name": name, "description": "It works.", "strict": False, "parameters": schema}


def said(role: str, *texts: str) -> dict[str, Any]:
    parts = [{"type": "input_text", "text": text} for text in texts]
    return {"type": "message", "id": f"msg_{role}", "role": role, "content": parts}


PATCH = {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch"'}
CODEX: dict[str, Any] = {
    "model": "m",
    "instructions": "Work.",
    "input": [
        said("developer", "Rules."),
        said("developer", "More.", "Rules."),
        said("user", "The place."),
        said("user", "Edit it."),
    ],
    "tools": [
        function("exec_command", cmd={"type": "string"}),
        function("write_stdin", session_id={"type": "number"}),
        {"type": "custom", "name": "apply_patch", "description": "Edits.", "format": PATCH},
        {
            "type": "namespace",
            "name": "multi_agent_v1",
            "description": "Others.",
            "tools": [function("spawn_agent", task={"type": "string"}), function("wait_agent")],
        },
        {"type": "web_search", "external_web_access": False},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0000",
    "client_metadata": {"session_id": "0000", "turn_id": "0000"},
}


def test_its_request_is_read_whole() -> None:
    made = ResponsesBody.model_validate(CODEX).request([], max_messages=16)
    assert [message.role for message in made.messages] == ["system", "developer", "developer", "user", "user"]
    assert [tool.name for tool in made.tools] == [
        *("exec_command", "write_stdin", "apply_patch"),
        *("multi_agent_v1__spawn_agent", "multi_agent_v1__wait_agent"),
    ]


async def test_its_calls_come_back_under_its_names_and_go_in_again() -> None:
    calls = (
        ToolCallDelta(0, 0, "call_1", "exec_command", '{"cmd": "ls"}'),
        ToolCallDelta(0, 1, "call_2", "multi_agent_v1__spawn_agent", '{"task": "x"}'),
        ToolCallDelta(0, 2, "call_3", "apply_patch", '{"input": "*** Begin Patch"}'),
        Finish("tool_calls"),
    )
    reply = await ask(app(*calls), "POST", "/v1/responses", CODEX)
    frames = [line.split("\n", 1)[1] for line in reply.body.decode().split("\n\n") if line]
    told = events("".join(f"{frame}\n\n" for frame in frames).encode())
    items = [event["item"] for event in told if event["type"] == "response.output_item.done"]
    assert [(item["type"], item["name"], item.get("namespace")) for item in items] == [
        ("function_call", "exec_command", None),
        ("function_call", "spawn_agent", "multi_agent_v1"),
        ("custom_tool_call", "apply_patch", None),
    ]
    assert set(reply.headers["x-mainspring-ignored"][0].split(", ")) >= {"client_metadata", "tools.web_search"}
    outputs = [{"type": f"{item['type']}_output", "call_id": item["call_id"], "output": "done"} for item in items]
    body = {**CODEX, "input": [*CODEX["input"], *items, *outputs]}
    made = ResponsesBody.model_validate(body).request([], max_messages=16)
    assert [call.name for call in made.messages[5].tool_calls] == [
        *("exec_command", "multi_agent_v1__spawn_agent", "apply_patch"),
    ]
