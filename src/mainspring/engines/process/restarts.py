"""The delays before restarts of a dead child."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Seconds. The n-th failure in a row waits ``first * 2**n``, at most ``longest``. After ``attempts`` failures in a
    row, callers get the error at once instead of waiting. A child that lived ``stable`` seconds resets the count."""

    first: float = 0.1
    longest: float = 5.0
    attempts: int = 6
    stable: float = 30.0

    def pause(self, failures: int, lived: float) -> float:
        """How long to wait after ``failures`` in a row. Starts are that far apart: the time that a child ``lived``
        counts."""
        wanted = min(self.longest, self.first * 2 ** min(failures - 1, 32) if failures else 0.0)
        return max(0.0, wanted - lived)
