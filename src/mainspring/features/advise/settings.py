"""Settings of advice."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class AdviseSettings(Section):
    """Advice between prompt, documents and weights (docs/guides/rag-or-fine-tuning.md)."""

    parallel: int = Field(4, ge=1, description="advice jobs that this process runs at once; they mostly wait")
    per_tenant: int = Field(4, ge=1, description="advice jobs per tenant that may be queued or running")
    kept: int = Field(200, ge=1, description="advice jobs per tenant that are kept")
    questions: int = Field(1_000, ge=1, description="maximum questions per advice job")
    examples: int = Field(
        5_000, ge=2, description="number of examples, from the start of a data set, that samples are drawn from"
    )
    every_s: float = Field(1.0, ge=0.01, description="seconds between two checks of training and experiments")
    patience_s: float = Field(
        86_400.0, ge=0, description="seconds for which a stage waits for a quota, a limit or a busy engine"
    )
    lease_s: float = Field(30.0, ge=1, description="seconds after which the work of a dead process is taken up")


SECTIONS = {"advise": AdviseSettings}
