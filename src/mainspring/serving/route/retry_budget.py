"""Bounds retries to a share of all calls, so that failures cannot multiply the load."""

from __future__ import annotations


class Budget:
    """A token bucket: each call adds ``share``, each further attempt takes one; at most ``burst`` are saved up."""

    def __init__(self, share: float, burst: float, *, full: bool = True) -> None:
        self._share = share
        self._burst = burst
        self._level = burst if full else 0.0
        self.refused = 0

    @property
    def level(self) -> float:
        """Further attempts that may be made now."""
        return self._level

    def deposit(self) -> None:
        """Count a call."""
        self._level = min(self._burst, self._level + self._share)

    def spend(self) -> bool:
        """Take one retry; returns false, and counts it, if none is left."""
        # The sum of many shares falls short of a whole number by rounding.
        if self._level < 1 - 1e-9:
            self.refused += 1
            return False
        self._level -= 1
        return True
