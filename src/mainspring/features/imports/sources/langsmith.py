"""LangSmith: runs and feedback, as its API returns them, and as bulk exports write them in Parquet (fields of
``langsmith.schemas``).

The root run of a trace is its answer, and its runs of type ``llm`` are calls. Feedback is a record of its own, or is
among ``feedback`` of a run.
"""

from __future__ import annotations

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

NAME = "langsmith"


class LangSmith:
    """Reads LangSmith."""

    def drafts(self, record: Record, importing: Importing) -> Iterator[Draft]:
        if "run_type" in record:
            yield from _run(record, importing)
        elif "key" in record and ("run_id" in record or "trace_id" in record):
            yield from _feedback(record, importing)
        else:
            raise BadRecord("it is neither a run nor feedback: run_type and key are missing")


def _run(run: Record, importing: Importing) -> Iterator[Draft]:
    name, at = needed(run, "id"), moment(run.get("start_time"), "start_time")
    trace = text_of(run, "trace_id") or name
    root, calls = not run.get("parent_run_id"), run["run_type"] == "llm"
    if calls:
        yield _call(name, trace, at, run, importing)
    for each in run.get("feedback") or ():
        if isinstance(each, Mapping):
            yield from _feedback({"created_at": run["start_time"], **each, "trace_id": trace}, importing)
    if root:
        messages, said = messages_of(run.get("inputs")), said_of(run.get("outputs"))
        if messages and said:
            yield _answer(trace, at, run, messages, said, importing)
        elif not calls:
            raise LeftOut("a root run without inputs or outputs")
    elif not calls:
        raise LeftOut("a step that is not a call of a model")
    for child in run.get("child_runs") or ():
        if isinstance(child, Mapping) and child.get("run_type") == "llm":
            yield _call(needed(child, "id"), trace, moment(child.get("start_time"), "start_time"), child, importing)


def _answer(trace: str, at: float, run: Record, messages: Any, said: Any, importing: Importing) -> Draft:
    notes = mapping(mapping(run.get("extra")).get("metadata"))
    user = text_of(notes, "user_id", "user", "ls_user_id")
    facts = making.answer_facts(
        NAME,
        importing,
        model=_model(run),
        requested=text_of(run, "name"),
        said=said,
        tokens=_tokens(run),
        cost_nanousd=nanousd(run.get("total_cost")),
        duration_s=seconds_between(at, run.get("end_time"), "end_time"),
        ttft_s=seconds_between(at, run.get("first_token_time"), "first_token_time"),
        session_id=text_of(notes, "session_id", "thread_id", "conversation_id"),
        user=user,
        error="error" if run.get("error") else "",
    )
    key = f"answer:{trace}"
    return Draft(key, facts, at, trace, key, making.content(messages, said), user)


def _call(name: str, trace: str, at: float, run: Record, importing: Importing) -> Draft:
    facts = making.call_facts(
        NAME,
        importing,
        model=_model(run),
        provider=text_of(mapping(mapping(run.get("extra")).get("metadata")), "ls_provider"),
        tokens=_tokens(run),
        cached=count(mapping(run.get("prompt_token_details")).get("cache_read")),
        cost_nanousd=nanousd(run.get("total_cost")),
        duration_s=seconds_between(at, run.get("end_time"), "end_time"),
        ttft_s=seconds_between(at, run.get("first_token_time"), "first_token_time"),
        error="error" if run.get("error") else "",
    )
    return Draft(f"call:{name}", facts, at, trace, f"answer:{trace}")


def _feedback(found: Record, importing: Importing) -> Iterator[Draft]:
    key, name = needed(found, "id"), needed(found, "key")
    trace = text_of(found, "trace_id", "run_id")
    if not trace:
        raise LeftOut("feedback on no run")
    at = moment(found.get("created_at") or found.get("start_time"), "created_at")
    origin = mapping(found.get("feedback_source"))
    comment = text_of(found, "comment")
    about = f"answer:{trace}"
    if (edit := said_of(found.get("correction"))) and edit.text.strip():
        facts = making.feedback(NAME, importing, comment=comment, edited=True)
        yield Draft(f"correction:{key}", facts, at, trace, about, edit.text)
    value = found.get("score") if found.get("score") is not None else found.get("value")
    human = origin.get("type") == "app"
    by = text_of(origin, "user_name", "user_id")
    given = making.opinion(NAME, importing, name, value, by=by, human=human, comment=comment)
    if given is not None:
        yield Draft(f"feedback:{key}", given, at, trace, about)
    elif not edit:
        raise LeftOut("feedback without a number")


def _model(run: Record) -> str:
    extra = mapping(run.get("extra"))
    notes, drawn = mapping(extra.get("metadata")), mapping(extra.get("invocation_params"))
    return text_of(notes, "ls_model_name") or text_of(drawn, "model", "model_name")


def _tokens(run: Record) -> tuple[int, int]:
    usage = mapping(mapping(run.get("outputs")).get("usage_metadata"))
    return (
        count(run.get("prompt_tokens") or usage.get("input_tokens")),
        count(run.get("completion_tokens") or usage.get("output_tokens")),
    )
