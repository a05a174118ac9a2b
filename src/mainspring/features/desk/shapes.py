"""Bodies of requests to the desk, and its answers as JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field

from mainspring.agents.handover import CaseKind, CasePriority
from mainspring.features.desk.assist.summary import EXTRACTIVE
from mainspring.features.desk.service import View
from mainspring.features.desk.store.assists import Assistance
from mainspring.features.desk.store.desk_persons import DeskPerson
from mainspring.features.desk.store.records import Case, CaseMessage
from mainspring.features.desk.store.work import MAX_TEXT
from mainspring.features.desk.transcripts import TranscriptLine
from mainspring.http.bodies import AtMost, Body

Short = Annotated[str, Field(max_length=256)]
Queue = Annotated[str, Field(max_length=64)]
References = Annotated[dict[Queue, Annotated[str, Field(max_length=2000)]], Field(max_length=64), AtMost(64)]


class CaseBody(Body):
    """``POST /v1/desk/cases``."""

    subject: Annotated[str, Field(min_length=1, max_length=300)]
    kind: CaseKind = "ticket"
    reason: Annotated[str, Field(max_length=2000)] = ""
    topic: Queue = ""
    priority: CasePriority = "normal"
    customer: Short = ""
    body: Annotated[str, Field(max_length=20_000)] = ""
    references: References = Field(default_factory=dict)
    session_id: Annotated[str, Field(max_length=256, description="Session in the key's groups")] = ""
    user: Short = ""
    language: Annotated[str, Field(max_length=16)] = ""


class NextBody(Body):
    """``POST /v1/desk/next``: queues to search (default: your own; if you have none, all)."""

    queues: Annotated[list[Queue], Field(max_length=32, fail_fast=True, default_factory=list)]


class TakeBody(Body):
    """``POST /v1/desk/cases/{case}/take``."""

    attend: bool | None = None


class AssignBody(Body):
    """``POST /v1/desk/cases/{case}/assign``: ``person`` is an ID from ``GET /v1/desk/people``."""

    person: Short = ""
    queue: Queue = ""


class AnswerBody(Body):
    """``POST /v1/desk/cases/{case}/messages``."""

    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
    note: bool = False
    suggestion: Annotated[str, Field(max_length=64, description="ID of the suggestion that was used")] = ""


class CloseBody(Body):
    """``POST /v1/desk/cases/{case}/close``: ``resolution`` is a word or two, such as ``solved`` or ``refused``."""

    resolution: Queue = ""


class PersonBody(Body):
    """``PUT /v1/desk/people/me``."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    queues: Annotated[list[Queue], Field(max_length=32, fail_fast=True, default_factory=list)]


def case_body(case: Case) -> dict[str, Any]:
    """A ``desk.case`` object."""
    return {
        "id": case.id,
        "object": "desk.case",
        "number": case.number,
        "kind": case.kind,
        "status": case.status,
        "queue": case.queue,
        "priority": case.priority,
        "topic": case.topic or None,
        "language": case.language or None,
        "subject": case.subject,
        "reason": case.reason or None,
        "body": case.body or None,
        "customer": case.customer or None,
        "user": case.person or None,
        "references": dict(case.references),
        "channel": case.channel,
        "agent": case.agent or None,
        "run_id": case.run_id or None,
        "session_id": case.session_id or None,
        "attended": case.attended,
        "assignee": _assignee(case),
        "resolution": case.resolution or None,
        "created_at": int(case.created_at),
        "updated_at": int(case.updated_at),
        "taken_at": _moment(case.taken_at),
        "answered_at": _moment(case.answered_at),
        "closed_at": _moment(case.closed_at),
        "due_at": _moment(case.due_at),
        "late": case.is_late(time.time()),
        "version": case.version,
    }


def view_body(view: View) -> dict[str, Any]:
    """A case with its ``messages`` and its ``assist`` (null: it is being made)."""
    messages = [line_body(each) for each in view.lines]
    return case_body(view.case) | {"messages": messages, "assist": assist_body(view.assistance)}


def assist_body(made: Assistance | None) -> dict[str, Any] | None:
    """A ``desk.assist`` object."""
    if made is None:
        return None
    return {
        "object": "desk.assist",
        "basis": made.basis or None,
        "summary": made.summary,
        "method": made.method or EXTRACTIVE,
        "preparing": made.preparing,
        "hints": list(made.hints),
        "facts": list(made.facts),
        "suggestions": [
            {
                "id": each.id,
                "text": each.text,
                "source": each.source,
                "citations": list(each.citations),
                "decision": each.decision or None,
            }
            for each in made.suggestions
        ],
        "made_at": int(made.made_at),
    }


def line_body(line: TranscriptLine | CaseMessage) -> dict[str, Any]:
    """A message of a conversation. ``author`` is ``customer``, ``agent``, ``person``, ``note`` or ``event``."""
    return {
        "id": line.id,
        "object": "desk.message",
        "author": line.author,
        "name": line.by_name or None,
        "text": line.text,
        "created_at": line.at,
    }


def queues_body(counts: Sequence[tuple[str, str, int, int]]) -> dict[str, Any]:
    """A list of ``desk.queue`` objects: how many cases are in each state, and how many are late."""
    queues: dict[str, dict[str, int]] = {}
    for queue, status, count, late in counts:
        found = queues.setdefault(queue, dict.fromkeys(("open", "taken", "waiting", "closed", "late"), 0))
        found[status] += count
        found["late"] += late
    return {"object": "list", "data": [{"id": name, "object": "desk.queue", **each} for name, each in queues.items()]}


def person_body(person: DeskPerson) -> dict[str, Any]:
    """A ``desk.person`` object."""
    return {"id": person.person, "object": "desk.person", "name": person.name, "queues": list(person.queues)}


def _assignee(case: Case) -> Mapping[str, str] | None:
    return {"id": case.assignee, "name": case.assignee_name} if case.assignee else None


def _moment(at: float | None) -> int | None:
    return None if at is None else int(at)
