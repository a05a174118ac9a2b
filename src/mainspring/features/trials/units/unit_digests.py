"""Names of units that tell nobody's: digests."""

from __future__ import annotations

import hashlib


def digest(tenant: str, trial: str, kind: str, name: str) -> str:
    """Of a unit's name; a session's is its ``session_name``."""
    return hashlib.sha256("\0".join((tenant, trial, kind, name)).encode()).hexdigest()[:32]
