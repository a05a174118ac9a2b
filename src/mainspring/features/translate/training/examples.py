"""What a translator learns from in a step: batches of numbers, the same ones for the same seed and step.

Two kinds of examples: spans of one side that were cut out (span corruption, Raffel et al. 2020), and a side with the
other as its translation.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from mainspring.features.translate.training.vocabulary import (
    END,
    PAD,
    PLACEHOLDERS,
    SENTINELS,
    mark,
    number,
    placeholder,
    sentinel,
)

Numbers = NDArray[np.int64]
IGNORED = -100
_NAME = re.compile(r"(?<![\w<])(?:\d[\d.,:]*\d|\d|[A-Z][a-zà-ÿ]+)(?![\w>])")
_SPAN, _CUT = 3, 0.3


@dataclass(frozen=True, slots=True)
class Batch:
    """``inputs`` and ``labels`` have a row for each example; what is beyond its end is ``<pad>`` and ``IGNORED``."""

    inputs: Numbers
    labels: Numbers


def masked(source: str, target: str, chosen: random.Random) -> tuple[str, str]:
    """Names and numbers that both sides have, each once, as placeholders in a random order."""
    shared = [
        each
        for each in dict.fromkeys(_NAME.findall(source))
        if len(re.findall(rf"(?<!\w){re.escape(each)}(?!\w)", target)) == 1 == source.count(each)
    ]
    if not shared or "<p" in source:
        return source, target
    numbers = chosen.sample(range(PLACEHOLDERS), min(len(shared), PLACEHOLDERS))
    for place, each in zip(numbers, shared, strict=False):
        source = re.sub(rf"(?<![\w<]){re.escape(each)}(?!\w)", placeholder(place), source)
        target = re.sub(rf"(?<![\w<]){re.escape(each)}(?!\w)", placeholder(place), target)
    return source, target


class Examples:
    """The pairs as numbers: every side of every pair, with its language."""

    def __init__(
        self, tokenizer: Tokenizer, rows: Iterable[Mapping[str, Any]], longest: int, both: bool, share: float, seed: int
    ):
        self._end = number(tokenizer, END)
        self._pad = number(tokenizer, PAD)
        self._sentinels = [number(tokenizer, sentinel(each)) for each in range(SENTINELS)]
        chosen = random.Random(seed)
        sides: list[tuple[str, str, str, str]] = []
        for row in rows:
            source, target = str(row["source"]), str(row["target"])
            if chosen.random() < share:
                source, target = masked(source, target, chosen)
            sides.append((source, target, str(row["from"]), str(row["to"])))
        sources = [each.ids for each in tokenizer.encode_batch_fast([source for source, *_ in sides])]
        targets = [each.ids for each in tokenizer.encode_batch_fast([target for _, target, *_ in sides])]
        self._marks = {name: number(tokenizer, mark(name)) for side in sides for name in side[2:]}
        self._texts: list[list[int]] = []
        self._languages: list[str] = []
        self._ways: list[tuple[int, int]] = []
        for (_, _, source_language, target_language), one, other in zip(sides, sources, targets, strict=True):
            if max(len(one), len(other)) + 2 > longest or not one or not other:
                continue
            place = len(self._texts)
            self._texts += [one, other]
            self._languages += [source_language, target_language]
            self._ways.append((place, place + 1))
            if both:
                self._ways.append((place + 1, place))

    def __len__(self) -> int:
        return len(self._ways)

    def batches(self, tokens: int, seed: int, *, spans: bool = False) -> list[list[int]]:
        """An epoch: numbers of examples by batch, of similar lengths, in a random order."""
        drawn = np.random.default_rng(seed)
        if spans:
            lengths = np.array([len(each) for each in self._texts])
        else:
            lengths = np.array([max(len(self._texts[a]), len(self._texts[b])) for a, b in self._ways])
        order = np.lexsort((drawn.random(len(lengths)), lengths))
        made: list[list[int]] = []
        batch: list[int] = []
        for each in order:
            if batch and (len(batch) + 1) * (int(lengths[each]) + 2) > tokens:
                made.append(batch)
                batch = []
            batch.append(int(each))
        if batch:
            made.append(batch)
        drawn.shuffle(made)
        return made

    def translated(self, batch: Sequence[int]) -> Batch:
        """The examples as translations."""
        ways = [self._ways[each] for each in batch]
        inputs = [[self._marks[self._languages[b]], *self._texts[a], self._end] for a, b in ways]
        return self._padded(inputs, [[*self._texts[b], self._end] for _, b in ways])

    def corrupted(self, batch: Sequence[int], seed: int) -> Batch:
        """The sides with spans cut out; the target is the spans, each after its sentinel."""
        chosen = random.Random(seed)
        inputs, labels = [], []
        for each in batch:
            kept, cut = self._cut(self._texts[each], chosen)
            inputs.append([self._marks[self._languages[each]], *kept, self._end])
            labels.append([*cut, self._end])
        return self._padded(inputs, labels)

    def occurrences(self) -> tuple[Numbers, Numbers]:
        """Which piece occurs in which pair, once each: the numbers of pieces, and of pairs."""
        found = [sorted({*self._texts[at], *self._texts[at + 1]}) for at in range(0, len(self._texts), 2)]
        pairs = np.repeat(np.arange(len(found)), [len(each) for each in found])
        return np.array([piece for each in found for piece in each], dtype=np.int64), pairs

    def _cut(self, text: Sequence[int], chosen: random.Random) -> tuple[list[int], list[int]]:
        spans = max(1, min(len(self._sentinels), round(len(text) * _CUT / _SPAN)))
        starts = sorted(chosen.sample(range(len(text)), min(spans, len(text))))
        kept: list[int] = []
        cut: list[int] = []
        at = 0
        for place, start in enumerate(starts):
            if start < at:
                continue
            length = min(chosen.randint(1, 2 * _SPAN - 1), max(1, len(text) // 2))
            kept += [*text[at:start], self._sentinels[place]]
            cut += [self._sentinels[place], *text[start : start + length]]
            at = start + length
        return [*kept, *text[at:]], cut

    def _padded(self, inputs: list[list[int]], labels: list[list[int]]) -> Batch:
        return Batch(_filled(inputs, self._pad), _filled(labels, IGNORED))


def _filled(rows: list[list[int]], value: int) -> Numbers:
    made = np.full((len(rows), max(len(row) for row in rows)), value, dtype=np.int64)
    for place, row in enumerate(rows):
        made[place, : len(row)] = row
    return made
