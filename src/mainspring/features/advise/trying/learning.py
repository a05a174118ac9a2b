"""What ways learn from: examples for a prompt, and a folder of rows for a training."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.core import private_files
from mainspring.evaluation.examples import Example
from mainspring.features.advise.trying.sampling import documents_of
from mainspring.training.ports import Candidate

MOST_SHOTS = 200
"""Examples; the nearest ones stand in a prompt."""
_LONGEST = 8_000
_SOURCES = 256
_TRAIN, _LINEAGE = "train.jsonl", "train.lineage.jsonl"


def examples_of(
    model: str, learn: Sequence[Example], shots: int, groups: frozenset[str] = frozenset()
) -> Candidate | None:
    """The candidate that has examples in the prompt of ``model``; None: there is none to have. ``groups`` are needed to
    read the data set."""
    told = [
        {"question": each.question, "answer": each.references[0], **_origin(each)}
        for each in learn
        if each.question.strip() and each.references[0].strip()
        if len(each.question) <= _LONGEST and len(each.references[0]) <= _LONGEST
    ][:MOST_SHOTS]
    if not told:
        return None
    value: dict[str, Any] = {"examples": told}
    # Without ``nearest`` every prompt would have all of them.
    value["nearest"] = min(shots, len(told))
    return Candidate("examples", model, value, groups=groups)


def traceable(example: Example, people: Mapping[str, str]) -> bool:
    """Whether copies of an example, which name its sources, are found by every erasure that takes the example itself
    from its data set. ``people`` has whose its sources are."""
    if len(example.sources) > _SOURCES or len(documents_of(example)) > _SOURCES:
        return False
    if example.subject:
        return any(people.get(source) == example.subject for source in example.sources)
    return bool(example.sources) or not example.trace_id


def _origin(example: Example) -> dict[str, Any]:
    """What an example in a prompt goes with."""
    told: dict[str, Any] = {"source": next(iter(example.sources), "")}
    if len(example.sources) > 1:
        told["sources"] = list(example.sources)
    if documents := documents_of(example):
        told["documents"] = list(documents)
    return told


def folder(root: Path, tenant: str, advice_id: str) -> Path:
    return tenant_folder(root, tenant) / advice_id


def tenant_folder(root: Path, tenant: str) -> Path:
    return root / hashlib.sha256(tenant.encode()).hexdigest()[:16]


async def write(place: Path, learn: Sequence[Example]) -> int:
    """Write rows of ``sft`` with the answers that each is made of; how many."""
    return await asyncio.to_thread(_write, place, learn)


def _write(place: Path, learn: Sequence[Example]) -> int:
    shutil.rmtree(place, ignore_errors=True)
    private_files.folder(place)
    for name in (_TRAIN, _LINEAGE):
        private_files.file(place / name)
    with (place / _TRAIN).open("wb") as rows, (place / _LINEAGE).open("wb") as beside:
        for each in learn:
            said = [{"role": message.role, "content": message.content} for message in each.messages]
            answer = {"role": "assistant", "content": each.references[0]}
            rows.write(_line({"messages": [*said, answer]}))
            beside.write(_line({"id": each.id, "answers": list(each.sources), "documents": documents_of(each)}))
    return len(learn)


async def remove(place: Path) -> None:
    """Can be done again."""
    await asyncio.to_thread(shutil.rmtree, place, True)


def made_of(place: Path, names: Collection[str]) -> Iterator[tuple[Path, int]]:
    """The folders of a tenant with rows that are made of any of these answers or documents, and how many rows."""
    wanted = frozenset(names)
    for path in sorted(place.glob(f"*/{_LINEAGE}")):
        with path.open("rb") as lines:
            told = map(json.loads, lines)
            count = sum(not wanted.isdisjoint([*each["answers"], *each.get("documents", ())]) for each in told)
        if count:
            yield path.parent, count


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
