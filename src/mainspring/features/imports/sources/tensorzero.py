"""TensorZero: rows of its tables ChatInference, JsonInference, ModelInference and of feedback, as JSON Lines.

``SELECT * FROM ChatInference FORMAT JSONEachRow`` writes them so. Columns that hold JSON may be texts. Metrics become
outcomes; demonstrations are edits; comments are feedback.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mainspring.core.facts.opinions import OutcomeFacts
from mainspring.features.imports import making
from mainspring.features.imports.drafts import (
    BadRecord,
    Draft,
    Importing,
    LeftOut,
    Record,
    count,
    mapping,
    moment,
    nanousd,
    needed,
    number,
    text_of,
)
from mainspring.features.imports.messages import messages_of, said_of

NAME = "tensorzero"


class TensorZero:
    """Reads TensorZero."""

    def drafts(self, record: Record, importing: Importing) -> Iterator[Draft]:
        if "function_name" in record and "episode_id" in record:
            yield _inference(record, importing)
        elif "model_provider_name" in record or "raw_request" in record:
            yield _call(record, importing)
        elif "metric_name" in record:
            yield from _metric(record, importing)
        elif "target_id" in record:
            about = needed(record, "target_id")
            facts = making.feedback(NAME, importing, comment=needed(record, "value"))
            yield _opinion("comment", record, about, facts)
        elif "inference_id" in record and "value" in record:
            about = needed(record, "inference_id")
            edit = said_of(record["value"])
            if not edit.text.strip():
                raise LeftOut("a demonstration without text")
            yield _opinion("demonstration", record, about, making.feedback(NAME, importing, edited=True), edit.text)
        else:
            raise BadRecord("it is not a row of an inference or of feedback: function_name and metric_name are missing")


def _inference(row: Record, importing: Importing) -> Draft:
    name, at = needed(row, "id"), _at(row)
    messages, said = messages_of(_json(row.get("input"))), said_of(_output(row.get("output")))
    if not messages or not said:
        raise LeftOut("an inference without input or output")
    tags = mapping(_json(row.get("tags")))
    user = text_of(tags, "user_id", "user")
    facts = making.answer_facts(
        NAME,
        importing,
        model="",
        requested=needed(row, "function_name"),
        said=said,
        duration_s=_seconds(row.get("processing_time_ms")),
        ttft_s=_seconds(row.get("ttft_ms")),
        session_id=needed(row, "episode_id"),
        user=user,
        arm=text_of(row, "variant_name"),
    )
    key = f"answer:{name}"
    return Draft(key, facts, at, name, key, making.content(messages, said), user)


def _call(row: Record, importing: Importing) -> Draft:
    name, about = needed(row, "id"), needed(row, "inference_id")
    facts = making.call_facts(
        NAME,
        importing,
        model=text_of(row, "model_name"),
        provider=text_of(row, "model_provider_name"),
        tokens=(count(row.get("input_tokens")), count(row.get("output_tokens"))),
        cost_nanousd=nanousd(row.get("cost")),
        duration_s=_seconds(row.get("response_time_ms")),
        ttft_s=_seconds(row.get("ttft_ms")),
        finish=text_of(row, "finish_reason") or "stop",
    )
    return Draft(f"call:{name}", facts, _at(row), about, f"answer:{about}")


def _metric(row: Record, importing: Importing) -> Iterator[Draft]:
    about, metric, value = needed(row, "target_id"), needed(row, "metric_name"), row.get("value")
    found = float(value) if isinstance(value, bool) else number(value)
    if found is None:
        raise BadRecord("value is not a number")
    outcome = OutcomeFacts(imported=NAME, metric=metric[:200], value=found, episode=about)
    yield _opinion("metric", row, about, outcome)
    thumb = making.opinion(NAME, importing, metric, value)
    if thumb is not None and thumb.EVENT == "feedback":
        yield _opinion("thumb", row, about, thumb)


def _opinion(kind: str, row: Record, about: str, facts: Any, content: str | None = None) -> Draft:
    return Draft(f"{kind}:{needed(row, 'id')}", facts, _at(row), about, f"answer:{about}", content)


def _at(row: Record) -> float:
    """The row's time; without one, that of its UUIDv7."""
    if row.get("timestamp") is not None:
        return moment(row["timestamp"], "timestamp")
    digits = str(row.get("id", "")).replace("-", "")
    try:
        return moment(int(digits[:12], 16) / 1e3, "timestamp")
    except ValueError:
        raise BadRecord("timestamp is missing") from None


def _json(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _output(value: Any) -> Any:
    """The blocks of a chat function, or the raw text of a JSON function."""
    found = _json(value)
    if isinstance(found, dict) and "raw" in found:
        return found["raw"]
    return found


def _seconds(value: Any) -> float | None:
    found = number(value)
    return None if found is None else found / 1e3
