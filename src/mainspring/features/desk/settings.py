"""Settings of the support desk."""

from __future__ import annotations

from pydantic import Field

from mainspring.agents.handover import CasePriority
from mainspring.core.settings.section import Section
from mainspring.features.desk.channels.settings import ChannelsSettings


class QueueRule(Section):
    """Cases that fit every condition that is given go to ``queue``."""

    queue: str = Field(min_length=1, max_length=64, description="queue of matching cases")
    topics: tuple[str, ...] = Field((), description="the topic is one of these")
    priorities: tuple[CasePriority, ...] = Field((), description="the priority is one of these")
    languages: tuple[str, ...] = Field((), description="the language of the case is one of these (`en`, `de`)")
    channels: tuple[str, ...] = Field((), description="the case came by one of these channels")


class ServiceLevel(Section):
    """Minutes within which a person has to say something, by the priority of a case."""

    urgent: float = Field(15.0, gt=0)
    high: float = Field(60.0, gt=0)
    normal: float = Field(240.0, gt=0)
    low: float = Field(1440.0, gt=0)


class DeskSettings(Section):
    """The support desk (docs/guides/desk.md): queues of cases, and how long customers may wait."""

    prefix: str = Field("CS-", max_length=8, pattern=r"^[A-Za-z0-9-]*$", description="prefix of case numbers")
    queue: str = Field("general", min_length=1, max_length=64, description="queue of cases that match no rule")
    rules: tuple[QueueRule, ...] = Field((), description="rules; the first matching rule sets the queue of a case")
    answer_minutes: ServiceLevel = Field(
        ServiceLevel(), description="minutes in which a person must answer a customer, by priority"
    )
    notice: str = Field(
        "Your message went to our team as case {number}. A person will answer here.",
        max_length=1000,
        description="message to a customer while a person handles the conversation",
    )
    assist: bool = Field(True, description="make summaries, hints and suggested answers for people")
    collections: tuple[str, ...] = Field(
        (),
        max_length=3,
        description="collections for suggestions; empty: those that the customer's key may see, at most three",
    )
    summary_model: str = Field(
        "auto",
        description="model that writes summaries; auto: models.larger if it is served; empty: sentences of the "
        "conversation",
    )
    greeting: str = Field(
        "Hello, I have read your conversation and am taking care of it ({number}). One moment, please.",
        max_length=500,
        description="greeting that is suggested as a person's first answer; empty: none",
    )
    retention_days: float = Field(0.0, ge=0, description="days for which a closed case is kept; 0: for ever")
    max_open: int = Field(50_000, ge=1, description="open cases of a tenant")


SECTIONS = {"channels": ChannelsSettings, "desk": DeskSettings}
