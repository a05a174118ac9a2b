"""Settings of arenas."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class ArenaSettings(Section):
    """Blind votes between models (docs/guides/arena.md)."""

    most_arenas: int = Field(100, ge=1, description="arenas of a tenant")
    open_battles: int = Field(20, ge=1, description="battles that a person may have open at once")
    open_hours: float = Field(24.0, gt=0, description="hours after which a battle without a vote is deleted")
    max_tokens: int = Field(512, ge=1, description="longest answer, in tokens, unless the arena says otherwise")
    rated_votes: int = Field(50_000, ge=100, description="number of latest votes that a leaderboard counts")
    suspicious_votes: int = Field(10, ge=2, description="minimum votes before a voter can be marked as suspicious")


SECTIONS = {"arena": ArenaSettings}
