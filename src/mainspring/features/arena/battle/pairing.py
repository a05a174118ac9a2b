"""Which two models meet next, and on which sides."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Met:
    """What is known of two models: battles in which the first stood ``left`` of ``shown``, and the first's ``won``
    points of ``votes``."""

    left: int = 0
    shown: int = 0
    won: float = 0.0
    votes: int = 0


Pair = tuple[str, str]


def pairs(models: Sequence[str]) -> list[Pair]:
    """Each pair once, its names sorted."""
    return list(itertools.combinations(sorted(models), 2))


def weight(met: Met) -> float:
    """By how much one more vote narrows what is known of a pair: the standard error of its share of points now, less
    that with one vote more (the rule of Chatbot Arena: Chiang et al. 2024, section 5)."""
    share = (met.won + 1) / (met.votes + 2)
    spread = math.sqrt(share * (1 - share))
    return spread / math.sqrt(met.votes + 1) - spread / math.sqrt(met.votes + 2)


def chosen(
    models: Sequence[str], met: Mapping[Pair, Met], draw: random.Random, used: Container[Pair] = ()
) -> Pair | None:
    """The left and the right model of the next battle: a pair at random, uncertain ones more often, none of ``used``;
    None if there is no other. The model that stood left less often in a pair stands there next; chance decides between
    equals."""
    open_ = [pair for pair in pairs(models) if pair not in used]
    if not open_:
        return None
    (pair,) = draw.choices(open_, [weight(met.get(each, Met())) for each in open_])
    found = met.get(pair, Met())
    right_more = 2 * found.left < found.shown or (2 * found.left == found.shown and draw.random() < 0.5)
    return pair if right_more else (pair[1], pair[0])
