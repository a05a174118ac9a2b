"""The scopes of keys: those of the rooms, and those that features declare for their routes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mainspring.core import slices

OPERATE = "operate"
"""The scope of the server's operator: sums over all tenants. No other scope brings it, ``admin`` neither."""
SCOPES: Mapping[str, str] = MappingProxyType(
    {
        "chat": "ask models, applications and collections",
        "embed": "embed and rerank",
        "ingest": "upload and remove documents",
        **{scope: what for _, found in slices.declared("scopes", "SCOPES") for scope, what in found.items()},
        "admin": "everything of this tenant",
        OPERATE: "drain replicas; with admin: see what all tenants cost",
    }
)
"""All scopes and what each allows: those of the rooms, and ``SCOPES`` in the module ``scopes`` of each feature."""


def with_implied(scopes: frozenset[str]) -> frozenset[str]:
    """``scopes``, and if ``admin`` is among them all others of a tenant."""
    return scopes | (frozenset(SCOPES) - {OPERATE}) if "admin" in scopes else scopes
