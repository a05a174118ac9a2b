"""Measures the rate at which an engine serves from its finished requests, weighted by its load."""

from __future__ import annotations

import math

KEPT = 0.97
"""The share of its weight that a sample keeps when another comes: about the last thirty count."""
FIRST_DURATION_S = 2.0
"""The assumed duration of a request before the first one has ended."""


class ServiceRate:
    """Work a second that an engine with ``slots`` sequences does when it is full.

    One sample a request: by Little's law the engine's throughput while it ran is its own speed times how many ran. A
    half-empty engine shows less than its capacity, so samples are weighted with the square of its load.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._work = self._time = 0.0
        self._duration = self._samples = 0.0

    def observe(self, cost: float, duration_s: float, running: float) -> None:
        """A request of ``cost`` took ``duration_s`` while ``running`` sequences ran on average."""
        if duration_s <= 0 or not math.isfinite(duration_s):
            return
        weight = min(1.0, running / self._slots) ** 2
        self._work = KEPT * self._work + weight * cost * running
        self._time = KEPT * self._time + weight * duration_s
        self._duration = KEPT * self._duration + duration_s
        self._samples = KEPT * self._samples + 1

    @property
    def measured(self) -> bool:
        """Whether any request has been served yet."""
        return self._time > 0

    @property
    def duration_s(self) -> float:
        """How long a request lasts once it runs."""
        return self._duration / self._samples if self._samples else FIRST_DURATION_S

    def per_second(self, cost: float) -> float:
        """Work a second; before the first sample as if each slot did ``cost`` in ``FIRST_DURATION_S``."""
        if not self.measured:
            return max(1e-9, self._slots * cost / FIRST_DURATION_S)
        return max(1e-9, self._work / self._time)
