"""Prometheus instruments of compliance: erasures, what retention deleted, refused requests."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class ComplianceMetrics:
    """What is counted. Labels are kinds and classes of our own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, label: str) -> Counter:
            return Counter(f"mainspring_{name}", text, (label,), registry=registry)

        self._erased = counter("erasures", "Executed erasures, by kind.", "kind")
        self._deleted = counter("retention_deleted", "Expired data that was deleted.", "data")
        self._refused = counter("refused_credentials", "Requests without a sufficient key, by reason.", "reason")

    def erased(self, kind: str) -> None:
        self._erased.labels(kind).inc()

    def deleted(self, data: str, count: int) -> None:
        self._deleted.labels(data).inc(count)

    def refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()
