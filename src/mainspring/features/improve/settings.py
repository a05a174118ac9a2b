"""Settings of the loop."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class ImproveSettings(Section):
    """The loop of improvement (docs/guides/improving.md)."""

    enabled: bool = Field(True, description="off: no campaign starts or continues")
    every_s: float = Field(15.0, ge=0.05, description="seconds between two checks of policies and campaigns")
    lease_s: float = Field(120.0, ge=1, description="seconds after which the work of a dead process is taken up")
    policies: int = Field(50, ge=1, description="applications of a tenant that may have a policy")
    versions: int = Field(200, ge=1, description="versions of a policy that are kept")
    campaigns: int = Field(1_000, ge=1, description="campaigns per tenant that are kept; the oldest are deleted first")
    running: int = Field(4, ge=1, description="campaigns of a tenant that may run at once")
    at_once: int = Field(32, ge=1, description="campaigns of all tenants that are processed at once")
    answers: int = Field(2_000_000, ge=1000, description="answers per tenant whose variant is recorded")
    sources: int = Field(200_000, ge=1, description="maximum answers behind one candidate")
    patience_s: float = Field(7 * 86_400.0, ge=1, description="seconds for which a stage waits before it is given up")
    usd_per_hour: float = Field(0.0, ge=0, description="cost of an hour of training in US dollars, for budgets")


SECTIONS = {"improve": ImproveSettings}
