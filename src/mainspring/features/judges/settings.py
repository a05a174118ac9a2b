"""Settings of judges."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class JudgesSettings(Section):
    """Judges of answers (docs/guides/judges.md)."""

    model: str = Field("", description="default chat model of judges; empty: a model other than the default model")
    most_judges: int = Field(200, ge=1, description="maximum judges per tenant")
    most_items: int = Field(5_000, ge=1, description="maximum items of a measurement or an estimate")
    fresh_days: float = Field(90.0, gt=0, description="days for which the figures of a judge are valid for gates")
    item_timeout_s: float = Field(300.0, gt=0, description="seconds that the judgement of an item may take")
    lease_s: float = Field(60.0, ge=1, description="seconds after which another process resumes a dead one's work")


SECTIONS = {"judges": JudgesSettings}
