"""Settings of experiments."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class ExperimentsSettings(Section):
    """Experiments and evals (docs/guides/experiments.md)."""

    parallel: int = Field(2, ge=1, description="experiments that this process works on at once")
    concurrency: int = Field(4, ge=1, le=64, description="maximum concurrent questions of one experiment")
    per_tenant: int = Field(20, ge=1, description="experiments of a tenant that may be queued or running")
    kept: int = Field(1_000, ge=1, description="experiments of a tenant that are kept")
    max_answers: int = Field(400_000, ge=1, description="answers of one experiment: examples times responders")
    lease_s: float = Field(30.0, ge=1, description="seconds after which the work of a dead process is taken up")


SECTIONS = {"experiments": ExperimentsSettings}
