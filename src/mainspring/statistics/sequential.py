"""Tests that hold however often one looks: of arms whose answers succeed or fail, and of pairs on the same examples.

Each hypothesis is tested by a product of factors (an e-process) whose mean is at most 1 while it is true, so that it
exceeds 1/alpha with a chance of at most alpha, whenever one stops (Ville's inequality; Ramdas et al., "Game-theoretic
statistics and safe anytime-valid inference", 2023). ``Arms`` multiplies the factors of Turner, Ly and Grünwald,
"Generic E-variables for exact sequential k-sample tests" (2021): the k-th outcome of one arm is held against the k-th
of the other. ``Pairs`` bets on the differences of pairs (Waudby-Smith and Ramdas, "Estimating means of bounded random
variables by betting", 2024).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mainspring.core.errors import InvalidRequest

Verdict = Literal["worse", "not worse", "undecided"]
SCALES = (1.0, 0.5)
_WEIGHTS = (0.9, 0.1)
"""The effect that a test is designed for counts most; half of it is looked for beside it."""
_EDGE = 1e-3
_LARGEST_BET = 0.5
BOLD, _BOLDLY = 0.3, 0.1
# The mean square of a difference before any is seen, and how many pairs that guess weighs.
_SQUARE, _GUESSED = 0.2, 20


def better_factor(first: Any, second: Any, rate: Any, effect: float) -> Any:
    """The logarithm of one factor against "the first arm succeeds at most as often as the second". Works on arrays.

    It is the odds of the two outcomes with the first arm better by ``effect``, around ``rate``, to both at ``rate``,
    which must come from earlier outcomes only. With r for ``rate`` and c = effect / 2r(1 - r), its mean at true rates
    p <= q is (1 + c(p - r))(1 - c(q - r)) <= 1 - c²(p - r)² <= 1.
    """
    half = np.minimum(effect / 2, 0.95 * np.minimum(rate, 1 - rate))
    up, down = rate + half, rate - half
    return np.log(np.where(first, up / rate, (1 - up) / (1 - rate))) + np.log(
        np.where(second, down / rate, (1 - down) / (1 - rate))
    )


def seen_rate(successes: Any, pairs: Any) -> Any:
    """The rate of two arms together after ``pairs`` outcomes of each. Works on arrays."""
    return np.clip((successes + 1) / (2 * pairs + 2), _EDGE, 1 - _EDGE)


def mixed(logs: Any) -> Any:
    """The logarithm of the e-process from those for each of ``SCALES`` (last axis)."""
    weighted = logs + np.log(_WEIGHTS)
    top = weighted.max(axis=-1, keepdims=True)
    return (top + np.log(np.exp(weighted - top).sum(axis=-1, keepdims=True)))[..., 0]


class _Pairing:
    """Two arms, outcome by outcome, and the e-processes of either being better."""

    def __init__(self, effect: float) -> None:
        self.effect = effect
        self.logs = np.zeros((2, len(SCALES)))
        self._successes = 0
        self._pairs = 0

    def add(self, first: bool, second: bool) -> tuple[float, float]:
        rate = seen_rate(self._successes, self._pairs)
        for place, scale in enumerate(SCALES):
            self.logs[0, place] += better_factor(first, second, rate, scale * self.effect)
            self.logs[1, place] += better_factor(second, first, rate, scale * self.effect)
        self._successes += first + second
        self._pairs += 1
        found = mixed(self.logs)
        return float(found[0]), float(found[1])


class Arms:
    """Which of two or more arms succeeds most often, looked at after every answer.

    The chance that ever an arm is named best that is not (any, if all are equal) is at most ``alpha``, at any
    allocation of traffic, also one that follows what was seen: the outcomes of an arm need only be alike over time.
    ``effect`` is the difference of rates that matters; the test is quickest for it. With ``dropping`` an arm that
    was shown worse than another one is out, so that it needs no more answers, and the last one left is best.
    """

    def __init__(self, names: Sequence[str], *, effect: float, alpha: float = 0.05, dropping: bool = False) -> None:
        """Raises ``InvalidRequest`` for fewer than two arms, and for an effect or alpha outside (0, 1)."""
        if len(set(names)) != len(names) or len(names) < 2:
            raise InvalidRequest("a comparison needs at least two different arms", param="arms")
        if not 0 < effect < 1:
            raise InvalidRequest("the effect must be a difference of rates between 0 and 1", param="effect")
        if not 0 < alpha < 1:
            raise InvalidRequest("alpha must be a probability between 0 and 1", param="alpha")
        self.names = tuple(names)
        self.alpha = alpha
        self.effect = effect
        self.dropping = dropping
        self._outcomes: dict[str, list[bool]] = {name: [] for name in names}
        self._pairings = {
            (one, other): _Pairing(effect) for place, one in enumerate(names) for other in names[place + 1 :]
        }
        self._crossed: set[tuple[str, str]] = set()

    @property
    def threshold(self) -> float:
        """What the logarithm of an e-process must reach: see ``threshold``."""
        return threshold(len(self.names), self.alpha, dropping=self.dropping)

    def add(self, arm: str, success: bool) -> str:
        """Count an outcome; the best arm from now on (empty: not decided). Raises ``InvalidRequest``."""
        if arm not in self._outcomes:
            raise InvalidRequest(f"there is no arm {arm:.100}", param="arm", remedy=f"Use {', '.join(self.names)}")
        own = len(self._outcomes[arm])
        self._outcomes[arm].append(success)
        for (one, other), pairing in self._pairings.items():
            if arm not in (one, other) or min(len(self._outcomes[one]), len(self._outcomes[other])) <= own:
                continue
            if self.dropping and not self.worse.isdisjoint((one, other)):
                continue
            logs = pairing.add(self._outcomes[one][own], self._outcomes[other][own])
            for log, pair in zip(logs, ((one, other), (other, one)), strict=True):
                if log >= self.threshold:
                    self._crossed.add(pair)
        return self.best

    @property
    def best(self) -> str:
        """The arm that is better than all others; empty while none is. What was once shown stays."""
        if self.dropping:
            left = [name for name in self.names if name not in self.worse]
            return left[0] if len(left) == 1 else ""
        for name in self.names:
            if all((name, other) in self._crossed for other in self.names if other != name):
                return name
        return ""

    @property
    def worse(self) -> frozenset[str]:
        """Arms to which another one was shown better: traffic may be taken from them."""
        return frozenset(other for _, other in self._crossed)

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """Successes and answers of each arm."""
        return {name: (sum(found), len(found)) for name, found in self._outcomes.items()}


def threshold(arms: int, alpha: float, *, dropping: bool = False) -> float:
    """What the logarithm of an e-process must reach for one of ``arms`` to be shown better than another.

    To be named best an arm must be shown better than each other one: each of ``arms`` equal ones is named with a chance
    of at most ``alpha / arms``. With ``dropping``, a best arm is lost if any other is shown better than it; where
    several are best, one of two given ones is lost before the last is left: there are 2 (arms - 1) ways.
    """
    return math.log((2 * (arms - 1) if dropping else arms) / alpha)


def fixed_size(effect: float, variance: float, *, alpha: float, power: float) -> float:
    """How many values the one-sided z-test of a fixed size needs, to find a mean of ``effect`` of ``variance``."""
    from statistics import NormalDist

    z = NormalDist().inv_cdf
    return (z(1 - alpha) + z(power)) ** 2 * variance / effect**2


def bets(squares: Any, pairs: Any, margin: float) -> Any:
    """What is staked on the next difference: the best stake for a mean of ``margin``, by the sum of the ``squares`` of
    the ``pairs`` before it. Works on arrays."""
    square = (squares + _GUESSED * _SQUARE) / (pairs + _GUESSED)
    return np.minimum(margin / square, _LARGEST_BET)


def hedged(careful: Any, bold: Any) -> Any:
    """The logarithm of an e-process of which a tenth always makes the ``BOLD`` bet: a candidate that fails everywhere
    is seen after twenty pairs. Takes the logarithms of both parts; works on arrays."""
    return np.logaddexp(careful + math.log(1 - _BOLDLY), bold + math.log(_BOLDLY))


@dataclass(slots=True)
class Pairs:
    """Whether a candidate is worse than the incumbent on the same examples, looked at after every example.

    A difference is the candidate's score minus the incumbent's, between -1 and 1. "Worse" is said of a candidate that
    is not with a chance of at most ``alpha``; "not worse" of one that is worse by ``margin`` or more with a chance of
    at most ``beta``. The order of examples must be random.
    """

    margin: float
    alpha: float = 0.05
    beta: float = 0.1
    pairs: int = 0
    verdict: Verdict = "undecided"
    _squares: float = 0.0
    _worse: tuple[float, float] = (0.0, 0.0)
    _fine: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name in ("margin", "alpha", "beta"):
            if not 0 < getattr(self, name) < 1:
                raise InvalidRequest(f"{name} must be between 0 and 1", param=name)

    def add(self, difference: float) -> Verdict:
        """Count a pair; the verdict, which is final once it is decided. Raises ``InvalidRequest``."""
        if not -1 <= difference <= 1:
            raise InvalidRequest("differences of scores lie between -1 and 1", param="difference")
        stake = float(bets(self._squares, self.pairs, self.margin))
        careful, bold = self._worse
        self._worse = careful + math.log1p(-stake * difference), bold + math.log1p(-BOLD * difference)
        careful, bold = self._fine
        above = difference + self.margin
        self._fine = careful + math.log1p(stake * above), bold + math.log1p(BOLD * above)
        self._squares += difference**2
        self.pairs += 1
        if self.verdict == "undecided":
            if hedged(*self._worse) >= -math.log(self.alpha):
                self.verdict = "worse"
            elif hedged(*self._fine) >= -math.log(self.beta):
                self.verdict = "not worse"
        return self.verdict
