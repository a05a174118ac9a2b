"""Settings of the red team."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from mainspring.core.settings.section import Section


class RedTeamSettings(Section):
    """Attacks that the loop of improvement makes on candidates."""

    data: Path | None = Field(None, description="folder of data sets with attacks; without one, those that need none")


SECTIONS = {"redteam": RedTeamSettings}
