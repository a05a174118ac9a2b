"""The decoder and the n-grams together: each is right where the other is not.

The decoder knows the subject and continues where nobody wrote anything similar; the n-grams remember phrases word for
word. Both together may stand in the decoder's place, beside n-grams of further mails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring.features.compose.model.decoder import Floats, NumpyDecoder
from mainspring.features.compose.model.kneser_ney import KneserNey


@dataclass(frozen=True, slots=True)
class MixtureState:
    """What the decoder has seen, the last tokens, and the natural-log probabilities of the next one."""

    seen: Any
    ids: tuple[int, ...]
    next: Floats


class Mixture:
    """``share`` is the decoder's part of each probability, the n-grams have the rest."""

    def __init__(self, decoder: NumpyDecoder | Mixture, ngrams: KneserNey, share: float) -> None:
        self.decoder, self.ngrams, self.share = decoder, ngrams, share

    def read(self, ids: Sequence[int]) -> MixtureState:
        return self._both(self.decoder.read(ids), tuple(ids[-self.ngrams.order :]))

    def step(self, seen: Sequence[MixtureState], tokens: Sequence[int]) -> list[MixtureState]:
        made: Sequence[Any] = self.decoder.step([each.seen for each in seen], tokens)
        pairs = zip(made, seen, tokens, strict=True)
        return [self._both(one, (*before.ids, token)[-self.ngrams.order :]) for one, before, token in pairs]

    def likelihoods(self, ids: Sequence[int]) -> Floats:
        """The natural-log probability of each token but the first, (tokens - 1,)."""
        return self._mixed(self.decoder.likelihoods(ids), self.ngrams.likelihoods(ids))

    def _both(self, seen: Any, ids: tuple[int, ...]) -> MixtureState:
        return MixtureState(seen, ids, self._mixed(seen.next, self.ngrams.likely(ids)))

    def _mixed(self, decoded: Floats, counted: Floats) -> Floats:
        one, other = np.float32(np.log(self.share)), np.float32(np.log1p(-self.share))
        return np.asarray(np.logaddexp(decoded + one, counted + other), np.float32)
