"""Approvals over HTTP, with the official client, the real small engine, and a server that is killed in between."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.conftest import start_server, stop_server

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "send_mail",
        "parameters": {
            "type": "object",
            "properties": {"to": {"type": "string", "enum": ["ana"]}},
            "required": ["to"],
            "additionalProperties": False,
        },
    },
}
MODEL = "smollm2-135m-instruct"
TOOLS = {"allowed": ["send_mail"], "arguments": "refuse", "approval": ["send_*"]}
ASKED: Any = [{"role": "user", "content": "Send a mail to ana."}]


def client(url: str, key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)


def test_a_call_waits_for_somebody_through_a_kill(tmp_path: Path) -> None:
    config = tmp_path / "mainspring.yaml"
    config.write_text(json.dumps({"guards": {"tools": TOOLS}}))
    server = start_server(tmp_path / "home", MAINSPRING_CONFIG=str(config))
    admin = server.key
    try:
        made = server.call("POST", "/v1/keys", {"name": "asker", "scopes": ["chat"]})[1]
        boss = server.call("POST", "/v1/keys", {"name": "boss", "scopes": ["approve"]})[1]
        asker = client(server.url, made["secret"])
        wishes: dict[str, Any] = {"model": MODEL, "messages": ASKED, "tools": [TOOL], "tool_choice": "required"}
        other = {**TOOL, "function": {"name": "rm"}}
        with pytest.raises(openai.BadRequestError, match="does not allow the tools rm"):
            asker.chat.completions.create(**{**wishes, "tools": [other]})
        answer = asker.chat.completions.create(**wishes, temperature=0, max_tokens=64)
        choice = answer.choices[0]
        assert (choice.finish_reason, choice.message.tool_calls) == ("stop", None)
        [notice] = (choice.message.model_extra or {})["notices"]
        assert notice["code"] == "approval_pending"
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    finally:
        server.process.kill()
    server = start_server(tmp_path / "home", MAINSPRING_CONFIG=str(config))
    try:
        asker = client(server.url, made["secret"])
        again = {**wishes, "extra_body": {"options": {"approval": notice["id"]}}}
        assert "is waiting for approval" in str(asker.chat.completions.create(**again).choices[0].message.content)
        listed = server.call("GET", "/v1/approvals?status=pending", key=boss["secret"])[1]["data"]
        assert [each["id"] for each in listed] == [notice["id"]]
        assert json.loads(listed[0]["tool_call"]["function"]["arguments"]) == {"to": "ana"}
        assert server.call("POST", f"/v1/approvals/{notice['id']}/approve", {}, key=made["secret"])[0] == 403
        done = server.call("POST", f"/v1/approvals/{notice['id']}/approve", {"note": "ok"}, key=boss["secret"])[1]
        assert (done["status"], done["note"]) == ("approved", "ok")
        stream = asker.chat.completions.create(**again, stream=True)
        deltas = [each.choices[0] for each in stream if each.choices]
        [call] = [each.delta.tool_calls[0] for each in deltas if each.delta.tool_calls]
        assert call.function is not None
        assert (call.function.name, json.loads(call.function.arguments or "")) == ("send_mail", {"to": "ana"})
        assert deltas[-1].finish_reason == "tool_calls"
        with pytest.raises(openai.ConflictError, match="handed out already"):
            asker.chat.completions.create(**again)
        listed = server.call("GET", "/v1/events?kind=approval&order=asc", key=admin)[1]["data"]
        assert [each["facts"]["action"] for each in listed] == ["requested", "approved", "taken"]
    finally:
        stop_server(server)
