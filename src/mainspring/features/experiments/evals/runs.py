"""Runs of evals: items from where the run says, as the examples of an experiment with one responder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from mainspring.core.errors import InvalidRequest, MainspringError, Unsupported
from mainspring.core.types import Message, Principal
from mainspring.evaluation.example_json import checked, message_of
from mainspring.evaluation.examples import Example
from mainspring.features.experiments.evals.graders import content, ends, options_of
from mainspring.features.experiments.service import Experiments
from mainspring.features.experiments.spec import Candidate, Spec, WantedScorer
from mainspring.features.experiments.work.templates import filled
from mainspring.stores.sql import ids, rows

RUN = "run"
KIND = "evals"
MOST_ITEMS = 10_000
_MOST_BYTES = 64 * 2**20


async def start(
    service: Experiments,
    principal: Principal,
    of: sa.Row[Any],
    source: Mapping[str, Any],
    name: str,
    metadata: Mapping[str, str],
) -> sa.Row[Any]:
    """Queue a run of the eval ``of``. Raises ``InvalidRequest`` naming the field, ``NotFound``, ``QuotaExceeded``."""
    items = await _items(service, principal, source.get("source") or {})
    examples = [_example(number, each, source) for number, each in enumerate(items, 1)]
    model = source.get("model")
    if source.get("type") in ("completions", "responses") and source.get("input_messages") and not model:
        raise InvalidRequest("a run that samples needs a model", param="data_source.model")
    criteria = rows.load(of.criteria)
    scorers = tuple(_scorer(each) for each in criteria)
    drawn = _sampling(source.get("sampling_params") or {})
    candidates = (Candidate(str(model), str(model), None, drawn),) if model else ()
    data_set = f"{of.id}:{ids.new('items_')}"
    version = await service.data.keep(principal, data_set, examples, kind=KIND)
    kept = {name: value for name, value in source.items() if name != "source"}
    kept["source"] = _told(source.get("source") or {})
    told = {"data_source": json.dumps(kept), "metadata": json.dumps(dict(metadata))}
    spec = Spec(candidates, scorers, service.settings.concurrency, not candidates)
    title = name or str(model or of.name)
    try:
        return await service.submit(
            principal, data_set, version, spec, name=title, kind=RUN, parent=of.id, metadata=told
        )
    except MainspringError:
        await service.data.drop(principal, data_set)
        raise


def _told(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """The source without its items, which are kept as a data set."""
    return {**source, "content": []} if "content" in source else source


async def _items(service: Experiments, principal: Principal, source: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    match source.get("type"):
        case "file_content":
            found = source.get("content")
        case "file_id":
            found = await service.lines(principal, str(source.get("id")), _MOST_BYTES)
        case "stored_completions" | "responses":
            found = await _recorded(service, principal, source)
        case other:
            raise InvalidRequest(
                f"there is no source of the type {other!s:.50}",
                remedy="Use file_content, file_id, stored_completions or responses",
                param="data_source.source.type",
            )
    if not isinstance(found, list) or not 1 <= len(found) <= MOST_ITEMS:
        raise InvalidRequest(f"a run must have 1 to  {MOST_ITEMS} items", param="data_source.source")
    for number, each in enumerate(found, 1):
        if not isinstance(each, Mapping) or not isinstance(each.get("item"), Mapping):
            raise InvalidRequest(f"item {number} is not an object with an item", param="data_source.source")
    return found


async def _recorded(service: Experiments, principal: Principal, source: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    known = ("type", "model", "created_after", "created_before", "limit")
    for name, value in source.items():
        if name not in known and value not in (None, {}, []):
            raise Unsupported(f"recorded answers are not selected by {name:.50}", param=f"data_source.source.{name}")
    examples = await service.data.recorded(
        principal,
        model=str(source.get("model") or ""),
        since=source.get("created_after"),
        until=source.get("created_before"),
        limit=min(int(source.get("limit") or 1_000), MOST_ITEMS),
    )
    return [
        {
            "item": {"input": [{"role": m.role, "content": m.content} for m in each.messages]},
            "sample": {"output_text": each.extra.get("answer", "")},
            "example": each,
        }
        for each in examples
    ]


def _example(number: int, row: Mapping[str, Any], source: Mapping[str, Any]) -> Example:
    item, sample = row["item"], row.get("sample") or {}
    made = row.get("example")
    extra: dict[str, Any] = {"item": dict(item)}
    if isinstance(sample, Mapping):
        extra["answer"] = str(sample.get("output_text", ""))
    example = Example(
        id=f"item-{number}",
        messages=(Message("user", json.dumps(item, ensure_ascii=False)),),
        sources=made.sources if isinstance(made, Example) else (),
        trace_id=made.trace_id if isinstance(made, Example) else "",
        subject=made.subject if isinstance(made, Example) else "",
        extra=extra,
    )
    asked = source.get("input_messages")
    messages = _messages(asked, example) if isinstance(asked, Mapping) else _input(item)
    if messages:
        example = Example(
            example.id, tuple(messages), (), (), None, {}, example.sources, example.trace_id, example.subject,
            extra=extra,
        )  # fmt: skip
    return checked(example, f"item {number}")


def _input(item: Mapping[str, Any]) -> list[Message]:
    found = item.get("input")
    if isinstance(found, list) and found:
        return [message_of(each, "item.input") for each in found]
    return []


def _messages(asked: Mapping[str, Any], example: Example) -> list[Message]:
    match asked.get("type"):
        case "template":
            template = asked.get("template")
            if not isinstance(template, list) or not 1 <= len(template) <= 64:
                raise InvalidRequest("a template must have 1 to 64 messages", param="data_source.input_messages")
            parts = [{"role": e.get("role"), "content": content(e.get("content"))} for e in template]
            return filled(parts, example)
        case "item_reference":
            field = str(asked.get("item_reference", "")).removeprefix("item.")
            found = example.extra["item"].get(field)
            if not isinstance(found, list):
                raise InvalidRequest(f"item.{field:.50} is not a list of messages", param="data_source.input_messages")
            return [message_of(each, f"item.{field:.50}") for each in found]
        case other:
            raise InvalidRequest(f"input_messages of the type {other!s:.50}", param="data_source.input_messages")


def _sampling(given: Mapping[str, Any]) -> dict[str, Any]:
    known = {"max_completion_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "seed": "seed"}
    for name, value in given.items():
        if name not in known and value is not None:
            raise Unsupported(f"runs do not sample with {name:.50}", param=f"data_source.sampling_params.{name:.50}")
    return {known[name]: value for name, value in given.items() if value is not None}


def _scorer(criterion: Mapping[str, Any]) -> WantedScorer:
    name, options = options_of(criterion)
    threshold = criterion.get("pass_threshold")
    if name == "score-model":
        low, high = ends(options)
        threshold = None if threshold is None else (float(threshold) - low) / (high - low)
    if threshold is None:
        # A score of a model without a threshold passes in the upper half of its range.
        threshold = 0.5 if name == "score-model" else 1.0
    return WantedScorer(name, options, str(criterion["id"]), float(threshold))


def passed(spec: Spec, scores: Mapping[str, float | None]) -> dict[str, bool]:
    """Whether an answer passes each criterion."""
    return {
        each.label: (value := scores.get(each.label)) is not None and value >= (each.threshold or 0.0) - 1e-12
        for each in spec.scorers
    }


def counts(spec: Spec, columns: Sequence[tuple[Mapping[str, float | None], str]], total: int) -> dict[str, int]:
    """OpenAI's ``result_counts`` of (scores, error)."""
    errored = sum(bool(error) for _, error in columns)
    good = sum(not error and all(passed(spec, scores).values()) for scores, error in columns)
    return {"total": total, "errored": errored, "passed": good, "failed": len(columns) - errored - good}
