"""Settings of data sets."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class DataSetsSettings(Section):
    """Data sets (docs/guides/datasets.md)."""

    max_sets: int = Field(1_000, ge=1, description="data sets of a tenant")
    max_rows: int = Field(1_000_000, ge=1, description="rows of a tenant in all versions of its data sets")
    max_versions: int = Field(10_000, ge=1, description="versions of one data set")
    draft_s: float = Field(
        60.0, ge=1, description="seconds without progress after which an unfinished version is dropped"
    )


SECTIONS = {"datasets": DataSetsSettings}
