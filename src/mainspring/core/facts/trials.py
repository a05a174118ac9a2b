"""The facts of online experiments, of the loop of improvement, of variants and of advice: what was decided, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from mainspring.core.facts.base import Facts
from mainspring.core.facts.marks import Keep, Served


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ImprovementFacts(Facts):
    """A ``campaign`` for an ``application`` went from the stage ``before`` to ``stage``. ``rung`` is the number of the
    ``recipe`` that is tried, ``candidate`` the id of what was made and ``version`` its name among trained versions.
    ``by`` is the key that decided; empty: the rule. ``figures`` are those that the decision rests on."""

    EVENT: ClassVar[str] = "improvement"

    campaign: Keep[str] = ""
    application: Keep[str] = ""
    policy: Keep[int] = 0
    before: Keep[str] = ""
    stage: Keep[str] = ""
    rung: Keep[int] = 0
    recipe: Keep[str] = ""
    candidate: Keep[str] = ""
    version: Keep[str] = ""
    reason: Keep[str] = ""
    by: Keep[str] = ""
    figures: Keep[Mapping[str, float] | None] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantFacts(Facts):
    """A change of what an application uses. ``action`` is ``admitted``, ``shadow``, ``canary``, ``promoted``,
    ``withdrawn`` or ``undone``; ``part`` is the candidate's kind; ``before`` are the ids of what was current, ``after``
    of what is. ``by`` is the key that asked for it."""

    EVENT: ClassVar[str] = "variant"

    application: Served[str] = ""
    candidate: Keep[str] = ""
    part: Keep[str] = ""
    action: Keep[str] = ""
    share: Keep[float] = 0.0
    reason: Keep[str] = ""
    by: Keep[str] = ""
    before: Keep[str] = ""
    after: Keep[str] = ""
    version: Keep[str] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowFacts(Facts):
    """A copy of an application's request, answered by the ``variant`` under trial and shown to nobody. Its event is
    about the answer that was shown. ``cost_nanousd`` was not charged."""

    EVENT: ClassVar[str] = "shadow"

    application: Served[str] = ""
    variant: Keep[str] = ""
    error: Keep[str] = ""
    answered: Keep[bool | None] = None
    citations: Keep[int] = 0
    prompt_tokens: Keep[int] = 0
    completion_tokens: Keep[int] = 0
    cost_nanousd: Keep[int] = 0
    duration_s: Keep[float] = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceFacts(Facts):
    """An ``advice`` over a ``data_set`` went to ``stage``, or decided about a ``way``: it was ``admitted``,
    ``not_tried``, ``ruled_out``, ``recommended`` or is ``unsure``. ``figures`` are those that the decision rests on."""

    EVENT: ClassVar[str] = "advice"

    advice: Keep[str] = ""
    data_set: Keep[str] = ""
    stage: Keep[str] = ""
    way: Keep[str] = ""
    decision: Keep[str] = ""
    reason: Keep[str] = ""
    figures: Keep[Mapping[str, float] | None] = None
