"""Langfuse: traces, observations and scores, as its API returns them and its exports write them.

A trace may hold its ``observations`` and ``scores`` as lists; else they are records of their own, in any order. Names
are in camel case, or in snake case as exports to blob storage write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

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
    seconds_between,
    text_of,
)
from mainspring.features.imports.messages import messages_of, said_of

NAME = "langfuse"
_SNAKE = re.compile(r"_([a-z])")
_INPUT, _OUTPUT = ("input", "prompt_tokens", "promptTokens"), ("output", "completion_tokens", "completionTokens")


class Langfuse:
    """Reads Langfuse."""

    def drafts(self, record: Record, importing: Importing) -> Iterator[Draft]:
        found = {_SNAKE.sub(lambda match: match[1].upper(), name): value for name, value in record.items()}
        if "startTime" in found and ("type" in found or "traceId" in found):
            yield from _observation(found, importing)
        elif "value" in found or "stringValue" in found:
            yield from _score(found, importing)
        elif "id" in found and "timestamp" in found:
            yield from _trace(found, importing)
        else:
            raise BadRecord("it is no trace, observation or score: timestamp, startTime and value are missing")


def _trace(trace: Mapping[str, Any], importing: Importing) -> Iterator[Draft]:
    name, at = needed(trace, "id"), moment(trace["timestamp"], "timestamp")
    observations = [
        {_SNAKE.sub(lambda match: match[1].upper(), key): value for key, value in each.items()}
        for each in trace.get("observations") or ()
        if isinstance(each, Mapping)
    ]
    calls = [each for each in observations if each.get("type") == "GENERATION"]
    last: Mapping[str, Any] = max(calls, key=lambda each: str(each.get("startTime")), default={})
    messages = messages_of(trace.get("input")) or messages_of(last.get("input"))
    said = said_of(trace.get("output")) or said_of(last.get("output"))
    for each in observations:
        if each.get("type") == "GENERATION":
            yield from _call({**each, "traceId": name}, importing)
    for each in trace.get("scores") or ():
        if isinstance(each, Mapping):
            yield from _score({"timestamp": trace["timestamp"], **each, "traceId": name}, importing)
    if not messages or not said:
        if observations or trace.get("scores"):
            return
        raise LeftOut("a trace without input or output")
    yield _answer(name, at, trace, messages, said, importing, last)


def _answer(
    name: str,
    at: float,
    about: Mapping[str, Any],
    messages: Any,
    said: Any,
    importing: Importing,
    call: Mapping[str, Any],
) -> Draft:
    user = text_of(about, "userId")
    latency = about.get("latency")
    facts = making.answer_facts(
        NAME,
        importing,
        model=text_of(call, "model", "providedModelName"),
        requested=text_of(about, "name"),
        said=said,
        tokens=_tokens(call),
        cost_nanousd=nanousd(about.get("totalCost")) or _cost(call),
        duration_s=float(latency) if isinstance(latency, int | float) else None,
        session_id=text_of(about, "sessionId"),
        user=user,
        error="error" if about.get("level") == "ERROR" else "",
    )
    key = f"answer:{name}"
    return Draft(key, facts, at, name, key, making.content(messages, said), user)


def _observation(found: Mapping[str, Any], importing: Importing) -> Iterator[Draft]:
    trace, kind = needed(found, "traceId"), str(found.get("type", "")).upper()
    root = not found.get("parentObservationId") or found.get("isRootObservation") is True
    if kind == "GENERATION":
        yield from _call(found, importing)
    elif not root:
        raise LeftOut("a step that is not a call of a model")
    if root:
        messages, said = messages_of(found.get("input")), said_of(found.get("output"))
        if messages and said:
            yield _answer(trace, moment(found["startTime"], "startTime"), found, messages, said, importing, found)
        elif kind != "GENERATION":
            raise LeftOut("a root without input or output")


def _call(found: Mapping[str, Any], importing: Importing) -> Iterator[Draft]:
    name, trace = needed(found, "id"), needed(found, "traceId")
    at = moment(found.get("startTime"), "startTime")
    facts = making.call_facts(
        NAME,
        importing,
        model=text_of(found, "model", "providedModelName"),
        tokens=_tokens(found),
        cached=count(mapping(found.get("usageDetails")).get("input_cached_tokens")),
        cost_nanousd=_cost(found),
        duration_s=seconds_between(at, found.get("endTime"), "endTime"),
        ttft_s=seconds_between(at, found.get("completionStartTime"), "completionStartTime"),
        error="error" if found.get("level") == "ERROR" else "",
    )
    yield Draft(f"call:{name}", facts, at, trace, f"answer:{trace}")


def _score(found: Mapping[str, Any], importing: Importing) -> Iterator[Draft]:
    key, name = needed(found, "id"), needed(found, "name")
    trace = text_of(found, "traceId")
    if not trace:
        raise LeftOut("a score of no trace")
    at = moment(found.get("timestamp") or found.get("createdAt"), "timestamp")
    value = found.get("value") if found.get("dataType") != "CATEGORICAL" else found.get("stringValue")
    facts = making.opinion(
        NAME,
        importing,
        name,
        value,
        by=text_of(found, "authorUserId"),
        human=found.get("source") == "ANNOTATION",
        comment=text_of(found, "comment"),
    )
    if facts is None:
        raise LeftOut("a score without a number")
    yield Draft(f"score:{key}", facts, at, trace, f"answer:{trace}")


def _tokens(found: Mapping[str, Any]) -> tuple[int, int]:
    usage = {**mapping(found.get("usage")), **mapping(found.get("usageDetails"))}
    first = next((usage[name] for name in _INPUT if name in usage), found.get("promptTokens"))
    second = next((usage[name] for name in _OUTPUT if name in usage), found.get("completionTokens"))
    return count(first), count(second)


def _cost(found: Mapping[str, Any]) -> int:
    return nanousd(mapping(found.get("costDetails")).get("total") or found.get("calculatedTotalCost"))
