"""Span corruption (Raffel et al. 2020): spans of about three tokens, 15 % of all, are replaced by a sentinel each. The
target names each sentinel and what it stands for.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mainspring.core.errors import InvalidRequest


def corrupt(
    ids: Sequence[int],
    generator: np.random.Generator,
    *,
    sentinels: Sequence[int],
    share: float = 0.15,
    mean: float = 3.0,
) -> tuple[list[int], list[int]]:
    """Input and target. A text of one token cannot be corrupted: its target is one sentinel without tokens. Raises
    ``InvalidRequest`` if there are more spans than ``sentinels``."""
    length = len(ids)
    noise = min(max(1, round(length * share)), length - 1)
    if noise < 1:
        return list(ids), [sentinels[0]]
    spans = min(max(1, round(noise / mean)), noise, length - noise)
    if spans > len(sentinels):
        raise InvalidRequest(
            f"{length} tokens make {spans} spans, and there are {len(sentinels)} sentinels",
            remedy="Use shorter texts, or a tokenizer with more sentinels",
            param="options.length",
        )
    lost, kept = _divided(noise, spans, generator), _divided(length - noise, spans, generator)
    given: list[int] = []
    wanted: list[int] = []
    at = 0
    for number in range(spans):
        # A text begins with a part that is kept, as T5's do.
        given += [*ids[at : at + kept[number]], sentinels[number]]
        at += kept[number]
        wanted += [sentinels[number], *ids[at : at + lost[number]]]
        at += lost[number]
    return given, wanted


def restored(given: Sequence[int], wanted: Sequence[int], sentinels: Sequence[int]) -> list[int]:
    """The text, of an input and its target."""
    known = set(sentinels)
    spans: dict[int, list[int]] = {}
    current: list[int] = []
    for token in wanted:
        if token in known:
            current = spans.setdefault(token, [])
        else:
            current.append(token)
    return [each for token in given for each in (spans.get(token, []) if token in known else [token])]


def _divided(total: int, parts: int, generator: np.random.Generator) -> list[int]:
    """``total`` as the sum of ``parts`` positive numbers, each way as likely."""
    cuts = np.sort(generator.choice(total - 1, parts - 1, replace=False) + 1) if parts > 1 else np.array([], dtype=int)
    return [int(each) for each in np.diff([0, *cuts, total])]
