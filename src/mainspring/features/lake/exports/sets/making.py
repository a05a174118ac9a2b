"""Makes an export of interactions: a function of them, so that it may run in a process of its own."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.build.ending import ends_with_parent
from mainspring.features.lake.exports.asking import ExportRequest
from mainspring.features.lake.exports.sets import conversations, passages
from mainspring.features.lake.exports.sets.keys import RowKeys, digest
from mainspring.features.lake.exports.sets.rows import Options, Row, said_by_users
from mainspring.features.lake.exports.sets.splits import NAMES, places
from mainspring.features.lake.exports.sets.spooled_interactions import ChangedRows, ChosenRows
from mainspring.features.lake.exports.sets.writing import Exported, Order, export

_APART = 1_000
"""Interactions from which an export is made in a process of its own: others' requests go on meanwhile."""
_MAKE: Mapping[str, Callable[[Sequence[Interaction], Options], Iterator[Row]]] = {
    "sft": conversations.sft,
    "thumbs": conversations.thumbs,
    "few-shot": conversations.few_shot,
    "classification": conversations.classification,
}
_DRAW: Mapping[str, Callable[[Sequence[Interaction], Options, Path], Iterator[Row]]] = {
    "raft": passages.raft,
    "triplets": passages.triplets,
    "rerank": passages.rerank,
    "reader": passages.reader,
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


def make(wanted: ExportRequest, material: Material, tenant: str, now: float, folder: Path) -> Exported:
    """The files of an export, in ``folder``. ``now`` is in Unix seconds. The interactions are read several times, one
    by one, and none are held. Raises ``OSError``."""
    found = material.interactions
    if wanted.kind == "preference":
        found = with_regenerations(found)
    keys = RowKeys.of(found)
    weights = np.zeros(len(found), np.int32)
    for row in _rows(wanted, found, material, folder):
        weights[keys.place(row.answers[0])] += 1
    placed = places(found, keys, weights, wanted.shares, wanted.options.seed, folder)
    # Examples and distractors are drawn of a row's own side: nothing of the test is shown in training.
    sides = (ChosenRows(found, np.flatnonzero(placed.sides == side)) for side in range(len(NAMES)))
    rows = (row for side in sides for row in _rows(wanted, side, material, folder))
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
    return export(rows, placed, order, folder)


def _rows(wanted: ExportRequest, found: Sequence[Interaction], material: Material, folder: Path) -> Iterator[Row]:
    if wanted.kind == "preference":
        return conversations.preference(found, wanted.options, material.votes, material.outcomes)
    if wanted.kind in _DRAW:
        return _DRAW[wanted.kind](found, wanted.options, folder)
    return _MAKE[wanted.kind](found, wanted.options)


async def made_apart(wanted: ExportRequest, material: Material, tenant: str, now: float, folder: Path) -> Exported:
    """``make``, off this process if there is much to do. Raises ``BrokenProcessPool`` if that process dies, and
    ``OSError``."""
    if len(material.interactions) < _APART:
        return await asyncio.to_thread(make, wanted, material, tenant, now, folder)
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, get_context("spawn"), ends_with_parent) as pool:
        return await loop.run_in_executor(pool, make, wanted, material, tenant, now, folder)


def same_question(messages: Iterable[Mapping[str, Any]]) -> str:
    """All that the user said, as it is compared: answers to the same of it are answers to one question."""
    return " ".join(said_by_users(messages).split()).casefold()


def with_regenerations(found: Sequence[Interaction]) -> Sequence[Interaction]:
    """The interactions, each with the one that was asked for in its place: the next of its session that has the same
    messages of the user, unless that is known already. Memory: forty bytes an interaction."""
    questions, times, places = array("Q"), array("d"), array("i")
    for place, row in enumerate(found):
        if row.session_id:
            questions.frombytes(digest(f"{row.session_id}\x00{same_question(row.messages)}"))
            times.append(row.at)
            places.append(place)
    of = np.array(questions, np.uint64).reshape(-1, 2)
    order = np.lexsort((np.array(times, np.float64), *of.T))
    same = (of[order[1:]] == of[order[:-1]]).all(axis=1)
    there = np.array(places, np.int32)
    later = np.full(len(found), -1, np.int32)
    later[there[order[:-1][same]]] = there[order[1:][same]]

    def change(place: int, row: Interaction) -> Interaction:
        if row.regenerated or later[place] < 0:
            return row
        return replace(row, regenerated=found[int(later[place])].answer_id)

    return ChangedRows(found, change)
