"""Settings of online experiments."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class TrialsSettings(Section):
    """Online experiments over the arms of routes (docs/guides/trials.md)."""

    enabled: bool = Field(True, description="off: no trial reads events, and traffic is as the routes say")
    every_s: float = Field(10.0, ge=0.5, description="seconds between two looks at new events and decisions")
    most_running: int = Field(20, ge=1, description="trials of a tenant that may run at once")
    most_units: int = Field(300_000, ge=1000, description="maximum units of a trial; they decide it")
    outcomes_per_episode: int = Field(100, ge=1, description="maximum outcomes of one episode")


SECTIONS = {"trials": TrialsSettings}
