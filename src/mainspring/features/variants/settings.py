"""Settings of variants."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class VariantsSettings(Section):
    """What tenants' applications use in place of what the settings say (docs/guides/variants.md)."""

    enabled: bool = Field(True, description="off: every application answers as the settings say")
    every_s: float = Field(2.0, ge=0.2, description="seconds after which other processes follow a change")
    kept: int = Field(1_000, ge=1, description="candidates of a tenant that may be admitted")
    moves: int = Field(1_000, ge=10, description="changes that are kept of each application; one can undo those")
    shadow_tokens: int = Field(16_000, ge=1, description="most tokens that one copy of a request may take")
    shadow_s: float = Field(60.0, gt=0, description="seconds after which a copy of a request is given up")
    shadow_share: float = Field(1.0, gt=0, le=1, description="largest share of requests that is copied")
    shadows: int = Field(4, ge=1, description="copies of an application's requests that run at once")


SECTIONS = {"variants": VariantsSettings}
