"""Settings of compliance: the audit log, retention, and payment cards in documents."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.audit import AuditSettings


class ComplianceSettings(AuditSettings):
    """The audit log, retention, and cards in documents.

    ``audit_key`` seals the audit log together with a secret in the database: write access to the database alone does
    not suffice to forge an entry. Keep it out of that database's backups; earlier ones go to ``audit_keys_before``.
    """

    audit_flush_s: float = Field(
        60.0, gt=0, description="seconds between two entries for refused requests and guard decisions"
    )


SECTIONS = {"compliance": ComplianceSettings}
