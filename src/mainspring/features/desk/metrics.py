"""Prometheus instruments of the desk."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_WAITS = (30, 60, 300, 900, 1800, 3600, 4 * 3600, 8 * 3600, 24 * 3600, 72 * 3600)


class DeskMetrics:
    """What is counted. ``desk_overdue`` is what an alert should watch."""

    def __init__(self, registry: CollectorRegistry) -> None:
        text = "Actions on cases: opened, taken, answered, closed, overdue and the like."
        self._actions = Counter("mainspring_desk_actions", text, ("queue", "action"), registry=registry)
        text = "Open cases, by queue and status."
        self._open = Gauge("mainspring_desk_cases", text, ("queue", "status"), registry=registry)
        text = "Cases whose customers have waited longer than the service level, by queue."
        self._overdue = Gauge("mainspring_desk_overdue", text, ("queue",), registry=registry)
        text = "How long customers waited for a person's answer."
        self._waits = Histogram("mainspring_desk_wait_seconds", text, ("queue",), buckets=_WAITS, registry=registry)

    def did(self, queue: str, action: str, seconds: float | None = None) -> None:
        """Something was done to a case; an answer after so many seconds."""
        self._actions.labels(queue, action).inc()
        if action == "answered" and seconds is not None:
            self._waits.labels(queue).observe(seconds)

    def standing(self, counts: Iterable[tuple[str, str, int, int]]) -> None:
        """The cases as they are now: queue, status, how many, how many late."""
        self._open.clear()
        self._overdue.clear()
        late: dict[str, int] = {}
        for queue, status, count, overdue in counts:
            if status != "closed":
                self._open.labels(queue, status).set(count)
            late[queue] = late.get(queue, 0) + overdue
        for queue, overdue in late.items():
            self._overdue.labels(queue).set(overdue)
