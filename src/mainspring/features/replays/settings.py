"""Settings of replays in the background."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class ReplaysSettings(Section):
    """Many recorded requests that are asked again as one job."""

    lease_s: float = Field(30.0, ge=1, description="seconds after which another process resumes the work of a dead one")


SECTIONS = {"replays": ReplaysSettings}
