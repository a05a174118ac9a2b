"""Settings of judges."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class JudgesSettings(Section):
    """Judges of answers (docs/guides/judges.md)."""

    model: str = Field("", description="chat model of judges that name none; empty: one besides the default model")
    most_judges: int = Field(200, ge=1, description="most judges a tenant defines")
    most_items: int = Field(5_000, ge=1, description="most items of a measurement or an estimate")
    fresh_days: float = Field(90.0, gt=0, description="days for which a measured judge may gate")
    item_timeout_s: float = Field(300.0, gt=0, description="seconds for the judgement of an item")
    lease_s: float = Field(60.0, ge=1, description="seconds after which another process resumes a dead one's work")


SECTIONS = {"judges": JudgesSettings}
