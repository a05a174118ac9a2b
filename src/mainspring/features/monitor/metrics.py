"""Prometheus instruments of the monitor."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class MonitorMetrics:
    """What is counted."""

    def __init__(self, registry: CollectorRegistry) -> None:
        text = "Answers chosen to be judged, by what became of them."
        self._judged = Counter("mainspring_judged", text, ("outcome",), registry=registry)

    def judged(self, outcome: str) -> None:
        """The outcome for an answer that was chosen to be judged."""
        self._judged.labels(outcome).inc()
