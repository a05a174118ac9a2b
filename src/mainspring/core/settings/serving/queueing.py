"""Settings of the queue before an engine. See ``mainspring.serving.admit.gate``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from mainspring.core.settings.section import Section


class AdmissionSettings(Section):
    """The queue of an engine and its maximum waiting times, in seconds.

    ``shares`` are the weights of tenants (1 where not named), ``tiers`` the classes of the keys of a tier (interactive
    where not named). Interactive requests may wait ``max_wait_s``. If the
    queue has not been empty for ``burst_s``, they may wait only ``standing_wait`` times the service time of a request.
    """

    shares: dict[str, float] = Field(default_factory=dict)
    tiers: dict[str, Literal["interactive", "background", "batch"]] = Field(default_factory=dict)
    max_wait_s: float = Field(10.0, ge=0)
    burst_s: float = Field(2.0, ge=0)
    standing_wait: float = Field(0.5, ge=0)
    background_wait_s: float = Field(60.0, ge=0)
    age_s: float = Field(30.0, gt=0, description="seconds of waiting after which a lower class gets one turn in ten")

    @field_validator("shares")
    @classmethod
    def _shares_are_weights(cls, value: dict[str, float]) -> dict[str, float]:
        for tenant, weight in value.items():
            if not 0.001 <= weight <= 1000:
                raise ValueError(f"the share of {tenant} must be between 0.001 and 1000")
        return value
