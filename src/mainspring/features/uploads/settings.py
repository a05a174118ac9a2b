"""Settings of uploads."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class UploadsSettings(Section):
    """Files that come in parts (docs/guides/documents.md): their sizes, and what a tenant may have under way."""

    max_bytes: int = Field(
        128 * 2**20, ge=1, description="maximum bytes of a file; one file at a time is joined, in memory"
    )
    part_bytes: int = Field(
        64 * 2**20, ge=1, description="maximum bytes of a part; gateway.max_upload_bytes bounds it, too"
    )
    pending: int = Field(100, ge=1, description="uploads of a tenant that are not completed")
    pending_bytes: int = Field(2 * 2**30, ge=1, description="announced bytes of these uploads")
    expire_s: float = Field(3_600.0, gt=0, description="seconds after which an upload that is not completed is deleted")


SECTIONS = {"uploads": UploadsSettings}
