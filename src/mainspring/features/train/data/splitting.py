"""Divides rows that come as one side: near-duplicates stay together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mainspring.evaluation.near_duplicates import MOST_BYTES, groups, normal
from mainspring.features.train.data.kinds import question_of
from mainspring.training.recipe import Side

LARGE = 4_000_000
"""Characters of texts beyond which only equal texts are held together. A request waits while these are compared: some
two microseconds a character, ten seconds at most on a busy machine."""
_SHARES: Mapping[bool, Mapping[Side, float]] = {
    True: {"train": 0.8, "validation": 0.1, "test": 0.1},
    False: {"train": 0.9, "validation": 0.1},
}


def divided(data: Path, seed: int, *, test: bool) -> str:
    """Divide ``train.jsonl`` (and its lineage) into the sides; how it was done. What is too little stays one side."""
    path = data / "train.jsonl"
    compared = _weight(path) <= LARGE
    numbers = groups(_texts(path)) if compared else _equal(path)
    sides = _sides(numbers, seed, _SHARES[test])
    if len(set(sides)) == 1:
        return "one side: there are too few rows that differ"
    for name in (path, data / "train.lineage.jsonl"):
        if name.exists():
            _write(name, sides)
    way = "nearly equal" if compared else "equal"
    shares = "/".join(f"{share:g}" for share in _SHARES[test].values())
    return f"{shares} with seed {seed}, {way} texts together"


def _texts(path: Path) -> Iterator[str]:
    with path.open("rb") as lines:
        for line in lines:
            yield question_of(json.loads(line))


def _weight(path: Path) -> int:
    """The characters that are compared; no more than ``LARGE`` are counted much beyond it."""
    weight = 0
    for text in _texts(path):
        weight += min(len(text), MOST_BYTES)
        if weight > LARGE:
            break
    return weight


def _equal(path: Path) -> list[int]:
    known: dict[bytes, int] = {}
    digests = (hashlib.blake2b(normal(text).encode(), digest_size=12).digest() for text in _texts(path))
    return [known.setdefault(each, len(known)) for each in digests]


def _sides(numbers: Sequence[int], seed: int, shares: Mapping[Side, float]) -> list[Side]:
    """The side of each row. Large groups come first, each to the side that lacks most of its share."""
    sizes: dict[int, int] = {}
    for number in numbers:
        sizes[number] = sizes.get(number, 0) + 1
    order = sorted(sizes, key=lambda each: hashlib.sha256(f"{seed}:{each}".encode()).digest())
    filled: dict[Side, int] = dict.fromkeys(shares, 0)
    chosen: dict[int, Side] = {}
    for group in sorted(order, key=lambda each: -sizes[each]):
        side = max(shares, key=lambda name: shares[name] * len(numbers) - filled[name])
        chosen[group] = side
        filled[side] += sizes[group]
    return [chosen[number] for number in numbers]


def _write(path: Path, sides: Sequence[Side]) -> None:
    end = path.name.removeprefix("train")
    drafts = {side: path.with_name(f".{side}{end}.draft") for side in dict.fromkeys(sides)}
    files = {side: draft.open("wb") for side, draft in drafts.items()}
    try:
        with path.open("rb") as lines:
            for side, line in zip(sides, lines, strict=True):
                files[side].write(line)
    finally:
        for file in files.values():
            file.close()
    for side, draft in drafts.items():
        draft.replace(path.with_name(f"{side}{end}"))
