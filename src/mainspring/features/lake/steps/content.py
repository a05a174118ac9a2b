"""Steps about what an interaction is: parse, enrich, validate, and drop what is no example."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from mainspring.features.lake.steps.base import Outcome, texts, with_column
from mainspring.features.lake.steps.options import BuildSettings
from mainspring.serving.judge.language import UNKNOWN, detect

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
_READ = 600
"""Characters of a text by which its language is told."""
_CUT = frozenset({"length", "max_tokens"})


def parse(batch: pa.RecordBatch, _: BuildSettings) -> Outcome:
    """The messages as JSON, and the last question of a user among them."""
    questions: list[str] = []
    reasons: list[str] = []
    for text in texts(batch, "messages"):
        try:
            found = orjson.loads(text)
            questions.append(_question(found))
            reasons.append("")
        except (orjson.JSONDecodeError, AttributeError, TypeError):
            questions.append("")
            reasons.append("messages are not JSON")
    return with_column(batch, "question", questions), reasons


def enrich(batch: pa.RecordBatch, options: BuildSettings) -> Outcome:
    """The segment of the key, the version of the model, and the language of question and answer."""
    segments = [options.segments.get(key, "") for key in texts(batch, "key_id")]
    pairs = zip(texts(batch, "model_version"), texts(batch, "model"), strict=True)
    versions = [version or model for version, model in pairs]
    said = zip(texts(batch, "question"), texts(batch, "answer"), strict=True)
    languages = [_language(f"{question[:_READ]} {answer[:_READ]}") for question, answer in said]
    batch = with_column(batch, "segment", segments)
    batch = with_column(batch, "model_version", versions)
    return with_column(batch, "language", languages), [""] * batch.num_rows


def validate(batch: pa.RecordBatch, _: BuildSettings) -> Outcome:
    """Each row against the contract of ``Interaction``."""
    reasons = []
    columns = [batch.column(name).to_pylist() for name in ("answer_id", "at", "messages", "prompt_tokens", "event_ids")]
    for answer_id, at, messages, tokens, event_ids in zip(*columns, strict=True):
        reasons.append(_invalid(answer_id, at, orjson.loads(messages), tokens, event_ids))
    return batch, reasons


def empty(batch: pa.RecordBatch, options: BuildSettings) -> Outcome:
    """Questions and answers that say nothing."""
    least, reasons = options.least_characters, []
    for question, answer in zip(texts(batch, "question"), texts(batch, "answer"), strict=True):
        short = "question" if len(question.strip()) < least else "answer" if len(answer.strip()) < least else ""
        reasons.append(f"the {short} is empty" if short else "")
    return batch, reasons


def truncated(batch: pa.RecordBatch, _: BuildSettings) -> Outcome:
    """Answers that ended at a limit of tokens, or whose client left."""
    pairs = zip(texts(batch, "finish"), texts(batch, "status"), strict=True)
    return batch, [
        "the answer ended at its limit" if finish in _CUT else "the client left" if status == "cancelled" else ""
        for finish, status in pairs
    ]


def synthetic(batch: pa.RecordBatch, options: BuildSettings) -> Outcome:
    """Requests of tests, replays and red teams."""
    users, applications = frozenset(options.test_users), frozenset(options.test_applications)
    columns = batch.column("synthetic").to_pylist(), texts(batch, "subject"), texts(batch, "application")
    return batch, [
        "replay or test"
        if made
        else "test user"
        if user in users
        else "test application"
        if name in applications
        else ""
        for made, user, name in zip(*columns, strict=True)
    ]


def errors(batch: pa.RecordBatch, _: BuildSettings) -> Outcome:
    """Answers that failed, or that a filter cut."""
    pairs = zip(texts(batch, "status"), texts(batch, "finish"), strict=True)
    return batch, [
        "the answer failed"
        if status == "failed"
        else "a filter cut it"
        if finish in ("content_filter", "error")
        else ""
        for status, finish in pairs
    ]


def consent(batch: pa.RecordBatch, _: BuildSettings) -> Outcome:
    """Askers who have not let their requests be used for learning."""
    return batch, ["" if given else "no consent" for given in batch.column("consent").to_pylist()]


def _question(messages: Sequence[Any]) -> str:
    for message in reversed(messages):
        if message.get("role") == "user":
            said = message.get("content") or ""
            if isinstance(said, list):
                said = " ".join(part.get("text") or "" for part in said if isinstance(part, dict))
            return str(said)
    return ""


def _language(text: str) -> str:
    found = detect(text)
    return "" if found == UNKNOWN else found


def _invalid(answer_id: str, at: float, messages: Any, tokens: int, event_ids: Sequence[str]) -> str:
    if not answer_id or answer_id not in event_ids:
        return "its answer is not among its events"
    if at is None or not math.isfinite(at) or at <= 0:
        return "the time is none"
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        return "messages are not a list of objects"
    if any(each.get("role") not in _ROLES for each in messages):
        return "a message has an unknown role"
    if tokens is None or tokens < 0:
        return "tokens are negative"
    return ""
