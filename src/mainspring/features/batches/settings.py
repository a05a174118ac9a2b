"""Settings of batches."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class BatchesSettings(Section):
    """Batch jobs (docs/guides/batches.md): the number of lines that a process answers at once."""

    concurrency: int = Field(8, ge=1, description="concurrent lines while the engines have no other requests")
    concurrency_busy: int = Field(
        1, ge=0, description="concurrent lines while the engines have other requests; 0: batches wait"
    )
    parallel: int = Field(4, ge=1, description="concurrent batches")
    max_lines: int = Field(50_000, ge=1)
    max_bytes: int = Field(64 * 2**20, ge=1)
    lease_s: float = Field(30.0, ge=1, description="seconds after which another process resumes the work of a dead one")
    retries: int = Field(8, ge=0, description="retries of a line whose engine died")


SECTIONS = {"batches": BatchesSettings}
