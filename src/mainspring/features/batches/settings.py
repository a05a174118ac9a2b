"""Settings of batches."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class BatchesSettings(Section):
    """Batch jobs (docs/guides/batches.md): how many of their lines are answered at once in a process."""

    concurrency: int = Field(8, ge=1, description="while nobody else asks the engines")
    concurrency_busy: int = Field(1, ge=0, description="while somebody does; 0: batches wait")
    parallel: int = Field(4, ge=1, description="batches that are answered side by side")
    max_lines: int = Field(50_000, ge=1)
    max_bytes: int = Field(64 * 2**20, ge=1)
    lease_s: float = Field(30.0, ge=1, description="after this long others take up what a dead process left")
    retries: int = Field(8, ge=0, description="how often a line is tried again whose engine died")


SECTIONS = {"batches": BatchesSettings}
