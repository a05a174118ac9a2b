"""Settings of conversations."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class ConversationsSettings(Section):
    """Conversations to which responses are added."""

    max_items: int = Field(10_000, ge=1, description="items of one conversation")
    max_conversations: int = Field(10_000, ge=1, description="conversations of one key")
    retention_days: float = Field(
        0.0, ge=0, description="days for which conversations are kept after their last change; 0: for ever"
    )


SECTIONS = {"conversations": ConversationsSettings}
