"""Settings of what the stores keep for an audit: the seal of its log, payment cards in documents, and how
long data is kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section


class RetentionSettings(Section):
    """How many days each class of data is kept; 0: for ever. Spans have ``telemetry.span_retention_days``, cached
    answers ``stores.cache_ttl_s``."""

    contents_days: float = Field(0.0, ge=0, description="texts of questions, answers and feedback, in days")
    sessions_days: float = Field(0.0, ge=0, description="conversations, in days since their last turn")
    events_days: float = Field(0.0, ge=0, description="facts except those with money, in days")
    batch_files_days: float = Field(90.0, ge=0, description="files of batches, in days since the batch ended")
    jobs_days: float = Field(30.0, ge=0, description="rows of finished jobs, in days")
    audit_days: float = Field(0.0, ge=0, description="the audit log")
    every_s: float = Field(3600.0, gt=0, description="seconds between two deletions of expired data")


class AuditSettings(Section):
    """The part of ``compliance`` that the rooms below the features read."""

    audit_key: str = Field("", repr=False)
    audit_keys_before: tuple[str, ...] = Field((), repr=False)
    documents: Literal["keep", "redact"] = Field(
        "keep", description="payment card numbers in documents: unchanged, or replaced before storing"
    )
    retention: RetentionSettings = Field(default_factory=RetentionSettings)
