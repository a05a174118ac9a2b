"""Settings of exports."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class ExportBounds(Section):
    """Bounds of exports for training."""

    interactions: int = Field(
        1_000_000,
        ge=1,
        description="maximum interactions per export after cleaning; they use disk space during the export",
    )
    pending: int = Field(4, ge=1, description="exports of a tenant that are queued or running")
    kept: int = Field(100, ge=1, description="exports of a tenant whose files are kept")
    lease_s: float = Field(60.0, gt=0, description="seconds after which the export of a dead process is taken up")
