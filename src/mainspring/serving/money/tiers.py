"""Compares tiers: rights of one tier's keys that another's lack."""

from __future__ import annotations

import math

from mainspring.core.settings import ServingSettings
from mainspring.core.types import Priority
from mainspring.serving.admit.rate_limits import Limits


def beyond(settings: ServingSettings, tier: str, own: str) -> list[str]:
    """In what ``tier`` grants more than ``own``: rates by their names, and the class."""
    limits = Limits.of(settings)
    theirs, ours = limits.of_tier(tier), limits.of_tier(own)
    # Unlimited requests a day.
    pairs = {
        "requests_per_minute": (theirs.requests_per_minute, ours.requests_per_minute),
        "tokens_per_minute": (theirs.tokens_per_minute, ours.tokens_per_minute),
        "requests_per_day": (theirs.requests_per_day or math.inf, ours.requests_per_day or math.inf),
        "class": (priority(settings, tier), priority(settings, own)),
    }
    return [name for name, (more, most) in pairs.items() if more > most]


def priority(settings: ServingSettings, tier: str) -> Priority:
    """The class of the keys of ``tier``."""
    return Priority[settings.admission.tiers.get(tier, "interactive").upper()]
