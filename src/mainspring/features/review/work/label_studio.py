"""Label Studio's JSON: tasks with predictions (a judge's scores) and annotations (people's labels), and its labelling
interface in XML.

A task is known again by ``data.answer_id``; Label Studio gives tasks numbers of its own. The controls are named after
the criteria, beside ``approved``, ``errors``, ``comment`` and ``edit``.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import quoteattr

from mainspring.core.errors import InvalidRequest
from mainspring.features.review.definition import Definition
from mainspring.features.review.store.labels import Submitted
from mainspring.features.review.work.showing import ReviewedAnswer

IMPORTED = "label-studio:"
"""How the names of people from elsewhere begin."""
APPROVE, REJECT = "approve", "reject"
ABOUT = "answer"


@dataclass(frozen=True, slots=True)
class Annotation:
    """A label of ``by`` on an answer, given at ``at`` (Unix seconds; None: unknown)."""

    by: str
    said: Submitted
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What a task says of an answer."""

    answer_id: str
    annotations: Sequence[Annotation]


def interface(definition: Definition, scores: Sequence[str]) -> str:
    """The labelling interface, with a read-only number for each of the judge's ``scores``."""
    lines = ["<View>", '  <Text name="question" value="$question"/>', '  <Text name="answer" value="$answer"/>']
    lines.append('  <Text name="passages" value="$passages"/>')
    for each in definition.criteria:
        required = "true" if each.required else "false"
        lines.append(f"  <Header value={quoteattr(each.title or each.name)}/>")
        lines += _choices(each.name, each.scale, f'choice="single-radio" required="{required}"')
    lines += _choices("approved", [APPROVE, REJECT], 'choice="single-radio" required="true"')
    if definition.errors:
        lines += _choices("errors", [each.name for each in definition.errors], 'choice="multiple"')
    lines += [f'  <TextArea name="{name}" toName="{ABOUT}" maxSubmissions="1"/>' for name in ("edit", "comment")]
    lines += [f'  <Number name={quoteattr(name)} toName="{ABOUT}" min="0" max="1"/>' for name in sorted(scores)]
    return "\n".join([*lines, "</View>", ""])


def written(
    shown: ReviewedAnswer,
    item: Mapping[str, Any],
    labels: Sequence[Mapping[str, Any]],
    definition: Definition,
    verdict: Any,
) -> dict[str, Any]:
    """A task: ``item`` and ``labels`` as the routes show them, ``verdict`` is (judge, scores) or None."""
    predictions = []
    if verdict is not None:
        judge, scores = verdict
        result = [_result(name, "number", {"number": value}) for name, value in sorted(scores.items())]
        predictions.append({"model_version": judge, "result": result})
    return {
        "data": {
            "answer_id": item["answer_id"],
            "trace_id": item["trace_id"],
            "application": item["application"],
            "stratum": item["stratum"],
            "question": shown.question,
            "answer": shown.text,
            "passages": "\n\n".join(shown.passages),
        },
        "predictions": predictions,
        "annotations": [_annotation(each, definition) for each in labels],
    }


def read(tasks: Sequence[Any], definition: Definition) -> list[Task]:
    """The tasks of an export. Cancelled annotations are left out. Raises ``InvalidRequest`` naming what is wrong."""
    return [_task(each, definition, f"tasks[{place}]") for place, each in enumerate(tasks)]


def _task(task: Any, definition: Definition, param: str) -> Task:
    data = task.get("data") if isinstance(task, dict) else None
    answer_id = data.get("answer_id") if isinstance(data, dict) else None
    if not isinstance(answer_id, str) or not answer_id:
        remedy = "Send tasks that an export of a queue made"
        raise InvalidRequest("a task must name its answer", remedy=remedy, param=f"{param}.data.answer_id")
    found = task.get("annotations") or []
    if not isinstance(found, list):
        raise InvalidRequest("annotations must be a list", param=f"{param}.annotations")
    kept = [each for each in found if not (isinstance(each, dict) and each.get("was_cancelled"))]
    return Task(
        answer_id, [_said(each, definition, f"{param}.annotations[{place}]") for place, each in enumerate(kept)]
    )


def _said(annotation: Any, definition: Definition, param: str) -> Annotation:
    result = annotation.get("result") if isinstance(annotation, dict) else None
    if not isinstance(result, list):
        raise InvalidRequest("an annotation needs a result, which must be a list", param=f"{param}.result")
    scores: dict[str, float] = {}
    texts: dict[str, str] = {}
    approved: bool | None = None
    errors: list[str] = []
    for each in result:
        name, value = (each.get("from_name"), each.get("value")) if isinstance(each, dict) else (None, None)
        value = value if isinstance(value, dict) else {}
        chosen = [str(choice) for choice in _list(value.get("choices"))]
        if name == "approved" and chosen:
            approved = chosen[0] == APPROVE
        elif name == "errors":
            errors += chosen
        elif name in ("edit", "comment"):
            texts[name] = "\n".join(str(text) for text in _list(value.get("text")))
        elif chosen:
            criterion = definition.criterion(str(name))
            if chosen[0] not in criterion.scale:
                raise InvalidRequest(f"{name} has no label {chosen[0]!r}", param=f"{param}.result")
            scores[criterion.name] = criterion.score(criterion.scale.index(chosen[0]))
    if approved is None:
        raise InvalidRequest("an annotation must say whether it approves", param=f"{param}.result")
    known = {each.name for each in definition.errors}
    if strange := next((name for name in errors if name not in known), None):
        raise InvalidRequest(f"there is no error {strange!r}", param=f"{param}.result")
    seconds = annotation.get("lead_time")
    seconds = float(seconds) if isinstance(seconds, int | float) and 0 <= seconds <= 86_400 else None
    said = Submitted(scores, approved, tuple(errors), texts.get("comment", ""), texts.get("edit"), seconds)
    return Annotation(_by(annotation.get("completed_by")), said, _time(annotation.get("created_at")))


def _by(completed_by: Any) -> str:
    if isinstance(completed_by, dict):
        completed_by = completed_by.get("email") or completed_by.get("id")
    name = str(completed_by or "unknown")[:200]
    return name if name.startswith(IMPORTED) else IMPORTED + name


def _annotation(label: Mapping[str, Any], definition: Definition) -> dict[str, Any]:
    result = []
    for each in definition.criteria:
        if each.name in label["scores"]:
            chosen = each.scale[each.place(label["scores"][each.name])]
            result.append(_result(each.name, "choices", {"choices": [chosen]}))
    result.append(_result("approved", "choices", {"choices": [APPROVE if label["approved"] else REJECT]}))
    if label["errors"]:
        result.append(_result("errors", "choices", {"choices": list(label["errors"])}))
    for name in ("edit", "comment"):
        if label[name]:
            result.append(_result(name, "textarea", {"text": [label[name]]}))
    at = datetime.datetime.fromtimestamp(label["created_at"], datetime.UTC).isoformat().replace("+00:00", "Z")
    return {
        "completed_by": {"email": label["by"]},
        "created_at": at,
        "lead_time": label["seconds"],
        "was_cancelled": False,
        "ground_truth": label["adjudicated"],
        "result": result,
    }


def _result(name: str, kind: str, value: Mapping[str, Any]) -> dict[str, Any]:
    return {"from_name": name, "to_name": ABOUT, "type": kind, "value": dict(value)}


def _choices(name: str, values: Sequence[str], options: str) -> list[str]:
    inner = [f"    <Choice value={quoteattr(value)}/>" for value in values]
    return [f'  <Choices name="{name}" toName="{ABOUT}" {options}>', *inner, "  </Choices>"]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _time(written_at: Any) -> float | None:
    try:
        return datetime.datetime.fromisoformat(str(written_at)).timestamp()
    except ValueError:
        return None
