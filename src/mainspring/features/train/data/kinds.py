"""Kinds of rows: which fields they have, and files of OpenAI's as such rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


def problem(kinds: Sequence[str], row: Row) -> str:
    """Why the row is of none of these kinds; empty: it is of one. The message is about the kind that fits best."""
    found = [(_check(kind, row), kind) for kind in kinds if kind in _FIELDS]
    if not found or len(found) < len(kinds) or any(not each for each, _ in found):
        # A kind that is not known here is checked by the recipe that reads it.
        return ""
    close = next((each for each in found if set(_FIELDS[each[1]]) & row.keys()), found[0])
    return f"{close[0]} (a row of the kind {close[1]})"


def taken_over(row: Row) -> Row:
    """Rows of preferences in OpenAI's form as ``prompt``, ``chosen`` and ``rejected``; others as they are."""
    if "preferred_output" not in row or not isinstance(row.get("input"), dict):
        return row
    tools = row["input"].get("tools")
    return {
        "prompt": row["input"].get("messages"),
        "chosen": row["preferred_output"],
        "rejected": row.get("non_preferred_output"),
        **({"tools": tools} if tools else {}),
    }


def question_of(row: Row) -> str:
    """The text by which rows are compared: what was asked or read. Rows about one text belong to one side."""
    for name in _QUESTIONS:
        said = row.get(name)
        if isinstance(said, str) and said.strip():
            return said
        if isinstance(said, list):
            users = [each for each in said if isinstance(each, dict) and each.get("role") == "user"]
            if told := "\n".join(_content(each) for each in users).strip():
                return told
    return repr(sorted((str(key), repr(value)) for key, value in row.items()))


_QUESTIONS = ("messages", "prompt", "query", "question", "anchor", "source", "premise", "text", "test_input", "input")


def _content(message: Mapping[str, Any]) -> str:
    said = message.get("content")
    if isinstance(said, list):
        return "".join(str(part.get("text", "")) for part in said if isinstance(part, dict))
    return "" if said is None else str(said)


def _messages(name: str, value: Any, *, ends: str = "") -> str:
    if not isinstance(value, list) or not value:
        return f"{name} must be a list of messages"
    for place, each in enumerate(value):
        if not isinstance(each, dict) or each.get("role") not in ROLES:
            return f"{name}[{place}] must be a message with a role of {', '.join(sorted(ROLES))}"
        if not _content(each).strip() and not each.get("tool_calls") and not each.get("function_call"):
            return f"{name}[{place}] has no content"
    if ends and value[-1]["role"] != ends:
        return f"{name} must end with a message of the {ends}"
    return ""


def _said(name: str, value: Any) -> str:
    """A text, or a list of messages."""
    if isinstance(value, str):
        return "" if value.strip() else f"{name} is empty"
    return _messages(name, value)


def _text(row: Row, *names: str) -> str:
    for name in names:
        value = row.get(name)
        if not isinstance(value, str) or not value.strip():
            return f"{name} must be a text"
    return ""


def _sft(row: Row) -> str:
    return _messages("messages", row.get("messages"), ends="assistant")


def _preference(row: Row) -> str:
    for name in ("prompt", "chosen", "rejected"):
        if told := _said(name, row.get(name)):
            return told
    return "chosen and rejected are the same" if row["chosen"] == row["rejected"] else ""


def _completion(row: Row) -> str:
    return _said("prompt", row.get("prompt")) or _said("completion", row.get("completion"))


def _prompt(row: Row) -> str:
    """What is asked, without an answer: ``prompt``, or messages that end with the user."""
    if "prompt" not in row and "messages" in row:
        return _messages("messages", row["messages"], ends="user")
    return _said("prompt", row.get("prompt"))


def _thumbs(row: Row) -> str:
    told = _said("prompt", row.get("prompt")) or _said("completion", row.get("completion"))
    return told or ("" if isinstance(row.get("label"), bool) else "label must be true or false")


def _raft(row: Row) -> str:
    documents = row.get("documents")
    if not isinstance(documents, list) or not all(isinstance(each, str) for each in documents):
        return "documents must be a list of texts"
    return _text(row, "question", "answer")


def _few_shot(row: Row) -> str:
    return "" if isinstance(row.get("examples"), list) else "examples must be a list"


def _label(row: Row) -> str:
    return "" if isinstance(row.get("label"), str | int | float) else "label must be a text or a number"


def _rerank(row: Row) -> str:
    label = row.get("label")
    right = isinstance(label, int | float) and 0 <= label <= 1
    return _text(row, "query", "passage") or ("" if right else "label must be a number from 0 to 1")


def _check(kind: str, row: Row) -> str:
    match kind:
        case "sft":
            return _sft(row)
        case "preference":
            return _preference(row)
        case "thumbs":
            return _thumbs(row)
        case "completion":
            return _completion(row)
        case "prompt":
            return _prompt(row)
        case "raft":
            return _raft(row)
        case "few-shot":
            return _few_shot(row)
        case "triplets":
            return _text(row, "anchor", "positive")
        case "rerank":
            return _rerank(row)
        case "nli":
            return _text(row, "premise", "hypothesis") or _label(row)
        case "classification":
            return _text(row, "text") or _label(row)
    return _text(row, "text")


_FIELDS: Mapping[str, tuple[str, ...]] = {
    "sft": ("messages",),
    "preference": ("chosen", "rejected"),
    "thumbs": ("completion",),
    "raft": ("documents",),
    "few-shot": ("examples",),
    "triplets": ("anchor",),
    "rerank": ("passage", "query"),
    "nli": ("premise",),
    "classification": ("label",),
    "text": ("text",),
    "completion": ("completion",),
    "prompt": ("prompt",),
}
