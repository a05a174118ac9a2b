"""Settings of routing: how replicas are chosen, and names whose requests are shared out among models."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field, model_validator

from mainspring.core.settings.section import Section

RESERVED = frozenset({"shadow", "hedge"})
"""Names that calls record in place of a route's arm."""

Policy = Literal["prefix", "least_tokens", "latency", "weighted"]


class BalanceSettings(Section):
    """How a call finds its replica, and when a replica is left alone. Times in seconds.

    ``policy``: ``prefix`` (the replica that has read the start of the prompt, within the bound of ``slack``),
    ``least_tokens`` (fewest tokens in progress), ``latency`` (lowest expected time to the first token), ``weighted``
    (at random by weight). ``slack`` is how many times the mean load a replica may have and still be preferred.
    """

    policy: Policy = "prefix"
    slack: float = Field(1.25, ge=1)
    failures: int = Field(5, ge=1, description="consecutive failures after which a replica is left alone")
    error_rate: float = Field(0.5, gt=0, le=1, description="share of failed calls within window_s with the same effect")
    window_s: float = Field(30.0, gt=0)
    min_calls: int = Field(10, ge=1, description="calls within window_s below which the error rate does not count")
    cooldown_s: float = Field(1.0, gt=0, description="seconds of the first pause; each further one is twice as long")
    longest_cooldown_s: float = Field(60.0, gt=0)
    retry_share: float = Field(0.2, ge=0, le=1, description="share of all calls that may be retried")
    retry_burst: int = Field(100, ge=1, description="calls that may be retried in addition to that share")
    hedge_share: float = Field(
        0.0, ge=0, le=0.5, description="share of all calls that may get a second attempt; 0: off"
    )
    hedge_quantile: float = Field(0.95, gt=0.5, lt=1, description="quantile of the replica's times to the first token")
    hedge_minimum_s: float = Field(0.05, ge=0)


class RouteArm(Section):
    """A model that gets its part of a route's requests; ``weight`` 0 keeps it known and idle."""

    model: str
    weight: float = Field(1.0, ge=0)


class ShadowArm(Section):
    """A model that gets a copy of a ``share`` of the requests; its output is recorded and never shown."""

    model: str
    share: float = Field(1.0, gt=0, le=1)
    concurrency: int = Field(4, ge=1, description="concurrent copies; further ones are skipped and counted")
    timeout_s: float = Field(60.0, gt=0)
    max_tokens: int = Field(2048, ge=1, description="maximum tokens of one copy, including its prompt")
    steps: int | None = Field(1, ge=1, description="maximum model calls of one copy; null: any number")
    recorded: bool = Field(False, description="whether each copy leaves an event of its own about the shown answer")


class RouteSettings(Section):
    """A name whose requests are shared out among models.

    ``sticky`` says what stays with one arm: a ``session`` (without a session, the request's ``user`` field; without
    both, each request by itself), an API ``key``, or nothing (``request``). ``fallback`` are tried in turn when the
    arm's model fails or is overloaded, ``context_fallback`` when the prompt does not fit its window.
    """

    arms: dict[str, RouteArm] = Field(min_length=1)
    sticky: Literal["session", "key", "request"] = "session"
    shadows: dict[str, ShadowArm] = Field(default_factory=dict)
    fallback: tuple[str, ...] = ()
    context_fallback: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[str, ...]:
        """All that it names."""
        arms = [arm.model for arm in self.arms.values()]
        shadows = [shadow.model for shadow in self.shadows.values()]
        return (*arms, *shadows, *self.fallback, *self.context_fallback)

    @model_validator(mode="after")
    def _some_arm_answers(self) -> RouteSettings:
        if not any(arm.weight for arm in self.arms.values()):
            raise ValueError("no arm has a weight above 0")
        if twice := set(self.arms) & set(self.shadows):
            raise ValueError(f"{', '.join(sorted(twice))} is both an arm and a shadow")
        return self


def problem(routes: Mapping[str, RouteSettings], models: Sequence[str]) -> str:
    """The error in ``routes`` if ``models`` are the permitted targets; empty if there is no error."""
    for name, route in routes.items():
        if name in RESERVED:
            return f"serving.routes.{name}: calls are marked by that word; give the route another name"
        for model in route.models:
            if model not in models:
                close = difflib.get_close_matches(model, models, n=1, cutoff=0.4)
                hint = f"did you mean {close[0]}?" if close else "name one of models.chat, models.remote or models.vllm"
                return f"serving.routes.{name}: there is no model {model}; {hint}"
    return ""
