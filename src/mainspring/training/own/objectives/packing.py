"""Next token, with texts packed into windows of one length, so that no place is wasted on padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Window:
    """``ids`` and, for each, the number of its document and its place in it; (length) each. The last window may be
    shorter. ``counts``: whether a token is a target."""

    ids: Ints
    documents: Ints
    positions: Ints
    counts: NDArray[np.bool_]


def pack(
    documents: Iterable[Sequence[int]], length: int, counts: Iterable[Sequence[bool]] | None = None
) -> list[Window]:
    """Documents one after the other, cut to windows of ``length`` tokens. Each window begins with the last token of the
    one before, so that each token but the first is predicted once. The rest of a document that is cut counts its places
    from 0 again, so that no place is beyond the window. ``counts`` says of each token whether it is a target; without
    it, all are.
    """
    parts = [np.asarray(document, dtype=np.int32) for document in documents]
    if not parts:
        return []
    sizes = np.array([len(each) for each in parts])
    ids = np.concatenate(parts)
    numbers = np.repeat(np.arange(len(parts)), sizes)
    places = np.arange(len(ids)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    wanted = np.ones(len(ids), dtype=bool)
    if counts is not None:
        wanted = np.concatenate([np.asarray(each, dtype=bool) for each in counts])
    windows = []
    for start in range(0, max(1, len(ids) - 1), length - 1):
        cut = slice(start, start + length)
        if len(ids[cut]) > 1:
            windows.append(_window(ids[cut], numbers[cut], places[cut], wanted[cut]))
    return windows


def _window(ids: NDArray[np.int32], numbers: Ints, places: Ints, counts: NDArray[np.bool_]) -> Window:
    first = numbers == numbers[0]
    positions = np.where(first, places - places[0], places)
    return Window(ids.astype(np.int64), numbers, positions, counts)


def next_token(window: Window, *, apart: bool, ignore: int) -> tuple[Ints, Ints]:
    """Inputs and targets, (length - 1) each: the target of a place is the token after it. ``apart``: the first token
    of a document is no target of the one before."""
    targets = np.where(window.counts[1:], window.ids[1:], ignore)
    if apart:
        targets[window.documents[1:] != window.documents[:-1]] = ignore
    return window.ids[:-1], targets
