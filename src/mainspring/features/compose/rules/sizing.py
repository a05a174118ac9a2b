"""The guide's worked estimate for mail autocomplete (F.1, example 4), as a calculation.

The guide rounds 41,000 USD to 40,000, gives the network no share of its 100 ms, and counts sessions of 100 million
where its requirements speak of 1.8 billion users: numbers are arguments here.
"""

from __future__ import annotations

from dataclasses import dataclass

_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Estimate:
    """Of one day. ``usd`` is what an API would cost; ``cores`` how many are busy on average if one suggestion takes
    ``core_ms`` of one core, and ``peak_cores`` at the peak."""

    requests: float
    requests_per_s: float
    tokens_in: float
    tokens_out: float
    usd: float
    cores: float
    peak_cores: float


def estimate(
    sessions: float = 100e6,
    suggestions: float = 20,
    tokens_in: float = 200,
    tokens_out: float = 5,
    usd_per_million: float = 0.10,
    core_ms: float = 20.0,
    peak: float = 3.0,
) -> Estimate:
    """``sessions`` a day with ``suggestions`` each; tokens are those of one request; ``peak`` is the busiest second's
    load over the average's."""
    requests = sessions * suggestions
    rate = requests / _DAY_S
    read, written = requests * tokens_in, requests * tokens_out
    busy = rate * core_ms / 1000
    return Estimate(requests, rate, read, written, (read + written) / 1e6 * usd_per_million, busy, busy * peak)


@dataclass(frozen=True, slots=True)
class Budget:
    """Milliseconds between a pause in typing and the suggestion on the screen."""

    trigger: float = 5.0
    inference: float = 80.0
    rules: float = 15.0
    network: float = 0.0

    @property
    def total(self) -> float:
        return self.trigger + self.inference + self.rules + self.network


def token_probability(confidence: float = 0.15, tokens: int = 5) -> float:
    """How likely each of ``tokens`` must be on (geometric) average for a phrase of this confidence."""
    return float(confidence ** (1 / tokens))
