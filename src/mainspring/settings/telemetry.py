"""Settings of traces, metrics and logs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mainspring.settings.section import Section


class TelemetrySettings(Section):
    """Traces, metrics and logs.

    ``sample`` is the share of traces that are kept beside failed, refused and slow ones. ``slow_s`` says in seconds
    from when on a request of an operation (``chat``, ``embeddings``, ``search``) is slow; of others those are above
    ``slow_quantile`` of the last thousand like them (1: none). ``waiting_spans`` bounds what is held of requests that
    are under way.
    """

    tracing: bool = True
    sample: float = Field(1.0, ge=0, le=1)
    slow_s: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    slow_quantile: float = Field(0.99, gt=0, le=1)
    waiting_spans: int = Field(50_000, ge=100)
    otlp_endpoint: str = ""
    span_retention_days: float = Field(7.0, gt=0)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "text"
