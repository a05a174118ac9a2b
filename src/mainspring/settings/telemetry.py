"""Settings of traces, metrics and logs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.settings.section import Section


class TelemetrySettings(Section):
    """Traces, metrics and logs."""

    sample: float = Field(1.0, ge=0, le=1)
    otlp_endpoint: str = ""
    span_retention_days: float = Field(7.0, gt=0)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "text"
