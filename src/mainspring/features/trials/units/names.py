"""Names of sessions and units that tell nobody's: digests."""

from __future__ import annotations

import hashlib


def session_name(tenant: str, session: str) -> str:
    """What an outcome of a session is about: a session's name may name a person, and events stay."""
    return "ses_" + hashlib.sha256(f"{tenant}\0{session}".encode()).hexdigest()[:26]


def digest(tenant: str, trial: str, kind: str, name: str) -> str:
    """Of a unit's name; a session's is its ``session_name``."""
    return hashlib.sha256("\0".join((tenant, trial, kind, name)).encode()).hexdigest()[:32]
