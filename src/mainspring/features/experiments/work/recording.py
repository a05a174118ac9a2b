"""Keeps an evaluation that another harness ran, as a finished experiment."""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, NoReturn

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Principal
from mainspring.evaluation.example_json import checked, plain
from mainspring.evaluation.examples import Example, ExampleStream
from mainspring.evaluation.recorded import RecordedEvaluation
from mainspring.features.experiments.spec import Candidate, Spec, WantedScorer
from mainspring.features.experiments.store.results import PREFIX, Results, answered_body
from mainspring.features.experiments.work.report import Columns, summary
from mainspring.stores.sql import rows

SOURCE = "import"
"""The name of the scorers: what another harness found is not computed again."""


async def record(
    results: Results, data: ExampleStream, principal: Principal, found: RecordedEvaluation, data_set: str, most: int
) -> tuple[str, bool]:
    """See ``EvaluationRecords``. ``most`` answers are kept of one experiment."""
    experiment_id = PREFIX + found.digest[:26]
    if await results.of(principal.tenant, experiment_id) is not None:
        return experiment_id, False
    if len(found.rows) > most:
        raise InvalidRequest(f"{len(found.rows)} answers are more than an experiment may have ({most})", param="file")
    # Before anything is kept: all of it can be.
    found = await asyncio.to_thread(_checked, found)
    version, places = await _questions(data, principal, found, data_set)
    labels = list(dict.fromkeys(label for row in found.rows for label in row.scores))
    spec = Spec((Candidate(found.model, found.model),), tuple(WantedScorer(SOURCE, label=label) for label in labels), 1)
    answers = [_row(principal.tenant, experiment_id, places[row.example.id], row) for row in found.rows]
    answers.sort(key=lambda each: int(each["place"]))
    about = await data.version(principal, data_set, version)
    values = {
        "kind": "experiment",
        "name": f"{found.task}, {found.model}"[:256],
        "data_set": data_set,
        "version": version,
        "fingerprint": about.fingerprint,
        "total": len(answers),
        "groups": rows.names(about.groups | principal.groups),
        "metadata": rows.dump({**found.metadata, "task": found.task}),
        "ended_at": found.created_at or time.time(),
        "report": rows.dump(await asyncio.to_thread(_report, answers, labels, spec)),
    }
    return experiment_id, await results.keep(principal, experiment_id, values, spec, answers)


def _checked(found: RecordedEvaluation) -> RecordedEvaluation:
    """With texts as they are stored. Raises ``InvalidRequest`` naming the row."""
    made, known = [], set[str]()
    for number, row in enumerate(found.rows, 1):
        example, answered = row.example, row.answered
        name = rows.clean(example.id)
        messages = tuple(dataclasses.replace(each, content=rows.clean(each.content)) for each in example.messages)
        references = tuple(map(rows.clean, example.references))
        if not name.strip() or name in known:
            told = f"the id {name:.60} of another one" if name.strip() else "no id"
            _refuse(number, told, "Give each question an id of its own")
        known.add(name)
        if not all(0 <= score <= 1 for score in row.scores.values()):
            _refuse(number, "a score that is not from 0 to 1", "Leave it out, or divide it by the highest")
        if answered.duration_s is not None and not 0 <= answered.duration_s < math.inf:
            _refuse(number, "an impossible number of seconds", "Leave them out")
        example = dataclasses.replace(
            example, id=name, messages=messages, references=references, group=rows.clean(example.group)
        )
        answered = dataclasses.replace(answered, error=rows.clean(answered.error))
        made.append(dataclasses.replace(row, example=checked(example, f"row {number}"), answered=answered))
    return dataclasses.replace(found, task=rows.clean(found.task), model=rows.clean(found.model), rows=made)


def _refuse(number: int, told: str, remedy: str) -> NoReturn:
    raise InvalidRequest(f"row {number} has {told}", remedy=remedy, param=f"rows.{number}")


async def _questions(
    data: ExampleStream, principal: Principal, found: RecordedEvaluation, data_set: str
) -> tuple[int, dict[str, int]]:
    """A version with all questions, and each one's place in it: the newest if it has them all, so that the answers of
    several models to them are compared."""
    wanted = {row.example.id: row.example for row in found.rows}
    try:
        newest = await data.version(principal, data_set)
        places = await _places(data, principal, data_set, newest.number, wanted)
        if len(places) == len(wanted):
            return newest.number, places
    except NotFound:
        pass
    number = await data.keep(principal, data_set, list(wanted.values()), kind="")
    return number, await _places(data, principal, data_set, number, wanted)


async def _places(
    data: ExampleStream, principal: Principal, data_set: str, number: int, wanted: Mapping[str, Example]
) -> dict[str, int]:
    return {
        each.id: place
        async for place, each in data.stream(principal, data_set, number)
        if each.id in wanted and _asked(each) == _asked(wanted[each.id])
    }


def _asked(example: Example) -> tuple[Any, ...]:
    body = plain(example)
    return body.get("messages"), body.get("references")


def _row(tenant: str, experiment_id: str, place: int, row: Any) -> dict[str, Any]:
    example, answered = row.example, row.answered
    return {
        "tenant": tenant,
        "experiment": experiment_id,
        "responder": 0,
        "place": place,
        "example_id": example.id,
        "cluster": example.group,
        "tags": rows.dump(dict(example.tags)),
        "body": rows.dump(answered_body(answered)),
        "scores": rows.dump(dict(row.scores)),
        "reasons": rows.dump(dict(row.reasons)),
        "error": answered.error[:500],
        "tokens": answered.completion_tokens,
        "cost_nanousd": 0,
        "seconds": answered.duration_s,
        "at": time.time(),
    }


def _report(answers: list[dict[str, Any]], labels: list[str], spec: Spec) -> dict[str, Any]:
    found = Columns(labels, 1)
    for each in answers:
        found.add(SimpleNamespace(**each))
    return summary(found, spec)
