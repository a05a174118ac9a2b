"""Settings of advice."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class AdviseSettings(Section):
    """Advice between prompt, documents and weights (docs/guides/rag-or-fine-tuning.md)."""

    parallel: int = Field(4, ge=1, description="advice that this process works on at once; most of it waits")
    per_tenant: int = Field(4, ge=1, description="advice of a tenant that may be queued or running")
    kept: int = Field(200, ge=1, description="advice of a tenant that is kept")
    questions: int = Field(1_000, ge=1, description="questions of one advice")
    examples: int = Field(5_000, ge=2, description="examples of a data set that a sample is drawn from: the first ones")
    every_s: float = Field(1.0, ge=0.01, description="seconds between looks at training and comparison")
    patience_s: float = Field(
        86_400.0, ge=0, description="seconds for which a stage waits for a quota, a limit or a busy engine"
    )
    lease_s: float = Field(30.0, ge=1, description="seconds after which the work of a dead process is taken up")


SECTIONS = {"advise": AdviseSettings}
