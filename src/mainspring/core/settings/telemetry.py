"""Settings of traces, metrics and logs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mainspring.core.settings.section import Section


class TelemetrySettings(Section):
    """Traces, metrics and logs.

    ``sample`` is the share of other traces that are kept in addition to failed, refused and slow ones. ``slow_s`` says
    in seconds from when on a request of an operation (``chat``, ``embeddings``, ``search``) is slow; of others those
    are above ``slow_quantile`` of the last thousand like them (1: none). ``waiting_spans`` bounds the spans held for
    requests in progress.

    The server logs to standard error, and as JSON to files in ``logs`` under ``home``. Each file holds at most
    ``log_file_mb`` megabytes and one day. ``log_requests`` says where the line of each request goes; prompts and
    answers are in it as keyed hashes (``log_key``; empty: a key of its own), and as texts only with ``log_prompts``.
    """

    tracing: bool = True
    sample: float = Field(1.0, ge=0, le=1)
    slow_s: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    slow_quantile: float = Field(0.99, gt=0, le=1)
    waiting_spans: int = Field(50_000, ge=100)
    otlp_endpoint: str = ""
    span_retention_days: float = Field(7.0, gt=0)
    store_prompts: bool = Field(False, description="store each prompt as it was assembled for a model")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "text"
    log_requests: Literal["off", "file", "both"] = "file"
    log_prompts: bool = False
    log_key: str = Field("", repr=False)
    log_file_mb: float = Field(20.0, gt=0)
    log_files: int = Field(30, ge=1)
    log_retention_days: float = Field(14.0, gt=0)
