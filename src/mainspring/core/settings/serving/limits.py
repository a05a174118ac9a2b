"""Limits of one tenant on a server, over all its keys."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from mainspring.core.settings.section import Section

Amount = Annotated[int, Field(ge=0, le=2**53)]


class TenantLimits(Section):
    """Limits of a tenant; 0: no limit. The rates and the number of concurrent requests count model
    requests on any route; the others limit what a tenant may store."""

    requests_per_minute: Amount = 0
    tokens_per_minute: Amount = 0
    concurrent_requests: Amount = Field(0, description="requests that run or wait at a time")
    keys: Amount = Field(1_000, description="usable keys")
    vector_stores: Amount = 1_000
    files: Amount = 100_000
    file_bytes: Amount = 0
    chunks: Amount = Field(5_000_000, description="searchable chunks; checked before each document")
    sessions: Amount = 1_000_000
    batches: Amount = Field(1_000, description="unfinished batches")
    prompts: Amount = Field(10_000, description="versions of all prompts")
    budgets: Amount = Field(1_000, description="budgets of all kinds, including the operator's")
    feedback_per_answer: Amount = 100


class OverriddenLimits(BaseModel):
    """Fields of one tenant's limits; None leaves a limit unchanged."""

    requests_per_minute: Amount | None = None
    tokens_per_minute: Amount | None = None
    concurrent_requests: Amount | None = None
    keys: Amount | None = None
    vector_stores: Amount | None = None
    files: Amount | None = None
    file_bytes: Amount | None = None
    chunks: Amount | None = None
    sessions: Amount | None = None
    batches: Amount | None = None
    prompts: Amount | None = None
    budgets: Amount | None = None
    feedback_per_answer: Amount | None = None


class TenantOverrides(OverriddenLimits, Section):
    """Limits of one tenant. Fields that it omits take the value for all tenants."""


class LimitsSettings(Section):
    """``tenant`` holds for every tenant, ``tenants`` names others for some. Values set over HTTP or by ``mainspring
    limits set``, with the scope ``operate``, override both."""

    tenant: TenantLimits = Field(default_factory=TenantLimits)
    tenants: dict[str, TenantOverrides] = Field(default_factory=dict)

    def of(self, tenant: str) -> dict[str, int]:
        """The limits of a tenant by their names."""
        own = self.tenants.get(tenant)
        return {**self.tenant.model_dump(), **({} if own is None else own.model_dump(exclude_none=True))}
