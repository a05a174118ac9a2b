"""Splits a data set by groups, so that near-duplicates are on one side.

Examples are alike if they name one ``group``, if their questions have the same words in any order, or if the sets of
the questions' shingles are similar (``evaluation.near_duplicates``). An example that is similar to one of a group is in
the group.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Principal
from mainspring.evaluation import near_duplicates
from mainspring.evaluation.examples import Example, Split
from mainspring.features.datasets.store.versions import Versions
from mainspring.features.datasets.store.writing import PIECE, Draft, Writing

NAMES: tuple[Split, ...] = ("train", "validation", "test")
_WORDS = near_duplicates.PERMUTATIONS
_BAND = near_duplicates.PERMUTATIONS // near_duplicates.BANDS
_MOST_COMPARED = 50
"""Neighbours of one bucket that an example is compared with: a bucket of thousands is of one group soon."""


@dataclass(slots=True)
class _Known:
    """All examples of a version: their ids, and what they are grouped by."""

    ids: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    words: list[bytes] = field(default_factory=list)
    signatures: list[bytes] = field(default_factory=list)
    splits: list[Split] = field(default_factory=list)
    old: list[bool] = field(default_factory=list)


class Splitting:
    """Assigns groups and splits within a draft."""

    def __init__(self, versions: Versions, writing: Writing) -> None:
        self._versions = versions
        self._writing = writing

    async def assign(self, draft: Draft, principal: Principal, *, keep: bool) -> None:
        """Give every example of the draft its group and its side. With ``keep``, a group stays on the side of its
        oldest example that was there before."""
        known = await self._known(draft, principal)
        groups = await asyncio.to_thread(grouped, known.given, known.words, known.signatures)
        sides = _sides(known, groups, draft.shares, keep=keep)
        wanted = {name: (known.ids[groups[place]], sides[place]) for place, name in enumerate(known.ids)}
        signatures = dict(zip(known.ids, known.signatures, strict=True))
        piece: list[Example] = []
        async for _, each in self._versions.draft(principal, draft.name, draft.number):
            leader, side = wanted[each.id]
            group = each.group or leader
            if (each.split, each.group) != (side, group):
                piece.append(dataclasses.replace(each, split=side, group=group))
            if len(piece) == PIECE:
                await self._writing.add(draft, piece, signatures)
                piece = []
        if piece:
            await self._writing.add(draft, piece, signatures)

    async def _known(self, draft: Draft, principal: Principal) -> _Known:
        found = _Known()
        async for rows in self._versions.draft_rows(principal.tenant, draft.name, draft.number):
            made = await asyncio.to_thread(_signed, rows)
            for row, (words, signed) in zip(rows, made, strict=True):
                found.ids.append(row.example.id)
                found.given.append(row.example.group)
                found.words.append(words)
                found.signatures.append(signed)
                found.splits.append(row.example.split)
                found.old.append(row.since < draft.number)
        return found


def compared(example: Example) -> str:
    """The text that is compared: what users said."""
    return "\n".join(each.content for each in example.messages if each.role == "user") or example.question


def _signed(rows: Sequence[Any]) -> list[tuple[bytes, bytes]]:
    texts = [compared(row.example) for row in rows]
    new = [place for place, row in enumerate(rows) if row.signature is None]
    made = dict(zip(new, near_duplicates.signatures([texts[place] for place in new]), strict=True))
    found = []
    for place, text in enumerate(texts):
        bag = " ".join(sorted(near_duplicates.words(text)))
        signed = made[place].tobytes() if place in made else rows[place].signature
        found.append((hashlib.blake2b(bag.encode(errors="replace"), digest_size=16).digest(), signed))
    return found


def grouped(given: Sequence[str], words: Sequence[bytes], signatures: Sequence[bytes]) -> list[int]:
    """For each example the place of the first one of its group."""
    count = len(given)
    sets = near_duplicates.Groups()
    first: dict[tuple[str, Any], int] = {}
    for place in range(count):
        for key in (("words", words[place]), ("given", given[place])):
            if key[1]:
                sets.union(first.setdefault(key, place), place)
    if count:
        table = np.frombuffer(b"".join(signatures), np.uint32).reshape(count, _WORDS)
        for band in range(near_duplicates.BANDS):
            _band(table, band, sets)
    leaders: dict[Any, int] = {}
    return [leaders.setdefault(sets.find(place), place) for place in range(count)]


def _band(table: NDArray[np.uint32], band: int, sets: near_duplicates.Groups) -> None:
    """Unite those that share a band and are similar."""
    keys = np.ascontiguousarray(table[:, band * _BAND : (band + 1) * _BAND]).view(f"V{4 * _BAND}").ravel()
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    start = 0
    bounds = [*(np.flatnonzero(ordered[1:] != ordered[:-1]) + 1).tolist(), len(order)]
    for end in bounds:
        for at in range(start + 1, end):
            own = int(order[at])
            for other in map(int, order[max(start, at - _MOST_COMPARED) : at]):
                if sets.find(own) != sets.find(other):
                    alike = float((table[own] == table[other]).mean())
                    if alike >= near_duplicates.SIMILAR:
                        sets.union(other, own)
        start = end


def _sides(known: _Known, groups: Sequence[int], shares: Mapping[str, Any], *, keep: bool) -> list[Split]:
    held: dict[int, Split] = {}
    if keep:
        for place, leader in enumerate(groups):
            if known.old[place]:
                held.setdefault(leader, known.splits[place])
    sizes = Counter(groups)
    filled = dict.fromkeys(NAMES, 0.0)
    for leader, side in held.items():
        filled[side] += sizes[leader]

    def drawn(leader: int) -> bytes:
        return hashlib.sha256(f"{shares.get('seed', 1)}\0{known.ids[leader]}".encode()).digest()

    # In random order, each group goes where most is lacking, so that few groups come close to the shares, too.
    for leader in sorted(sizes.keys() - held.keys(), key=drawn):
        wanted = {name: float(shares.get(name, 0.0)) * len(groups) for name in NAMES}
        side = max((name for name in NAMES if wanted[name] > 0), key=lambda name: wanted[name] - filled[name])
        held[leader] = side
        filled[side] += sizes[leader]
    return [held[leader] for leader in groups]


def checked_shares(train: float, validation: float, test: float, seed: int) -> dict[str, Any]:
    """Raises ``InvalidRequest`` unless they add up to 1."""
    shares = (train, validation, test)
    if not all(math.isfinite(each) and each >= 0 for each in shares) or abs(sum(shares) - 1) > 1e-6:
        raise InvalidRequest(
            "the shares of a split are three numbers that add up to 1", remedy="For example .8, .1, .1", param="train"
        )
    return {"train": train, "validation": validation, "test": test, "seed": seed}
