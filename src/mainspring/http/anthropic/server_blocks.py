"""Calls of tools that the server runs, as blocks of Anthropic's messages, and such blocks that are sent back."""

from __future__ import annotations

import base64
import binascii
import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import HostedCall, ToolCall
from mainspring.http.openai.hosted.approvals import called
from mainspring.http.openai.hosted.items import marked
from mainspring.http.openai.response_ids import item_id

CALLS = ("server_tool_use", "mcp_tool_use")
RESULTS = ("web_search_tool_result", "code_execution_tool_result", "mcp_tool_result")
CONTENTS = (
    *("web_search_tool_result_error", "code_execution_result", "code_execution_tool_result_error"),
    *("web_search_result", "code_execution_output"),
)
"""The types of what such results hold."""
_OWN = {"web_search": "web_search", "code_execution": "code_interpreter"}
"""A tool as its model knows it, by its name in messages."""
_DIRECT = {"type": "direct"}
_CITED = 150


def use(call: HostedCall, answer_id: str) -> dict[str, Any] | None:
    """The block of a call; None for what is no call."""
    details = call.details
    if call.kind == "web_search":
        return _server_use(call, answer_id, "web_search", {"query": details["query"]})
    if call.kind == "code_interpreter":
        return _server_use(call, answer_id, "code_execution", {"code": details["code"]})
    if call.kind == "mcp":
        named = {"name": details["name"], "server_name": details["server"]}
        return {"type": "mcp_tool_use", "id": _id(call, answer_id), **named, "input": _object(details["arguments"])}
    return None


def result(call: HostedCall, answer_id: str) -> dict[str, Any]:
    """The block of its outcome."""
    details, named = call.details, {"tool_use_id": _id(call, answer_id)}
    if call.kind == "mcp":
        said = str(details.get("error") or details.get("output") or "")
        content = [{"type": "text", "text": said}]
        return {"type": "mcp_tool_result", **named, "is_error": bool(details.get("error")), "content": content}
    if call.kind == "code_interpreter":
        files = [each["id"] for each in details.get("files", ()) if each.get("id")]
        ran = {
            "type": "code_execution_result",
            "stdout": str(details.get("logs") or ""),
            "stderr": str(details.get("error") or ""),
            "return_code": 1 if details.get("error") else 0,
            "content": [{"type": "code_execution_output", "file_id": each} for each in files],
        }
        return {"type": "code_execution_tool_result", **named, "content": ran}
    found: Any = [
        {
            "type": "web_search_result",
            "title": each["title"],
            "url": each["url"],
            "encrypted_content": base64.b64encode(each.get("text", "").encode()).decode(),
            "page_age": None,
        }
        for each in details.get("sources", ())
    ]
    if details.get("error"):
        found = {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    return {"type": "web_search_tool_result", **named, "content": found, "caller": _DIRECT}


def container(calls: Sequence[HostedCall]) -> dict[str, Any]:
    """The field ``container`` of a message in which code ran: the room whose files can be fetched. It is over."""
    found = next((each.details["container_id"] for each in calls if each.kind == "code_interpreter"), None)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {} if found is None else {"container": {"id": found, "expires_at": now}}


def usage(calls: Sequence[HostedCall]) -> dict[str, Any]:
    """What usage tells of the calls that were made here."""
    if not calls:
        return {}
    searches = sum(each.kind == "web_search" for each in calls)
    return {"server_tool_use": {"web_search_requests": searches, "web_fetch_requests": 0}}


def citations(text: str, calls: Sequence[HostedCall]) -> Iterator[dict[str, Any]]:
    """A citation for each result of a search that the text names by its number in brackets, once."""
    told = set()
    for _, source in marked(text, calls):
        if source["number"] not in told:
            told.add(source["number"])
            yield {
                "type": "web_search_result_location",
                "cited_text": source.get("text", "")[:_CITED],
                "encrypted_index": str(source["number"]),
                "title": source["title"],
                "url": source["url"],
            }


def sent_call(block: Any, place: str, arguments: Mapping[str, Any]) -> ToolCall:
    """A block of a call that is sent back, as the call that the model made. Raises ``InvalidRequest``."""
    if not block.id or not block.name:
        raise InvalidRequest(f"{place} of type {block.type} needs id and name", param=place)
    name = _OWN.get(block.name, block.name)
    if block.type == "mcp_tool_use":
        name = called(block.server_name or "", block.name)
    return ToolCall(block.id, name, orjson.dumps(arguments).decode())


def sent_result(block: Any, place: str) -> str:
    """A block of a result that is sent back, as the model reads it."""
    content = block.content
    if block.type == "web_search_tool_result" and isinstance(content, list):
        return _text({"results": [_found(each) for each in content]})
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(each.text or "" for each in content)
    if content is None:
        raise InvalidRequest(f"{place}.content is missing", param=f"{place}.content")
    if content.type == "code_execution_result":
        told = {"stdout": content.stdout or "", "error": content.stderr or ""}
        return _text({name: value for name, value in told.items() if value})
    return f"Error: {content.error_code or 'the call failed'}"


def _found(block: Any) -> dict[str, str]:
    try:
        text = base64.b64decode(block.encrypted_content or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        # Of another server, which alone can read it.
        text = ""
    told = {"title": block.title or "", "url": block.url or ""}
    return told | ({"text": text} if text else {})


def _server_use(call: HostedCall, answer_id: str, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "server_tool_use", "id": _id(call, answer_id), "name": name, "input": dict(given)} | {
        "caller": _DIRECT
    }


def _id(call: HostedCall, answer_id: str) -> str:
    return item_id("mcptoolu" if call.kind == "mcp" else "srvtoolu", answer_id, call.number)


def _object(text: str) -> dict[str, Any]:
    found = orjson.loads(text or "{}")
    return found if isinstance(found, dict) else {"arguments": found}


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
