"""Settings of the red team."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mainspring.core.settings.section import Section


class RedTeamSettings(Section):
    """Attacks that the loop of improvement makes on candidates."""

    data: Path | None = Field(
        None, description="folder with data sets of attacks; none: only attacks that need no data set"
    )


SECTIONS = {"redteam": RedTeamSettings}
