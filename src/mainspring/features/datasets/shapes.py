"""Data sets as JSON."""

from __future__ import annotations

from typing import Any

import mainspring.stores.sql.rows as rows


def set_body(row: Any) -> dict[str, Any]:
    """A ``data_set`` object with its newest version."""
    return {
        "id": row.name,
        "object": "data_set",
        "name": row.name,
        "description": row.description or None,
        "version": row.number,
        "examples": row.examples - row.erased,
        "tags": rows.load(row.tags),
        "created_at": int(row.created_at),
        "updated_at": int(row.updated_at),
    }


def version_body(row: Any) -> dict[str, Any]:
    """A ``data_set.version`` object. ``erased`` examples are gone since it was made."""
    return {
        "object": "data_set.version",
        "name": row.name,
        "version": row.number,
        "examples": row.examples - row.erased,
        "erased": row.erased,
        "added": row.added,
        "changed": row.changed,
        "removed": row.removed,
        "fingerprint": row.fingerprint,
        "shares": rows.load(row.shares) or None,
        "note": row.note or None,
        "created_by": row.created_by,
        "created_at": int(row.created_at),
    }
