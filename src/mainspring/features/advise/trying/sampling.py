"""The sample: which examples of a data set ways learn from, and which they are measured on."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.evaluation import near_duplicates
from mainspring.evaluation.examples import Example

_HALF = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """``learn`` have a right answer; none of them is a near-duplicate of one that is ``measured``. ``split`` says what
    divided them."""

    learn: tuple[Example, ...]
    measured: tuple[Example, ...]
    split: str


def drawn(examples: Sequence[Example], questions: int, seed: int) -> Sample:
    """The sample of a version: always the same one for the same examples and seed.

    Where the data set has a split, ways learn from ``train`` and ``validation``, and are measured on ``test``. Where it
    has none, groups of near-duplicates are divided, half and half.
    """
    groups = _groups(examples)
    ordered = sorted(zip(examples, groups, strict=True), key=lambda each: _draw(seed, each[0].id))
    if any(each.split != "test" for each in examples):
        test = [(each, group) for each, group in ordered if each.split == "test"]
        learn = [(each, group) for each, group in ordered if each.split != "test"]
        split = "the data set's own split"
    else:
        halves = {group: _draw(seed, f"group {group}") % _HALF for group in set(groups)}
        if halves and 0 not in halves.values():
            # Few groups may all fall to one side.
            halves[min(halves)] = 0
        test = [(each, group) for each, group in ordered if halves[group] == 0]
        learn = [(each, group) for each, group in ordered if halves[group] != 0]
        split = "groups of near-duplicates, half and half"
    measured = test[:questions]
    held = {group for _, group in measured}
    kept = [each for each, group in learn if group not in held and each.references]
    named = tuple(dataclasses.replace(each, group=group, split="test") for each, group in measured)
    return Sample(tuple(kept), named, split)


def _groups(examples: Sequence[Example]) -> list[str]:
    """The group of each example: near-duplicates of its question, and what the data set says belongs together. A group
    is named by its first example."""
    together = [(("group", each.group),) if each.group else () for each in examples]
    found = near_duplicates.groups([each.question for each in examples], together)
    names: dict[int, str] = {}
    return [names.setdefault(number, example.id) for number, example in zip(found, examples, strict=True)]


def _draw(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}\0{name}".encode()).digest()[:8])
