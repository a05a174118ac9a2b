"""Questions and answers in the forms in which programs log them: OpenAI's, Anthropic's, LangChain's, plain text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.features.imports.drafts import ImportedAnswer, mapping

_ROLES = {
    **{each: each for each in ("system", "user", "assistant", "tool")},
    "developer": "system",
    "human": "user",
    "HumanMessage": "user",
    "ai": "assistant",
    "AIMessage": "assistant",
    "AIMessageChunk": "assistant",
    "model": "assistant",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "function": "tool",
}
_ASKED = ("messages", "input", "question", "query", "prompt", "text", "content", "kwargs")
_TOLD = ("output", "answer", "output_text", "text", "content", "message", "response", "result", "completion", "raw")
_DEEP = 6
Messages = list[dict[str, Any]]


def messages_of(value: Any, depth: int = 0) -> Messages:
    """The messages of a request; empty if there are none."""
    if depth > _DEEP:
        return []
    if isinstance(value, str):
        found = _parsed(value)
        if found is not None:
            return messages_of(found, depth + 1)
        return [{"role": "user", "content": value}] if value.strip() else []
    if isinstance(value, Mapping):
        if (one := _message(value)) is not None:
            return [one]
        system = value.get("system")
        for name in _ASKED:
            if name in value and (made := messages_of(value[name], depth + 1)):
                told = [{"role": "system", "content": system}] if isinstance(system, str) and system else []
                return [*told, *made]
        return []
    if isinstance(value, Sequence):
        if value and all(isinstance(each, Sequence) and not isinstance(each, str) for each in value):
            # LangChain's batches: one prompt each.
            return messages_of(value[0], depth + 1)
        made = [one for each in value if isinstance(each, Mapping) and (one := _message(each)) is not None]
        if made:
            return made
        return [{"role": "user", "content": said}] if (said := _blocks(value)).strip() else []
    return []


def said_of(value: Any, depth: int = 0) -> ImportedAnswer:
    """The text and the calls of tools of an answer."""
    if depth > _DEEP or value is None:
        return ImportedAnswer()
    if isinstance(value, str):
        found = _parsed(value)
        inner = said_of(found, depth + 1) if found is not None else ImportedAnswer()
        # An answer that is JSON itself is a text.
        return inner or ImportedAnswer(value)
    if isinstance(value, Mapping):
        return _said_of_mapping(value, depth)
    if isinstance(value, Sequence):
        replies = [
            each for each in map(_message, (each for each in value if isinstance(each, Mapping))) if each is not None
        ]
        if replies:
            last = next((each for each in reversed(replies) if each["role"] == "assistant"), None)
            return (
                ImportedAnswer()
                if last is None
                else ImportedAnswer(last.get("content", ""), tuple(last.get("tool_calls", ())))
            )
        return ImportedAnswer(_blocks(value), tuple(_calls(value)))
    return ImportedAnswer(json.dumps(value))


def _said_of_mapping(value: Mapping[str, Any], depth: int) -> ImportedAnswer:
    for name in ("choices", "generations"):
        found = value.get(name)
        while isinstance(found, list) and found:
            found = found[0]
        if isinstance(found, Mapping):
            return said_of(found.get("message") or found.get("text"), depth + 1)
    if (one := _message(value)) is not None:
        return ImportedAnswer(one.get("content", ""), tuple(one.get("tool_calls", ())))
    for name in ("messages", *_TOLD, "kwargs"):
        if name in value and (found := said_of(value[name], depth + 1)):
            return found
    return ImportedAnswer()


def _message(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """One message, or None if the mapping is none."""
    if value.get("type") == "constructor" and isinstance(value.get("id"), list) and value["id"]:
        # LangChain's serialisation.
        named = {"role": _ROLES.get(str(value["id"][-1]), ""), **mapping(value.get("kwargs"))}
        return _message({key: each for key, each in named.items() if key != "type"}) if named["role"] else None
    role = value.get("role", value.get("type"))
    if "content" not in value and not value.get("tool_calls"):
        data = value.get("data")
        if role in _ROLES and isinstance(data, Mapping) and "content" in data:
            return _message({**data, "role": role})
        return None
    if not isinstance(role, str) or role not in _ROLES:
        return None
    content = value.get("content")
    message: dict[str, Any] = {"role": _ROLES[role], "content": _blocks(content)}
    parts = content if isinstance(content, list) else []
    if calls := [*_calls(value.get("tool_calls") or ()), *_calls(parts)]:
        message["tool_calls"] = calls
    if isinstance(value.get("tool_call_id"), str):
        message["tool_call_id"] = value["tool_call_id"]
    return message


def _blocks(content: Any) -> str:
    """The text of a message's content: a text, or blocks of which some are texts."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, Sequence):
        return ""
    parts = []
    for each in content:
        if isinstance(each, str):
            parts.append(each)
        elif isinstance(each, Mapping) and each.get("type") in ("text", "input_text", "output_text", "raw_text", None):
            text = each.get("text", each.get("value"))
            parts.append(text if isinstance(text, str) else json.dumps(mapping(text).get("value", "")) if text else "")
    return "".join(parts)


def _calls(found: Any) -> list[dict[str, str]]:
    """Calls of tools: OpenAI's, LangChain's, and blocks of Anthropic and TensorZero."""
    calls = []
    for each in found if isinstance(found, Sequence) and not isinstance(found, str) else ():
        if not isinstance(each, Mapping) or each.get("type") not in ("function", "tool_call", "tool_use", None):
            continue
        function = mapping(each.get("function"))
        name = function.get("name") or each.get("name") or each.get("raw_name")
        if not isinstance(name, str):
            continue
        arguments = next(
            (
                holder[key]
                for holder in (function, each)
                for key in ("arguments", "args", "input", "raw_arguments")
                if holder.get(key) is not None
            ),
            "",
        )
        written = arguments if isinstance(arguments, str) else json.dumps(arguments)
        calls.append({"id": str(each.get("id") or ""), "name": name, "arguments": written})
    return calls


def _parsed(text: str) -> Any:
    """The JSON object or list that a text is; None if it is none."""
    if text[:1] not in "{[" or not text:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
