"""Settings of Smart Compose."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class ComposeSettings(Section):
    """Suggestions while a mail is typed (docs/guides/compose.md)."""

    enabled: bool = Field(True, description="off: nothing is suggested, and no model is loaded")
    folder: str = Field("", description="folder with a model from the recipe compose; empty: the packaged model")
    least_words: int = Field(3, ge=1, le=20, description="minimum words of the mail before a suggestion")
    pause_ms: int = Field(100, ge=0, le=5000, description="minimum milliseconds since the last keystroke")
    beams: int = Field(4, ge=1, le=8, description="beams of the beam search")
    most_words: int = Field(10, ge=1, le=20, description="maximum words of a suggestion")
    least_confidence: float = Field(0.15, ge=0.01, le=1, description="minimum probability of a suggested phrase")
    length_power: float = Field(0.7, ge=0, le=2, description="length bonus: larger values give longer suggestions")
    blocked: tuple[str, ...] = Field((), max_length=1000, description="additional words that suggestions never contain")
    own_share: float = Field(0.5, ge=0, lt=1, description="maximum weight of a person's own phrases against the model")
    own_texts: int = Field(
        200, ge=1, le=5000, description="texts per person that are kept; the oldest are deleted first"
    )
    persons: int = Field(10_000, ge=1, description="persons per tenant whose consent decision is kept")
    tenant_texts: int = Field(
        50_000, ge=1, description="maximum texts per tenant that are kept; further texts are not stored"
    )
    cached: int = Field(20_000, ge=0, description="cached results, for equal texts")
    cached_s: float = Field(300.0, gt=0, description="seconds for which results are cached")
    most_waiting: int = Field(64, ge=1, description="requests per tenant that wait for the model; more are refused")
    shown_days: float = Field(90.0, gt=0, description="days for which the outcome of a suggestion is kept")
    most_shown: int = Field(200_000, ge=100, description="suggestions per tenant whose outcome is kept")
    sent_mails: int = Field(
        10_000, ge=0, description="sent mails per tenant that models learn from; then the oldest go"
    )
    sent_days: float = Field(365.0, gt=0, description="days for which a sent mail is kept")


SECTIONS = {"compose": ComposeSettings}
