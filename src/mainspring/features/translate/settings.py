"""Settings of translation."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class TranslateSettings(Section):
    """Translation of texts and documents (docs/guides/translation.md)."""

    enabled: bool = Field(True, description="off: there is no model `translate`, and its routes refuse")
    folder: str = Field(
        "", description="a translator's folder, or a folder with several; empty: `translators` in the home"
    )
    packaged: bool = Field(True, description="what nothing else translates, the translator of the package does")
    chat: str = Field(
        "auto",
        description="chat model that translates what no translator can; auto: models.larger if served; empty: none",
    )
    beams: int = Field(4, ge=1, le=16, description="translations that are followed at once")
    threads: int = Field(1, ge=1, le=64, description="threads of a translator")
    opened: int = Field(4, ge=1, le=32, description="translators that are kept open at once")
    least_probability: float = Field(
        0.6, ge=0, le=1, description="minimum confidence; below it the caller must give the language"
    )
    max_characters: int = Field(100_000, ge=100, description="maximum characters of one request")
    max_terms: int = Field(200, ge=0, le=1_000, description="maximum terms in the glossary of one request")
    cached: int = Field(20_000, ge=0, description="sentences that this process remembers, of all tenants")
    cached_per_tenant: int = Field(5_000, ge=0, description="maximum of these per tenant")
    cached_s: float = Field(3600.0, gt=0, description="seconds for which it remembers a sentence")
    most_waiting: int = Field(64, ge=1, description="texts of a tenant that wait to be read; more are refused")
    edits: int = Field(10_000, ge=0, description="edits per tenant that are kept; the oldest are deleted first")
    edits_days: float = Field(365.0, gt=0, description="days for which an edit is kept")
    use_edits: bool = Field(True, description="a sentence that a person has edited is translated so for that person")


SECTIONS = {"translate": TranslateSettings}
