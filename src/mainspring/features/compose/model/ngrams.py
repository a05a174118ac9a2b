"""N-grams of tokens: a person's own phrases, mixed into what the model expects."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from mainspring.features.compose.model.decoder import Floats

ORDER = 7
_DOUBT = 0.5
# A context that was seen once has two thirds of the weight that it may have.


class OwnPhrases:
    """What somebody wrote, as counts of the token after each context of 1 to ``ORDER - 1`` tokens.

    The longest context that was seen counts, and only if it has two tokens: after a single one anything may follow. Its
    weight beside the model is at most ``share`` for two tokens, and what is left to the model is multiplied by ``1 -
    share`` for each further one: somebody who wrote six of these tokens in a row probably continues.
    """

    def __init__(self, texts: Iterable[Sequence[int]], *, share: float = 0.5, names: str = "") -> None:
        self._share = share
        self.names = names
        """Words with capitals in these texts: their author knows these people."""
        self._counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for ids in texts:
            for at in range(2, len(ids)):
                for length in range(2, min(ORDER, at + 1)):
                    self._counts[tuple(ids[at - length : at])][ids[at]] += 1

    def __len__(self) -> int:
        return len(self._counts)

    def mix(self, before: Sequence[int], likely: Floats) -> Floats:
        """``likely`` (natural-log probabilities after ``before``), with own phrases mixed in."""
        for length in range(min(ORDER - 1, len(before)), 1, -1):
            found = self._counts.get(tuple(before[-length:]))
            if found:
                break
        else:
            return likely
        total = sum(found.values())
        weight = (1 - (1 - self._share) ** (length - 1)) * total / (total + _DOUBT)
        mixed = likely + np.float32(np.log1p(-weight))
        tokens = np.fromiter(found, np.int64, len(found))
        shares = np.fromiter(found.values(), np.float32, len(found)) * np.float32(weight / total)
        mixed[tokens] = np.logaddexp(mixed[tokens], np.log(shares)).astype(np.float32)
        return mixed
