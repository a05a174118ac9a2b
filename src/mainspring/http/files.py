"""Uploaded files as JSON, and the purposes that they may have."""

from __future__ import annotations

from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.core.nearest import nearest, shown
from mainspring.core.types import real
from mainspring.stores.documents.files import PURPOSES, FileInfo


def check_purpose(purpose: str) -> None:
    """Raises ``InvalidRequest`` for a purpose that is none of OpenAI's for uploads."""
    if purpose not in PURPOSES:
        close = nearest(purpose, PURPOSES)
        remedy = f"Did you mean {close}?" if close else f"Use one of {', '.join(PURPOSES)}"
        raise InvalidRequest(f"no file has the purpose {shown(purpose)!r}", remedy=remedy, param="purpose")


def file_body(info: FileInfo) -> dict[str, Any]:
    """OpenAI's file object; ``sha256`` and ``groups`` are extensions."""
    return {
        "id": info.id,
        "object": "file",
        "bytes": info.bytes,
        "created_at": int(info.created_at),
        "expires_at": None if info.expires_at is None else int(info.expires_at),
        "filename": info.name,
        "purpose": info.purpose,
        "status": "processed",
        "status_details": None,
        "sha256": info.sha256,
        "groups": sorted(real(info.groups)),
    }
