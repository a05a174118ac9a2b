"""Settings of compliance: the audit log, retention, and payment cards in documents."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.audit import AuditSettings
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


class ComplianceSettings(AuditSettings):
    """The audit log, retention, and cards in documents.

    ``audit_key`` seals the audit log together with a secret in the database: write access to the database alone does
    not suffice to forge an entry. Keep it out of that database's backups; earlier ones go to ``audit_keys_before``.
    """

    audit_flush_s: float = Field(
        60.0, gt=0, description="seconds between two entries for refused requests and guard decisions"
    )
    retention: RetentionSettings = Field(default_factory=RetentionSettings)


SECTIONS = {"compliance": ComplianceSettings}
