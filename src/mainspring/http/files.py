"""Uploaded files: what a form says of them, the purposes that they may have, and their JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import UploadFile
from starlette.datastructures import FormData

from mainspring.core.errors import InvalidRequest
from mainspring.core.nearest import nearest, shown
from mainspring.core.types import real
from mainspring.stores.documents.files import PURPOSES, FileInfo


def check_form(form: FormData, known: Sequence[str]) -> None:
    """Raises ``InvalidRequest`` for a field of a form that is not ``known``."""
    if unknown := form.keys() - set(known):
        field = shown(min(unknown))
        close = nearest(field, known)
        remedy = f"Did you mean {close}?" if close else f"It takes {', '.join(known)}"
        raise InvalidRequest(f"unknown field {field!r}", remedy=remedy, param=field)


async def named_content(file: UploadFile) -> tuple[str, bytes]:
    """The name and the bytes of an uploaded file. Raises ``InvalidRequest`` if either is missing."""
    if not file.filename:
        raise InvalidRequest("the uploaded file has no name", param="file")
    data = await file.read()
    if not data:
        raise InvalidRequest("the uploaded file is empty", param="file")
    return file.filename, data


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
