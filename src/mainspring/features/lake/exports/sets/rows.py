"""Rows of exports, before they are written in the format of a trainer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.interactions import Interaction

ExportKind = Literal[
    "sft", "preference", "thumbs", "few-shot", "raft", "triplets", "rerank", "reader", "nli", "classification"
]
KINDS: tuple[ExportKind, ...] = get_args(ExportKind)
Body = Mapping[str, Any]
ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Row:
    """A row for training: ``body`` has the fields of its kind. ``answers`` and ``event_ids`` are what it is made of,
    ``subjects`` the people in it. It is about the first of its answers; the others are shown beside. ``origin`` says
    how it came about, for example ``edit``. ``at`` is in Unix seconds."""

    body: Body
    answers: tuple[str, ...]
    event_ids: tuple[str, ...]
    subjects: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    at: float = 0.0
    origin: str = ""

    @property
    def id(self) -> str:
        """The same for the same content of the same answers."""
        said = "\x00".join((self.origin, *self.answers, repr(sorted(self.body.items(), key=lambda each: each[0]))))
        return "row_" + hashlib.sha256(said.encode(errors="replace")).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Options:
    """What is wanted of a kind. ``label``: the field of an interaction that a classifier learns. ``shots``: examples
    before the question. ``distractors``: passages of other questions. ``keep_oracle``: the share of RAFT's rows that
    show the passage with the answer (Zhang et al. 2024, P = .8). ``least_reward``: the difference of outcomes beyond
    which one answer is preferred. ``good``: for sft, rerank and reader, only answers that people approve or edit."""

    label: str = "thumb"
    shots: int = 3
    distractors: int = 3
    keep_oracle: float = 0.8
    least_reward: float = 0.0
    good: bool = False
    seed: int = 0


@dataclass(slots=True)
class Steps:
    """How many interactions came in, and how many each step took; rows at the end."""

    counts: dict[str, int] = field(default_factory=dict)

    def count(self, step: str, number: int = 1) -> None:
        self.counts[step] = self.counts.get(step, 0) + number


def plain_messages(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Messages as trainers read them: role, content as text, and tool calls in the form of OpenAI."""
    made = []
    for each in messages:
        role = "system" if each.get("role") == "developer" else str(each.get("role", ""))
        if role not in ROLES:
            continue
        message: dict[str, Any] = {"role": role, "content": spoken(each.get("content"))}
        if calls := each.get("tool_calls"):
            message["tool_calls"] = [_call(call) for call in calls]
        if role == "tool" and each.get("tool_call_id"):
            message["tool_call_id"] = str(each["tool_call_id"])
        made.append(message)
    return made


def spoken(content: Any) -> str:
    """The text of a message's content."""
    if isinstance(content, list | tuple):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return "" if content is None else str(content)


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    named = function if isinstance(function, Mapping) else call
    arguments = named.get("arguments", "")
    return {
        "id": str(call.get("id", "")),
        "type": "function",
        "function": {"name": str(named.get("name", "")), "arguments": str(arguments)},
    }


def question(row: Interaction) -> str:
    """The user's last message."""
    said = (spoken(each.get("content")) for each in reversed(row.messages) if each.get("role") == "user")
    return next(said, "")


def asked(row: Interaction) -> str:
    """All that users said, on one line each: answers to the same of it are answers to one question."""
    return said_by_users(row.messages)


def said_by_users(messages: Iterable[Mapping[str, Any]]) -> str:
    """What users said in these messages, a line each."""
    return "\n".join(spoken(each.get("content")) for each in messages if each.get("role") == "user")


def told(row: Interaction) -> str:
    """The best text that is known: a person's edit, or the answer."""
    return row.answer if row.edited is None else row.edited


def approved(row: Interaction) -> bool:
    """Whether a person stands behind the answer: by a thumb, an edit or a label."""
    return row.thumb == "up" or row.edited is not None or row.labels.get("approved") == 1


def made_of(body: Body, *sources: Interaction, origin: str = "") -> Row:
    """A row with the lineage of ``sources``."""
    return Row(
        body=body,
        answers=_each(row.answer_id for row in sources),
        event_ids=_each(event for row in sources for event in row.event_ids),
        subjects=_each(row.subject for row in sources),
        traces=_each(row.trace_id for row in sources),
        models=_each(row.model for row in sources),
        languages=_each(row.language for row in sources),
        at=max((row.at for row in sources), default=0.0),
        origin=origin,
    )


def check_kind(kind: str) -> ExportKind:
    """Raises ``InvalidRequest`` with the known kinds."""
    for each in KINDS:
        if kind == each:
            return each
    raise InvalidRequest(f"there is no export {kind!r}", remedy=f"Choose one of {', '.join(KINDS)}", param="kind")


def _each(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


Rows = Sequence[Row]
