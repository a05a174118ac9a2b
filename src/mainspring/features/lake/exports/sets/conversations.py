"""Rows made of conversations: messages for supervised fine-tuning, preferences, thumbs, few-shot sets, classes."""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.exports.sets.keys import digest, hashed
from mainspring.features.lake.exports.sets.rows import (
    Options,
    Row,
    approved,
    asked,
    made_of,
    plain_messages,
    question,
    told,
)
from mainspring.features.lake.exports.sets.spooled_interactions import chosen

_LABELS = ("thumb", "refused", "segment", "language", "model", "approved", "application")
_NONE = np.zeros(0, np.int32)


def sft(rows: Iterable[Interaction], options: Options) -> Iterator[Row]:
    """``messages``, the last of which is the answer: what a person wrote in its place, if anybody did."""
    for row in rows:
        answer = told(row)
        if not answer.strip() or not question(row) or (row.thumb == "down" and row.edited is None):
            continue
        if options.good and not approved(row):
            continue
        messages = [*plain_messages(row.messages), {"role": "assistant", "content": answer}]
        yield made_of({"messages": messages}, row, origin="answer" if row.edited is None else "edit")


def preference(
    rows: Sequence[Interaction],
    options: Options,
    votes: Sequence[Mapping[str, Any]] = (),
    outcomes: Sequence[Mapping[str, Any]] = (),
) -> Iterator[Row]:
    """``prompt``, ``chosen`` and ``rejected``: of edits, regenerations, ``votes`` (``winner``, ``left``, ``right``,
    ``id``) and the ``outcomes`` of experiments (``answer``, ``value``, ``id``)."""
    known = _Known(rows)
    for row in rows:
        if row.edited is not None:
            yield from _pair(row, row, row.edited, row.answer, "edit")
        later = known.get(row.regenerated)
        if later is not None and later.thumb != "down" and row.thumb != "up":
            yield from _pair(later, row, told(later), row.answer, "regeneration")
    for vote in votes:
        sides = {"left": known.get(str(vote["left"])), "right": known.get(str(vote["right"]))}
        chosen = sides.get(str(vote["winner"]))
        rejected = sides["left" if vote["winner"] == "right" else "right"]
        if chosen is not None and rejected is not None:
            yield from _pair(chosen, rejected, chosen.answer, rejected.answer, "vote", str(vote["id"]))
    yield from _experiments(known, outcomes, options)


def _experiments(known: _Known, outcomes: Sequence[Mapping[str, Any]], options: Options) -> Iterator[Row]:
    """Of answers to one question by different arms, the one with the best mean outcome against the worst."""
    values: dict[str, list[Mapping[str, Any]]] = {}
    for outcome in outcomes:
        if str(outcome["answer"]) in known.places:
            values.setdefault(str(outcome["answer"]), []).append(outcome)
    asked_by: dict[bytes, list[str]] = {}
    for answer in values:
        row = known[answer]
        if row.arm:
            said = " ".join(asked(row).split()).casefold()
            asked_by.setdefault(digest(f"{row.tenant}\x00{said}"), []).append(answer)
    for found in asked_by.values():
        ranked = sorted(found, key=lambda answer: _mean(values[answer]))
        worst, best = known[ranked[0]], known[ranked[-1]]
        gain = _mean(values[best.answer_id]) - _mean(values[worst.answer_id])
        if best.arm != worst.arm and gain > options.least_reward:
            events = [str(each["id"]) for row in (best, worst) for each in values[row.answer_id]]
            yield from _pair(best, worst, best.answer, worst.answer, "experiment", *events)


class _Known:
    """Rows by the ids of their answers; the places are in memory, and no rows."""

    def __init__(self, rows: Sequence[Interaction]) -> None:
        self._rows = rows
        self.places = {row.answer_id: place for place, row in enumerate(rows)}

    def get(self, answer_id: str) -> Interaction | None:
        place = self.places.get(answer_id)
        return None if place is None else self._rows[place]

    def __getitem__(self, answer_id: str) -> Interaction:
        return self._rows[self.places[answer_id]]


def _mean(outcomes: Sequence[Mapping[str, Any]]) -> float:
    return sum(float(each["value"]) for each in outcomes) / len(outcomes)


def _pair(
    better: Interaction, worse: Interaction, chosen: str, rejected: str, origin: str, *events: str
) -> Iterator[Row]:
    if not chosen.strip() or not rejected.strip() or chosen.strip() == rejected.strip() or not question(worse):
        return
    body = {
        "prompt": plain_messages(worse.messages),
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
    }
    sources = (better,) if better is worse else (better, worse)
    made = made_of(body, *sources, origin=origin)
    yield with_events(made, events)


def with_events(row: Row, events: Iterable[str]) -> Row:
    """The row, made of these events, too."""
    import dataclasses

    return dataclasses.replace(row, event_ids=tuple(dict.fromkeys((*row.event_ids, *events))))


def thumbs(rows: Iterable[Interaction], options: Options) -> Iterator[Row]:  # noqa: ARG001
    """``prompt``, ``completion`` and ``label`` (true: thumbs up), as KTO learns from (Ethayarajh et al. 2024)."""
    for row in rows:
        if row.thumb is None or not row.answer.strip() or not question(row):
            continue
        completion = [{"role": "assistant", "content": row.answer}]
        body = {"prompt": plain_messages(row.messages), "completion": completion, "label": row.thumb == "up"}
        yield made_of(body, row, origin="thumb")


def few_shot(rows: Sequence[Interaction], options: Options) -> Iterator[Row]:
    """``examples`` (``input``, ``output``) before a ``test_input`` with its ``test_output``. Examples are approved
    answers of the same application, drawn with the seed, and of other sessions than the test's."""
    found = chosen(rows, lambda row: question(row) and told(row).strip() and row.thumb != "down")
    shown: dict[str, array[int]] = {}
    hashes = array("Q")
    for place, row in enumerate(found):
        hashes.append(hashed(row.session_id))
        if approved(row):
            shown.setdefault(row.application, array("i")).append(place)
    sessions = np.array(hashes, np.uint64)
    numbers = {application: np.array(each, np.int32) for application, each in shown.items()}
    drawn = random.Random(options.seed)
    for place, row in enumerate(found):
        there = numbers.get(row.application, _NONE)
        others = there[(there != place) & ((sessions[there] != sessions[place]) | (sessions[place] == 0))]
        if len(others) < options.shots:
            continue
        shots = [found[int(others[each])] for each in drawn.sample(range(len(others)), options.shots)]
        body = {
            "examples": [{"input": question(each), "output": told(each)} for each in shots],
            "test_input": question(row),
            "test_output": told(row),
        }
        yield made_of(body, row, *shots, origin="approved")


def classification(rows: Iterable[Interaction], options: Options) -> Iterator[Row]:
    """``text`` (the question) and ``label``: the value of one field, or a tag of the answer."""
    if options.label not in _LABELS:
        known = ", ".join(_LABELS)
        raise InvalidRequest(
            f"{options.label!r} is not a label", remedy=f"Choose one of {known}", param="options.label"
        )
    for row in rows:
        if (label := _label(row, options.label)) and question(row):
            yield made_of({"text": question(row), "label": label}, row, origin=options.label)


def _label(row: Interaction, name: str) -> str:
    if name == "approved":
        value = row.labels.get("approved")
        return "" if value is None else "approved" if value >= 0.5 else "rejected"
    if name == "refused":
        return "" if row.refused is None else "refused" if row.refused else "answered"
    return str(getattr(row, name) or "")
