"""Settings of imports."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class ImportsSettings(Section):
    """Recorded traffic of other systems (docs/guides/import.md)."""

    max_bytes: int = Field(2**30, ge=1, description="maximum bytes of an unpacked file")
    max_records: int = Field(1_000_000, ge=1, description="maximum records of a file")
    max_json_bytes: int = Field(
        64 * 2**20, ge=1, description="maximum bytes of a file that is one JSON value, because it is read as a whole"
    )
    pending: int = Field(4, ge=1, description="imports of a tenant that are queued or running")
    kept: int = Field(1_000, ge=1, description="imports per tenant that are listed; the oldest are deleted")
    slice: int = Field(10_000, ge=1, description="records of an import before the import of another tenant continues")
    lease_s: float = Field(30.0, gt=0, description="seconds after which the import of a dead process is taken up")


SECTIONS = {"imports": ImportsSettings}
