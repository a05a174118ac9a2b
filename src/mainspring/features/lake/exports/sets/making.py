"""Makes an export of interactions: a function of them, so that it may run in a process of its own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from multiprocessing import get_context
from typing import Any, TypeVar

from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.exports.asking import Asked
from mainspring.features.lake.exports.sets import conversations, passages
from mainspring.features.lake.exports.sets.rows import Options, Row, said_by_users
from mainspring.features.lake.exports.sets.splits import NAMES, places
from mainspring.features.lake.exports.sets.writing import Exported, Order, export

T = TypeVar("T")
_APART = 1_000
"""Interactions from which an export is made in a process of its own: others' requests go on meanwhile."""
_MAKE: Mapping[str, Callable[[Iterable[Interaction], Options], Iterator[Row]]] = {
    "sft": conversations.sft,
    "thumbs": conversations.thumbs,
    "few-shot": conversations.few_shot,
    "classification": conversations.classification,
    "raft": passages.raft,
    "triplets": passages.triplets,
    "rerank": passages.rerank,
    "nli": passages.nli,
}


@dataclass(frozen=True, slots=True)
class Material:
    """Interactions, with ``votes`` and ``outcomes`` about them (see ``conversations.preference``). ``counts`` tells how
    many were read and what each step took."""

    interactions: Sequence[Interaction]
    counts: Mapping[str, int] = field(default_factory=dict)
    votes: Sequence[Mapping[str, Any]] = ()
    outcomes: Sequence[Mapping[str, Any]] = ()
    cleaning: str = ""


def make(wanted: Asked, material: Material, tenant: str, now: float) -> Exported:
    """The files of an export. ``now`` is in Unix seconds."""
    found = material.interactions
    if wanted.kind == "preference":
        found = with_regenerations(found)
    weights = Counter(row.answers[0] for row in _rows(wanted, found, material))
    placed = places(found, weights, wanted.shares, wanted.options.seed)
    # Examples and distractors are drawn of a row's own side: nothing of the test is shown in training.
    sides = [[row for row in found if placed[row.answer_id].side == side] for side in NAMES]
    rows = (row for side in sides for row in _rows(wanted, side, material))
    order = Order(
        wanted.kind,
        wanted.format,
        name=wanted.title,
        shares=wanted.shares,
        seed=wanted.options.seed,
        licence=wanted.licence,
        filters=wanted.filters,
        override=wanted.override,
        cleaning=material.cleaning,
        counts=material.counts,
        tenant=tenant,
        created_at=now,
    )
    return export(rows, placed, order)


def _rows(wanted: Asked, found: Sequence[Interaction], material: Material) -> Iterator[Row]:
    if wanted.kind == "preference":
        return conversations.preference(found, wanted.options, material.votes, material.outcomes)
    return _MAKE[wanted.kind](found, wanted.options)


async def made_apart(wanted: Asked, material: Material, tenant: str, now: float) -> Exported:
    """``make``, off this process if there is much to do. Raises ``BrokenProcessPool`` if that process dies."""
    if len(material.interactions) < _APART:
        return await asyncio.to_thread(make, wanted, material, tenant, now)
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return await loop.run_in_executor(pool, make, wanted, material, tenant, now)


def same_question(messages: Iterable[Mapping[str, Any]]) -> str:
    """All that the user said, as it is compared: answers to the same of it are answers to one question."""
    return " ".join(said_by_users(messages).split()).casefold()


def with_regenerations(found: Sequence[Interaction]) -> list[Interaction]:
    """The interactions, each with the one that was asked for in its place: the next of its session that has the same
    messages of the user, unless that is known already."""
    by_question: dict[tuple[str, str], list[Interaction]] = {}
    for row in found:
        if row.session_id:
            by_question.setdefault((row.session_id, same_question(row.messages)), []).append(row)
    later = {}
    for again in by_question.values():
        again.sort(key=lambda row: row.at)
        later.update({one.answer_id: next_one.answer_id for one, next_one in pairwise(again)})
    return [replace(row, regenerated=row.regenerated or later.get(row.answer_id, "")) for row in found]
