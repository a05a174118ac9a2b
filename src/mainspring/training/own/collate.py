"""Batches of windows for each objective, with the arguments that the model of that objective takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mainspring.training.own.feed import Batch
from mainspring.training.own.models.stack import IGNORE
from mainspring.training.own.objectives.masked import mask
from mainspring.training.own.objectives.packing import Ints, Window, next_token
from mainspring.training.own.objectives.spans import corrupt
from mainspring.training.own.options import Objective
from mainspring.training.own.words import BEGIN, END, MASK, PAD

Collate = Callable[[list[Window], list[np.random.Generator]], Batch]


def filled(rows: Sequence[Sequence[int] | Ints], with_: int = PAD) -> Tensor:
    """(rows, longest), shorter ones filled at their end."""
    longest = max(len(row) for row in rows)
    found = np.full((len(rows), longest), with_, dtype=np.int64)
    for at, row in enumerate(rows):
        found[at, : len(row)] = row
    return torch.from_numpy(found)


def causal(*, apart: bool) -> Collate:
    """Windows of one more token than the model sees. ``apart``: no token sees another document."""

    def collate(windows: list[Window], _: list[np.random.Generator]) -> Batch:
        both = [next_token(each, apart=apart, ignore=IGNORE) for each in windows]
        batch = {"ids": filled([each for each, _ in both]), "targets": filled([each for _, each in both], IGNORE)}
        if apart:
            # Padding is a document of its own.
            batch["documents"] = filled([each.documents[:-1] for each in windows], -1)
            batch["positions"] = filled([each.positions[:-1] for each in windows])
        return batch

    return collate


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What objectives must know of the tokens: how many there are, which is the first that is no special one, and the
    sentinels in their order."""

    size: int
    first: int
    sentinels: tuple[int, ...] = ()


def masked(vocabulary: Vocabulary) -> Collate:
    """Windows of as many tokens as the model sees."""

    def collate(windows: list[Window], generators: list[np.random.Generator]) -> Batch:
        both = [
            mask(
                each.ids.tolist(),
                generator,
                mask_token=MASK,
                first=vocabulary.first,
                vocabulary=vocabulary.size,
                ignore=IGNORE,
            )
            for each, generator in zip(windows, generators, strict=True)
        ]
        ids, targets = [each for each, _ in both], [each for _, each in both]
        return {"ids": filled(ids), "targets": filled(targets, IGNORE), "keep": kept(ids)}

    return collate


def span(vocabulary: Vocabulary) -> Collate:
    """Windows of as many tokens as the encoder sees."""

    def collate(windows: list[Window], generators: list[np.random.Generator]) -> Batch:
        both = [
            corrupt(each.ids.tolist(), generator, sentinels=vocabulary.sentinels)
            for each, generator in zip(windows, generators, strict=True)
        ]
        return pairs(both)

    return collate


def pairs(both: Sequence[tuple[Sequence[int], Sequence[int]]]) -> Batch:
    """Sources and targets, which get the tokens that begin and end texts."""
    sources = [source for source, _ in both]
    return {
        "source": filled(sources),
        "source_keep": kept(sources),
        "ids": filled([[BEGIN, *target] for _, target in both]),
        "targets": filled([[*target, END] for _, target in both], IGNORE),
    }


def kept(rows: Sequence[Sequence[int] | Ints]) -> Tensor:
    """(rows, longest): False for what ``filled`` fills."""
    return filled([[1] * len(row) for row in rows]).bool()


def of(objective: Objective, vocabulary: Vocabulary, *, apart: bool = False) -> Collate:
    """The batches of an objective."""
    if objective == "causal":
        return causal(apart=apart)
    return masked(vocabulary) if objective == "masked" else span(vocabulary)
