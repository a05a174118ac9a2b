"""Settings of the memory of persons."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section


class MemorySettings(Section):
    """What is remembered of a person across sessions (docs/guides/memory.md): only with the person's consent."""

    enabled: bool = Field(True, description="off: nothing is remembered and nothing recalled, whatever was agreed to")
    automatic: Literal["off", "recall", "on"] = Field(
        "on", description="of chat requests that do not say, if the person agreed: recall facts, and (on) learn some"
    )
    recalled: int = Field(6, ge=1, le=50, description="facts in one request")
    recalled_tokens: int = Field(400, ge=16, description="tokens of these facts")
    least_score: float = Field(0.25, ge=0, le=1, description="a fact with less to do with a message is not recalled")
    half_life_days: float = Field(365.0, gt=0, description="days in which an event loses half of its recency")
    retention_days: float = Field(0.0, ge=0, description="days since a fact was last told or used; 0: for ever")
    session_hours: float = Field(24.0, gt=0, description="of what is remembered for one session only")
    max_facts: int = Field(2000, ge=1, description="of one person; the least used go first")
    persons: int = Field(10_000, ge=1, description="of a tenant, persons whose decision is kept")
    tenant_facts: int = Field(200_000, ge=1, description="of all persons of a tenant; no more are kept then")
    max_characters: int = Field(400, ge=20, description="of one fact")
    rerank: bool = Field(True, description="read the best candidates with the reranker, if there is one")


SECTIONS = {"memory": MemorySettings}
