"""Calls of hosted tools as output items and as events of a stream, and the citations of what they found."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import orjson

from mainspring.core.types import HostedCall, Message, ToolCall
from mainspring.http.openai.hosted.approvals import called, decision
from mainspring.http.openai.response_ids import item_id

SOURCES = "web_search_call.action.sources"
OUTPUTS = "code_interpreter_call.outputs"
ALL = frozenset({SOURCES, OUTPUTS})
"""What is shown only where a request includes it."""
KINDS = ("web_search_call", "mcp_call", "mcp_list_tools", "mcp_approval_request", "code_interpreter_call")
READ = (*KINDS, "mcp_approval_response")
"""The types of items that are read."""
_PREFIX = {
    "web_search": "ws",
    "mcp": "mcp",
    "mcp_list_tools": "mcpl",
    "mcp_approval_request": "mcpr",
    "code_interpreter": "ci",
}
_MARK = re.compile(r"\[(\d{1,2}(?:\s*,\s*\d{1,2})*)\]")
_CODE = "code_interpreter"


def item(call: HostedCall, response_id: str, include: Collection[str] = (), status: str = "") -> dict[str, Any]:
    """The output item of a call; ``status`` empty: the one that it has now."""
    details, named = call.details, item_id(_PREFIX[call.kind], response_id, call.number)
    status = status or _status(call)
    if call.kind == "web_search":
        action: dict[str, Any] = {"type": "search", "query": details["query"], "queries": [details["query"]]}
        if SOURCES in include and call.done:
            action["sources"] = [{"type": "url", "url": each["url"]} for each in details.get("sources", ())]
        return {"type": "web_search_call", "id": named, "status": status, "action": action}
    if call.kind == "mcp_list_tools":
        told = {
            "server_label": details["server"],
            "tools": list(details["tools"]),
            "error": details.get("error") or None,
        }
        return {"type": "mcp_list_tools", "id": named, **told}
    if call.kind == "code_interpreter":
        return {
            "type": "code_interpreter_call",
            "id": named,
            "status": status,
            "code": details["code"],
            "container_id": details["container_id"],
            "outputs": _outputs(details) if OUTPUTS in include and call.done else None,
        }
    told = {"server_label": details["server"], "name": details["name"], "arguments": details["arguments"]}
    if call.kind == "mcp_approval_request":
        return {"type": "mcp_approval_request", "id": named, **told}
    return {
        "type": "mcp_call",
        "id": named,
        "status": status,
        "approval_request_id": details.get("approval_request_id"),
        **told,
        "output": details.get("output"),
        "error": _error(details),
    }


def frames(call: HostedCall, made: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The events between those that add the item ``made`` and end it: names and fields."""
    kind = made["type"]
    if call.kind == "mcp_approval_request":
        return
    if call.done:
        failed = made.get("status") == "failed" and kind == "mcp_call"
        yield f"response.{kind}.{'failed' if failed else 'completed'}", {}
        return
    yield f"response.{kind}.in_progress", {}
    if call.kind == "web_search":
        yield "response.web_search_call.searching", {}
    elif call.kind == "mcp":
        yield "response.mcp_call_arguments.delta", {"delta": call.details["arguments"]}
        yield "response.mcp_call_arguments.done", {"arguments": call.details["arguments"]}
    elif call.kind == "code_interpreter":
        yield "response.code_interpreter_call_code.delta", {"delta": call.details["code"]}
        yield "response.code_interpreter_call_code.done", {"code": call.details["code"]}
        yield "response.code_interpreter_call.interpreting", {}


def begun(call: HostedCall, response_id: str) -> dict[str, Any]:
    """The item as it is added to a stream, before its arguments."""
    made = item(call, response_id, status="in_progress")
    return made | ({"arguments": ""} if call.kind == "mcp" else {"code": ""} if call.kind == "code_interpreter" else {})


def citations(text: str, calls: Sequence[HostedCall]) -> list[dict[str, Any]]:
    """The citations in ``text``: numbers in brackets of what searches of the web found, and names of files that code
    has left."""
    found: list[dict[str, Any]] = []
    for (start, end), source in marked(text, calls):
        place = {"start_index": start, "end_index": end}
        found.append({"type": "url_citation", **place, "url": source["url"], "title": source["title"]})
    for call in calls:
        for file in call.details.get("files", ()):
            at = text.find(file["name"]) if file.get("id") else -1
            if at >= 0:
                place = {"start_index": at, "end_index": at + len(file["name"])}
                told = {"container_id": call.details["container_id"], "file_id": file["id"], "filename": file["name"]}
                found.append({"type": "container_file_citation", **told, **place})
    return sorted(found, key=lambda each: int(each["start_index"]))


def marked(text: str, calls: Sequence[HostedCall]) -> Iterator[tuple[tuple[int, int], Mapping[str, Any]]]:
    """The results of searches that ``text`` names by their numbers in brackets, each with its place there."""
    sources = {each["number"]: each for call in calls for each in call.details.get("sources", ())}
    for mark in _MARK.finditer(text) if sources else ():
        for number in map(int, mark[1].split(",")):
            if (source := sources.get(number)) is not None:
                yield mark.span(), source


def messages(found: Mapping[str, Any]) -> list[Message]:
    """An item of this kind as messages: a call of the assistant and its result. What a model need not know again is
    left out."""
    kind = found["type"]
    if kind == "mcp_approval_response":
        said = decision(approve=found.get("approve") is True, reason=str(found.get("reason") or ""))
        return [Message("tool", said, tool_call_id=str(found["approval_request_id"]))]
    if kind in ("mcp_call", "mcp_approval_request"):
        name = called(str(found["server_label"]), str(found["name"]))
        call = Message("assistant", "", tool_calls=(ToolCall(found["id"], name, str(found.get("arguments") or "{}")),))
        if kind == "mcp_approval_request":
            return [call]
        error = found.get("error")
        return [call, Message("tool", str(found.get("output") or f"Error: {_words(error)}"), tool_call_id=found["id"])]
    if kind == "code_interpreter_call":
        arguments = orjson.dumps({"code": found.get("code") or ""}).decode()
        logs = [str(each.get("logs")) for each in found.get("outputs") or () if each.get("type") == "logs"]
        said = "\n".join(logs) or "Its output is not shown."
        call = Message("assistant", "", tool_calls=(ToolCall(found["id"], _CODE, arguments),))
        return [call, Message("tool", said, tool_call_id=found["id"])]
    return []


def _status(call: HostedCall) -> str:
    if not call.done:
        return "in_progress"
    # Code that ends with an error has run: the error is its output.
    return "failed" if call.details.get("error") and call.kind in ("mcp", "web_search") else "completed"


def _outputs(details: Mapping[str, Any]) -> list[dict[str, Any]]:
    texts = [details.get("logs"), details.get("error")]
    return [{"type": "logs", "logs": "\n".join(str(each) for each in texts if each)}]


def _error(details: Mapping[str, Any]) -> dict[str, Any] | None:
    if not details.get("error"):
        return None
    return {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": details["error"]}]}


def _words(error: Any) -> str:
    """What an error of a call says, as its item or a client tells it."""
    if isinstance(error, Mapping):
        content = error.get("content")
        parts = content if isinstance(content, list) else []
        texts = [str(each.get("text", "")) for each in parts if isinstance(each, Mapping)]
        return " ".join(texts) or str(error.get("message") or "the call failed")
    return str(error or "the call failed")
