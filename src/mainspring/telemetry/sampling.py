"""Tail sampling: whether a trace is kept is decided when it is over, by what happened in it."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping

_SEEN = 1_000
_LEAST = 200
_EVERY = 50
_KINDS = 500


class DurationQuantile:
    """The running quantile of the last thousand durations of one kind of request; None before it has seen 200."""

    __slots__ = ("_left", "_quantile", "_seen", "limit_ns")

    def __init__(self, quantile: float) -> None:
        self._quantile = quantile
        self._seen: deque[int] = deque(maxlen=_SEEN)
        self._left = _LEAST
        self.limit_ns: int | None = None

    def add(self, duration_ns: int) -> None:
        self._seen.append(duration_ns)
        self._left -= 1
        if self._left <= 0:
            # Sorting a thousand numbers at every request would cost more than its spans.
            self._left = _EVERY
            ordered = sorted(self._seen)
            self.limit_ns = ordered[min(len(ordered) - 1, int(len(ordered) * self._quantile))]


class SlowRequests:
    """Slow requests: those over the limit of their operation, if one is set; else those above the running ``quantile``
    of requests of the same operation to the same model (1: none)."""

    def __init__(self, limits_s: Mapping[str, float], quantile: float) -> None:
        self._limits = {operation: round(seconds * 1e9) for operation, seconds in limits_s.items()}
        self._quantile = quantile
        self._usual: OrderedDict[tuple[str, str], DurationQuantile] = OrderedDict()

    def __call__(self, operation: str, model: str, duration_ns: int) -> bool:
        """Whether the request was slow; its duration is recorded for later requests."""
        limit = self._limits.get(operation)
        if limit is not None:
            return duration_ns > limit
        if self._quantile >= 1:
            return False
        usual = self._usual.get((operation, model))
        if usual is None:
            # Callers choose the names: when there are too many, the least recently used one is dropped.
            if len(self._usual) >= _KINDS:
                self._usual.popitem(last=False)
            usual = self._usual[(operation, model)] = DurationQuantile(self._quantile)
        else:
            self._usual.move_to_end((operation, model))
        slow = usual.limit_ns is not None and duration_ns > usual.limit_ns
        usual.add(duration_ns)
        return slow
