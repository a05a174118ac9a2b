"""Settings of what the stores keep for an audit: the seal of its log, and payment cards in documents."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section


class AuditSettings(Section):
    """The part of ``compliance`` that the rooms below the features read."""

    audit_key: str = Field("", repr=False)
    audit_keys_before: tuple[str, ...] = Field((), repr=False)
    documents: Literal["keep", "redact"] = Field(
        "keep", description="payment card numbers in documents: unchanged, or replaced before storing"
    )
