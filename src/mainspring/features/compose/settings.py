"""Settings of Smart Compose."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class ComposeSettings(Section):
    """Suggestions while a mail is typed (docs/guides/compose.md)."""

    enabled: bool = Field(True, description="off: nothing is suggested, and no model is loaded")
    folder: str = Field("", description="a folder that the recipe compose made; empty: the model of the package")
    least_words: int = Field(3, ge=1, le=20, description="words of the mail before anything is suggested")
    pause_ms: int = Field(100, ge=0, le=5000, description="milliseconds since the last key")
    beams: int = Field(4, ge=1, le=8, description="beams of the search")
    most_words: int = Field(10, ge=1, le=20, description="words of a suggestion")
    least_confidence: float = Field(0.15, ge=0.01, le=1, description="a phrase less likely than that is not suggested")
    length_power: float = Field(0.7, ge=0, le=2, description="the larger, the longer suggestions are")
    blocked: tuple[str, ...] = Field((), max_length=1000, description="further words that no suggestion holds")
    own_share: float = Field(0.5, ge=0, lt=1, description="most weight of a person's own phrases beside the model")
    own_texts: int = Field(200, ge=1, le=5000, description="texts of a person that are kept; the oldest go first")
    persons: int = Field(10_000, ge=1, description="of a tenant, persons whose decision about own phrases is kept")
    tenant_texts: int = Field(50_000, ge=1, description="texts of all persons of a tenant that are kept; no more are")
    cached: int = Field(20_000, ge=0, description="results that are remembered, for equal texts")
    cached_s: float = Field(300.0, gt=0, description="seconds for which they are")
    most_waiting: int = Field(64, ge=1, description="requests of a tenant that wait for the model; more are refused")
    shown_days: float = Field(90.0, gt=0, description="days for which it is known what came of a suggestion")
    most_shown: int = Field(200_000, ge=100, description="of a tenant, suggestions of which that is known")


SECTIONS = {"compose": ComposeSettings}
