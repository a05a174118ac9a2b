"""Settings of variants."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class VariantsSettings(Section):
    """What tenants' applications use in place of what the settings say (docs/guides/variants.md)."""

    enabled: bool = Field(True, description="off: every application uses its settings")
    every_s: float = Field(2.0, ge=0.2, description="seconds after which other processes follow a change")
    kept: int = Field(1_000, ge=1, description="candidates of a tenant that may be admitted")
    moves: int = Field(1_000, ge=10, description="changes per application that are kept and can be undone")
    shadow_tokens: int = Field(16_000, ge=1, description="maximum tokens per copy of a request")
    shadow_s: float = Field(60.0, gt=0, description="seconds after which a copy of a request is given up")
    shadow_share: float = Field(1.0, gt=0, le=1, description="maximum share of requests that is copied")
    shadows: int = Field(4, ge=1, description="maximum concurrent copies of an application's requests")


SECTIONS = {"variants": VariantsSettings}
