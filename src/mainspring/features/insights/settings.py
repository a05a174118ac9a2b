"""Settings of insights."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class FixedTopic(Section):
    """A topic that people define: a name, and things that customers say about it."""

    name: str = Field(min_length=1, max_length=80)
    examples: list[str] = Field(min_length=1, max_length=200)


class InsightsSettings(Section):
    """What conversations are about, and how they end (docs/guides/insights.md)."""

    enabled: bool = Field(True, description="off: conversations are not analysed")
    applications: list[str] = Field([], description="agents, applications and models to read; empty: all")
    consented: bool = Field(False, description="read only conversations whose askers let them be used for learning")
    every_s: float = Field(600.0, ge=1, description="seconds between two checks for new conversations")
    share: float = Field(
        0.15, gt=0, le=1, description="share of the time that such a check works while there are requests"
    )
    keep_days: float = Field(180.0, gt=0, description="days for which turns are counted")
    topics: list[FixedTopic] = Field([], description="topics with examples, in addition to the topics that are found")
    similarity: float = Field(0.5, gt=0, lt=1, description="minimum cosine of a turn and its topic")
    topic_turns: int = Field(5, ge=2, description="minimum similar turns for a new topic")
    idle_minutes: float = Field(30.0, gt=0, description="minutes without a turn after which a conversation has ended")
    again_days: float = Field(3.0, ge=0, description="a contact on the same topic within these days: not resolved")
    escalating_tools: list[str] = Field(
        ["escalate", "escalate_to_human", "transfer_to_human", "transfer_to_human_agents"],
        description="tools that hand a conversation to people",
    )
    anonymity: int = Field(
        3, ge=2, description="fewest conversations behind a word of a topic's name and behind an entry of the FAQ"
    )
    spike: float = Field(3.0, gt=0, description="standard deviations above the usual count from which a day is a spike")


SECTIONS = {"insights": InsightsSettings}
