"""Settings of the content platform."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section


class StepLimits(Section):
    """Limits of one step of an article."""

    tokens: int = Field(20_000, ge=0, description="maximum tokens that models read and write; 0: no model is used")
    usd: float = Field(0.5, ge=0, description="maximum cost of its calls in US dollars")
    seconds: float = Field(30.0, gt=0, description="maximum time in seconds")


class ContentSettings(Section):
    """Articles from sources, and notebooks (docs/guides/content.md)."""

    enabled: bool = Field(True, description="serve the model content")
    mode: Literal["auto", "extractive", "written"] = Field(
        "auto",
        description="auto: written by draft_model or models.larger if one is served, otherwise assembled from cited "
        "sentences",
    )
    draft_model: str = Field("", description="model that writes drafts; empty: models.larger if it is served")
    small_model: str = Field("", description="model for plans and search engine fields; empty: rules without a model")
    require_approval: bool = Field(
        False, description="a person must approve every plan, even if the brief does not ask for it"
    )
    self_approval: bool = Field(True, description="the requester of an article may approve its plan")
    approval_hours: float = Field(72.0, gt=0, description="hours for which a plan waits for approval")
    web: bool = Field(False, description="default of a brief: research also searches the web")
    web_pages: int = Field(5, ge=1, le=20, description="web pages per question")
    only_trusted: bool = Field(
        False, description="use only web pages of web_search.trusted_domains and only trusted_collections"
    )
    trusted_collections: list[str] = Field(
        default_factory=list, description="collections whose documents may be sources under only_trusted; none: all"
    )
    plan: StepLimits = Field(
        default_factory=lambda: StepLimits(tokens=8_000, usd=0.1, seconds=20.0), description="limits of the plan"
    )
    research: StepLimits = Field(
        default_factory=lambda: StepLimits(tokens=50_000, usd=0.5, seconds=30.0), description="limits of the research"
    )
    draft: StepLimits = Field(
        default_factory=lambda: StepLimits(tokens=40_000, usd=1.0, seconds=90.0), description="limits of the draft"
    )
    seo: StepLimits = Field(
        default_factory=lambda: StepLimits(tokens=4_000, usd=0.05, seconds=15.0),
        description="limits of the fields for search engines",
    )
    passages: int = Field(12, ge=1, le=50, description="passages per question and collection")
    parallel: int = Field(4, ge=1, le=32, description="questions that are researched at once")
    cache_hours: float = Field(
        24.0, ge=0, description="hours for which research is reused for similar questions; 0: never"
    )
    similar: float = Field(0.95, ge=0, le=1, description="minimum cosine of two questions that share research")
    quote_words: int = Field(
        40, ge=5, description="longest run of a source's words in a written text that is not flagged as copied"
    )
    quoted_share: float = Field(
        0.1, gt=0, le=1, description="share of a source that may be quoted, even with a citation, before it is flagged"
    )
    max_articles: int = Field(10_000, ge=1, description="articles of one tenant")
    max_notebooks: int = Field(1_000, ge=1, description="notebooks of one tenant")
    max_recordings: int = Field(1_000, ge=1, description="spoken summaries of one tenant")
    spoken_characters: int = Field(6_000, ge=100, description="maximum characters of a spoken summary")


SECTIONS = {"content": ContentSettings}
