"""Settings of review."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class ReviewSettings(Section):
    """Queues of answers for people (docs/guides/review.md)."""

    enabled: bool = Field(True, description="off: no answers are added to queues")
    every_s: float = Field(10.0, ge=0.5, description="seconds between two checks for new answers")
    deliver_every_s: float = Field(60.0, ge=0, description="seconds between two versions of a queue's data set")
    queues: int = Field(50, ge=1, le=10_000, description="maximum queues per tenant")
    open_items: int = Field(
        5_000, ge=1, le=1_000_000, description="maximum waiting items per queue; further items are dropped"
    )
    items: int = Field(100_000, ge=1, description="maximum items per queue, including finished ones")
    consented: bool = Field(False, description="only answers with consent to learning are added")


SECTIONS = {"review": ReviewSettings}
