"""Examples as JSON, and the forms in which files hold them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Message, ToolCall
from mainspring.evaluation.examples import Example, Split
from mainspring.stores.sql import rows

MOST_BYTES = 262_144
"""Bytes of one example as JSON."""
_ROLES = ("system", "developer", "user", "assistant", "tool")
_KNOWN = frozenset(
    ("id", "messages", "question", "references", "reference", "passages", "refused", "tags", "sources", "trace_id",
     "subject", "group", "source", "split", "extra", "input", "ideal", "item", "context", "answer")
)  # fmt: skip


def plain(example: Example) -> dict[str, Any]:
    """As JSON values; ``example_of`` reads them, and ``kept_example`` with their documents."""
    # Examples that are of no document are written as they were before there were such: their digests stay.
    documents = {"documents": list(example.documents)} if example.documents else {}
    return documents | {
        "id": example.id,
        "messages": [message_body(each) for each in example.messages],
        "references": list(example.references),
        "passages": list(example.passages),
        "refused": example.refused,
        "tags": dict(example.tags),
        "sources": list(example.sources),
        "trace_id": example.trace_id,
        "subject": example.subject,
        "group": example.group,
        "split": example.split,
        "extra": dict(example.extra),
    }


def message_body(message: Message) -> dict[str, Any]:
    """A message in OpenAI's shape."""
    body: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name:
        body["name"] = message.name
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": each.id, "type": "function", "function": {"name": each.name, "arguments": each.arguments}}
            for each in message.tool_calls
        ]
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    return body


def message_of(body: Any, place: str = "messages") -> Message:
    """A message of OpenAI's shape; of several parts the texts. Raises ``InvalidRequest`` naming ``place``."""
    role, content = (body.get("role"), body.get("content")) if isinstance(body, Mapping) else (None, None)
    if isinstance(content, list):
        content = " ".join(str(each.get("text", "")) for each in content if isinstance(each, Mapping))
    calls = body.get("tool_calls") or [] if isinstance(body, Mapping) else []
    if role not in _ROLES or not isinstance(content if content is not None else "", str) or not isinstance(calls, list):
        raise InvalidRequest(
            f"{place}: a message needs a role ({', '.join(_ROLES)}) and content that is a text", param="messages"
        )
    return Message(
        role,
        content or "",
        body.get("name"),
        tuple(_call(each, place) for each in calls),
        body.get("tool_call_id"),
    )


def _call(body: Any, place: str) -> ToolCall:
    function = body.get("function", body) if isinstance(body, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise InvalidRequest(f"{place}: a tool call needs a function with a name", param="messages")
    return ToolCall(str(body.get("id") or ""), function["name"], str(function.get("arguments") or "{}"))


def example_of(row: Any, place: str = "example") -> Example:
    """An example of one of these objects: our own, one with ``question`` and ``reference``, OpenAI's chat JSONL (the
    last message of the assistant is the reference), that of OpenAI's evals (``input`` and ``ideal``), or ``item``.

    Without an ``id`` it is named by its content. Fields that are none of an example's are kept in ``extra``, and so is
    ``documents``: people's rows have whole passages there. Raises ``InvalidRequest`` naming ``place`` and the field.
    """
    if not isinstance(row, Mapping):
        raise InvalidRequest(f"{place} is not a JSON object", param="examples")
    item = row.get("item")
    if isinstance(item, Mapping):
        row = {**item, **{name: value for name, value in row.items() if name != "item"}}
    messages, references = _messages(row, place), _texts(row, ("references", "reference", "ideal", "answer"), place)
    if not references and len(messages) > 1 and messages[-1].role == "assistant" and not messages[-1].tool_calls:
        references, messages = (messages[-1].content,), messages[:-1]
    extra = dict(row.get("extra") or {}) if isinstance(row.get("extra") or {}, Mapping) else {}
    extra |= {str(name): value for name, value in row.items() if name not in _KNOWN and value not in (None, "")}
    if isinstance(item, Mapping):
        extra["item"] = dict(item)
    made = Example(
        id=str(row.get("id") or ""),
        messages=messages,
        references=references,
        passages=_texts(row, ("passages", "context"), place),
        refused=_refused(row, place),
        tags=_tags(row, place),
        sources=_texts(row, ("sources",), place),
        trace_id=_text(row, "trace_id", place),
        subject=_text(row, "subject", place),
        group=_text(row, "group", place) or _text(row, "source", place),
        split=_split(row, place),
        extra=extra,
    )
    return checked(made, place)


def kept_example(row: Mapping[str, Any]) -> Example:
    """An example of what ``plain`` has written, with the ids of its documents. Only for what we ourselves have kept."""
    return dataclasses.replace(
        example_of({name: value for name, value in row.items() if name != "documents"}),
        documents=tuple(map(str, row.get("documents") or ())),
    )


def checked(example: Example, place: str = "example") -> Example:
    """``example`` with an id. Raises ``InvalidRequest`` if it is too long or has no messages."""
    body = rows.dump(plain(example))
    if len(body) > MOST_BYTES:
        raise InvalidRequest(
            f"{place} has {len(body)} bytes of JSON, but at most {MOST_BYTES} are allowed", param="examples"
        )
    if not example.messages:
        raise InvalidRequest(f"{place} needs a question, or messages", param="messages")
    if len(example.id) > 128:
        raise InvalidRequest(f"{place}: an id may have at most 128 characters", param="id")
    return example if example.id else dataclasses.replace(example, id=f"ex_{rows.digest(body)[:24]}")


def _messages(row: Mapping[str, Any], place: str) -> tuple[Message, ...]:
    question = row.get("question", row.get("input") if isinstance(row.get("input"), str) else None)
    turns = row.get("messages", row.get("input") if isinstance(row.get("input"), list) else None)
    if isinstance(question, str) and question and not turns:
        return (Message("user", question),)
    if not isinstance(turns, list) or not turns:
        raise InvalidRequest(f"{place} needs a question, or messages", param="question")
    return tuple(message_of(each, place) for each in turns)


def _texts(row: Mapping[str, Any], names: Sequence[str], place: str) -> tuple[str, ...]:
    for name in names:
        value = row.get(name)
        if value is None or value == "":
            continue
        several = [value] if isinstance(value, str) else value
        if not isinstance(several, list | tuple) or not all(isinstance(each, str) for each in several):
            raise InvalidRequest(f"{place}: {name} must be a text or a list of texts", param=name)
        return tuple(several)
    return ()


def _text(row: Mapping[str, Any], name: str, place: str) -> str:
    value = row.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidRequest(f"{place}: {name} must be a text", param=name)
    return value or ""


def _tags(row: Mapping[str, Any], place: str) -> dict[str, str]:
    value = row.get("tags") or {}
    if not isinstance(value, Mapping) or len(value) > 32:
        raise InvalidRequest(f"{place}: tags must be at most 32 texts by name", param="tags")
    return {str(name): str(each) for name, each in value.items()}


def _refused(row: Mapping[str, Any], place: str) -> bool | None:
    value = row.get("refused")
    if isinstance(value, str):
        value = {"true": True, "false": False, "": None}.get(value.lower(), value)
    if value is not None and not isinstance(value, bool):
        raise InvalidRequest(f"{place}: refused must be true or false", param="refused")
    return value


def _split(row: Mapping[str, Any], place: str) -> Split:
    value: Any = row.get("split") or "test"
    if value not in get_args(Split):
        raise InvalidRequest(f"{place}: split must be one of {', '.join(get_args(Split))}", param="split")
    found: Split = value
    return found
