"""The facts of online experiments: what was decided about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from mainspring.core.facts.base import Facts
from mainspring.core.facts.marks import Keep


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFacts(Facts):
    """A decision about an online experiment over a ``route``: it was ``started``, an arm was ``dropped`` or
    ``promoted``, or the trial ``ended``. ``by`` is the key that decided; empty: the rule. ``weights`` are those of the
    arms from then on, ``units`` and ``rates`` of success what was known of each arm."""

    EVENT: ClassVar[str] = "trial"

    trial: Keep[str] = ""
    route: Keep[str] = ""
    action: Keep[str] = ""
    arm: Keep[str] = ""
    reason: Keep[str] = ""
    by: Keep[str] = ""
    weights: Keep[Mapping[str, float] | None] = None
    units: Keep[Mapping[str, int] | None] = None
    rates: Keep[Mapping[str, float] | None] = None
