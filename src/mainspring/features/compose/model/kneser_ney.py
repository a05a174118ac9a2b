"""Interpolated Kneser-Ney n-grams of tokens: the memory of the texts that the model was trained on, and the baseline
that it is measured against."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mainspring.core.errors import ModelError
from mainspring.features.compose.model.decoder import Floats
from mainspring.features.compose.model.layout import END

Keys = npt.NDArray[np.int64]
_BITS_AT_MOST, _ORDER = 63, 5


@dataclass(frozen=True, slots=True)
class NgramState:
    """The last tokens, and the natural-log probabilities of the next one."""

    ids: tuple[int, ...]
    next: Floats


class KneserNey:
    """Counts of n-grams of up to ``order`` tokens, each a sorted number of 64 bits.

    Below the highest order a token counts as often as there are tokens before it (Kneser and Ney 1995). Each order has
    one discount, n1 / (n1 + 2 n2). Texts begin with ``order - 1`` ends of a text.
    """

    def __init__(self, tables: Sequence[tuple[Keys, npt.NDArray[np.uint32]]], size: int) -> None:
        self.order, self.size = len(tables), size
        self._bits = _bits(size, self.order)
        self._tables = [(keys, counts.astype(np.float32), _discount(counts)) for keys, counts in tables]

    @classmethod
    def of(cls, texts: Iterable[Sequence[int]], size: int, order: int | None = None) -> KneserNey:
        """Count ``texts``. ``size`` is the number of tokens that there are; ``order`` None: 5, or as many tokens of a
        large vocabulary as fit into a number. Raises ``ModelError``."""
        if order is None:
            order = max(1, min(_ORDER, _BITS_AT_MOST // _bits(size, 1)))
        bits = _bits(size, order)
        parts = [_keys(ids, order, bits) for ids in texts]
        found, counts = np.unique(np.concatenate(parts), return_counts=True)
        tables = [(found, counts.astype(np.uint32))]
        for length in range(order - 1, 0, -1):
            found, counts = np.unique(found & ((1 << bits * length) - 1), return_counts=True)
            tables.insert(0, (found, counts.astype(np.uint32)))
        return cls(tables, size)

    def common(self, texts: Iterable[Sequence[int]], least: int, shortest: int = 3) -> KneserNey:
        """Without the n-grams of ``shortest`` tokens and more that fewer than ``least`` of these texts have."""
        kept = [(keys, counts.astype(np.uint32)) for keys, counts, _ in self._tables]
        written = [_keys(ids, self.order, self._bits) for ids in texts]
        for length in range(shortest, self.order + 1):
            mask = (1 << self._bits * length) - 1
            each = [np.unique(keys & mask) for keys in written]
            found, count = np.unique(np.concatenate(each), return_counts=True)
            keys, counts = kept[length - 1]
            said = np.isin(keys, found[count >= least])
            kept[length - 1] = keys[said], counts[said]
        return KneserNey(kept, self.size)

    def likely(self, before: Sequence[int]) -> Floats:
        """Natural-log probabilities of the next token."""
        context = ([END] * (self.order - 1) + list(before))[-(self.order - 1) :]
        shares = np.full(self.size, 1 / self.size, np.float32)
        key = 0
        for length in range(self.order):
            keys, counts, discount = self._tables[length]
            if length:
                key |= int(context[-length]) << self._bits * (length - 1)
            first, last = np.searchsorted(keys, [key << self._bits, (key + 1) << self._bits])
            if first == last:
                break
            total = counts[first:last].sum()
            shares *= np.float32(discount * (last - first)) / total
            shares[keys[first:last] & ((1 << self._bits) - 1)] += (counts[first:last] - discount) / total
        return np.asarray(np.log(shares), np.float32)

    def read(self, ids: Sequence[int]) -> NgramState:
        return NgramState(tuple(ids[-self.order :]), self.likely(ids))

    def step(self, seen: Sequence[NgramState], tokens: Sequence[int]) -> list[NgramState]:
        return [self.read([*each.ids, token]) for each, token in zip(seen, tokens, strict=True)]

    def likelihoods(self, ids: Sequence[int]) -> Floats:
        """The natural-log probability of each token but the first, (tokens - 1,)."""
        found = [self.likely(ids[max(0, at - self.order) : at])[ids[at]] for at in range(1, len(ids))]
        return np.asarray(found, np.float32)

    def save(self, path: Path) -> None:
        """As compressed arrays; differences of sorted numbers are small."""
        arrays: dict[str, npt.NDArray[np.int64] | npt.NDArray[np.uint32]] = {"size": np.asarray([self.size], np.int64)}
        for length, (keys, counts, _) in enumerate(self._tables, 1):
            arrays[f"keys{length}"] = np.diff(keys, prepend=np.int64(0))
            arrays[f"counts{length}"] = counts.astype(np.uint32)
        np.savez_compressed(path, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> KneserNey:
        """Raises ``ModelError``."""
        try:
            with np.load(path, allow_pickle=False) as found:
                order = sum(name.startswith("keys") for name in found.files)
                tables = [(np.cumsum(found[f"keys{each}"]), found[f"counts{each}"]) for each in range(1, order + 1)]
                return cls(tables, int(found["size"][0]))
        except (OSError, ValueError, KeyError, IndexError) as error:
            raise ModelError(f"{path} holds no n-grams: {error}", remedy="Train the model again") from None


def _keys(ids: Sequence[int], order: int, bits: int) -> Keys:
    """The number of each token with those before it."""
    text = np.asarray([END] * (order - 1) + list(ids), np.int64)
    key = np.zeros(len(ids), np.int64)
    for at in range(order):
        key = (key << bits) | text[at : at + len(ids)]
    return key


def _bits(size: int, order: int) -> int:
    """Bits of a token. Raises ``ModelError``: so many do not fit."""
    bits = max(1, (size - 1).bit_length())
    if bits * order > _BITS_AT_MOST:
        raise ModelError(f"{order} tokens of {bits} bits do not fit into a number", remedy="Use a smaller vocabulary")
    return bits


def _discount(counts: npt.NDArray[np.uint32]) -> np.float32:
    ones, twos = int((counts == 1).sum()), int((counts == 2).sum())
    return np.float32(ones / (ones + 2 * twos) if ones else 0.5)
