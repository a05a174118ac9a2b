"""A stored summary: notes with the turn of each; and its displayed form: text within a budget."""

from __future__ import annotations

import heapq
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import mainspring.serving.admit.token_estimate as estimate
from mainspring.core.types import Message
from mainspring.serving.memory.base import BYTES_A_TOKEN, Count
from mainspring.serving.memory.terms import words

# Notes that are kept: more than are shown, so that a larger budget shows more.
KEPT = 96
# The number of comparisons, as a multiple of the notes kept.
COMPARED = 4
# Two notes of one speaker that share this much of their words are one: the later holds.
_SAME = 0.7


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence of ``turn`` that was worth keeping. ``weight`` says how much."""

    turn: str
    number: int
    speaker: str
    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Notes:
    """``notes`` in the order of the conversation, and what a model ``wrote`` over them (empty: none did)."""

    notes: tuple[Note, ...] = ()
    wrote: str = ""


def load(text: str) -> Notes:
    """What ``dump`` wrote."""
    found = json.loads(text)
    return Notes(tuple(Note(**each) for each in found["notes"]), found["wrote"])


def dump(notes: Notes) -> str:
    """``notes`` as JSON text."""
    return json.dumps({"notes": [asdict(each) for each in notes.notes], "wrote": notes.wrote}, ensure_ascii=False)


def merge(old: Sequence[Note], new: Sequence[Note], most: int = KEPT) -> tuple[Note, ...]:
    """The ``most`` heaviest of both, in order. If two notes are nearly equal, the later one is kept, with the higher
    weight of the two."""
    kept: list[tuple[Note, frozenset[str]]] = []
    # Each note is compared with all others, so only the heaviest of very many notes are compared.
    both = [*old, *new]
    likely = sorted(heapq.nlargest(COMPARED * most, range(len(both)), key=lambda index: both[index].weight))
    for note in sorted((both[index] for index in likely), key=lambda each: each.turn):
        said = frozenset(words(note.text))
        for index, (other, theirs) in enumerate(kept):
            if other.speaker == note.speaker and _alike(said, theirs):
                weight = max(note.weight, other.weight)
                note = Note(note.turn, note.number, note.speaker, note.text, weight)
                del kept[index]
                break
        kept.append((note, said))
    chosen = sorted((note for note, _ in kept), key=lambda each: -each.weight)[:most]
    return tuple(sorted(chosen, key=lambda each: each.turn))


async def render(notes: Notes, count: Count, tokens: int) -> str:
    """The notes within ``tokens``, the heaviest first where not all fit, in the order of the conversation."""
    wrote = f"{notes.wrote}\n" if notes.wrote else ""
    lines = {index: f"- {each.speaker}: {each.text}\n" for index, each in enumerate(notes.notes)}
    order = sorted(lines, key=lambda index: -notes.notes[index].weight)
    size = sum(len(line.encode("utf-8", "replace")) for line in (wrote, *lines.values()))
    if size > tokens:
        costs = await count([Message("user", line) for line in (wrote, *(lines[index] for index in order))])
        left, fitting = tokens - (costs[0] if wrote else 0), []
        for index, cost in zip(order, costs[1:], strict=True):
            cost -= estimate.TOKENS_A_MESSAGE - 1
            if cost <= left:
                fitting.append(index)
                left -= cost
        order = fitting
        if wrote and costs[0] > tokens:
            wrote = wrote[: tokens * BYTES_A_TOKEN // 4]
    return (wrote + "".join(lines[index] for index in sorted(order))).strip()


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    both = len(one | other)
    return both > 0 and len(one & other) / both >= _SAME
