"""Settings of the memory of persons."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section


class MemorySettings(Section):
    """Memories about a person across sessions (docs/guides/memory.md), only with the person's consent."""

    enabled: bool = Field(True, description="off: nothing is stored or recalled, even with consent")
    automatic: Literal["off", "recall", "on"] = Field(
        "on", description="default for chat requests of people who have agreed: recall facts, and (on) also learn facts"
    )
    recalled: int = Field(6, ge=1, le=50, description="maximum facts per request")
    recalled_tokens: int = Field(400, ge=16, description="maximum tokens of these facts")
    least_score: float = Field(0.25, ge=0, le=1, description="minimum relevance of a recalled fact to the message")
    half_life_days: float = Field(365.0, gt=0, description="half-life of the recency of an event in days")
    retention_days: float = Field(
        0.0, ge=0, description="days for which a fact is kept after its last mention or use; 0: for ever"
    )
    session_hours: float = Field(24.0, gt=0, description="hours for which memories of one session are kept")
    max_facts: int = Field(2000, ge=1, description="facts per person; the least used are deleted first")
    persons: int = Field(10_000, ge=1, description="persons per tenant whose consent decision is kept")
    tenant_facts: int = Field(200_000, ge=1, description="maximum facts per tenant; further facts are not stored")
    max_characters: int = Field(400, ge=20, description="maximum characters of one fact")
    rerank: bool = Field(True, description="rerank the best candidates, if there is a reranker")


SECTIONS = {"memory": MemorySettings}
