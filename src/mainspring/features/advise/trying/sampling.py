"""The sample: which examples of a data set ways learn from, and which they are measured on."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.evaluation import near_duplicates
from mainspring.evaluation.examples import Example
from mainspring.stores.documents.changes import PREFIX

_HALF = 2


@dataclass(frozen=True, slots=True)
class Sample:
    """``learn`` have a right answer; none of them is a near-duplicate of one that is ``measured``. ``split`` says what
    divided them."""

    learn: tuple[Example, ...]
    measured: tuple[Example, ...]
    split: str


def drawn(examples: Sequence[Example], questions: int, seed: int, before: Sequence[Example] | None = None) -> Sample:
    """The sample of a version: always the same one for the same examples and seed.

    ``before`` is what was measured of an earlier draw, and stays that: examples may have been erased since, which moves
    groups from one side to the other. None of its near-duplicates is among those to learn from.

    Where the data set has a split, ways learn from ``train`` and ``validation``, and are measured on ``test``. Where it
    has none, groups of near-duplicates are divided, half and half.
    """
    groups, known = _groups(examples, before or ())
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
    if before is None:
        named = tuple(
            dataclasses.replace(each, group=group, split="test", documents=documents_of(each))
            for each, group in test[:questions]
        )
        held = {each.group for each in named}
    else:
        named, held = tuple(before), set(known)
    kept = [each for each, group in learn if group not in held and each.references]
    return Sample(tuple(kept), named, split)


def documents_of(example: Example) -> tuple[str, ...]:
    """The documents and collections whose text an example repeats."""
    # The group of a suite's example is its document; older suites do not say it elsewhere.
    return tuple(sorted({*example.documents, *([example.group] if example.group.startswith(PREFIX) else [])}))


def _groups(examples: Sequence[Example], before: Sequence[Example]) -> tuple[list[str], list[str]]:
    """The group of each example and of those ``before``: near-duplicates of its question, and what the data set says
    belongs together. A group is named by its first example."""
    together = [(("id", each.id), *([("group", each.group)] if each.group else [])) for each in examples]
    # Their groups are the names that the earlier draw gave.
    together += [(("id", each.id),) for each in before]
    several = [*examples, *before]
    found = near_duplicates.groups([each.question for each in several], together)
    names: dict[int, str] = {}
    told = [names.setdefault(number, example.id) for number, example in zip(found, several, strict=True)]
    return told[: len(examples)], told[len(examples) :]


def _draw(seed: int, name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}\0{name}".encode()).digest()[:8])
