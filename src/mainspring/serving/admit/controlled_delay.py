"""Detects standing queues, following controlled delay (Nichols and Jacobson, 2012)."""

from __future__ import annotations

CALM = 5.0
"""``burst_s`` must pass this many times without a refusal before a burst may wait again."""


class StandingQueue:
    """Whether the queue is standing: it has not been empty for longer than a burst lasts, or a request was refused
    recently. Times in seconds, on one clock."""

    def __init__(self, burst_s: float) -> None:
        self._burst_s = burst_s
        self._since = 0.0
        self.count = 0
        self.refused_at = float("-inf")

    def join(self, now: float) -> None:
        if not self.count:
            self._since = now
        self.count += 1

    def stands(self, now: float) -> bool:
        long = self.count > 0 and now - self._since > self._burst_s
        return long or now - self.refused_at < CALM * self._burst_s
