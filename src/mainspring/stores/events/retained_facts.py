"""What of an event's facts outlives an erasure: numbers, and names that are ours or the operator's.

The ledger sums what is left exactly as before. What a caller wrote goes: names of users and sessions, comments, models
that nobody serves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS = frozenset(
    {
        *("status", "operation", "model", "provider", "key_id", "cache", "application", "requested", "arm", "replica"),
        *("instead", "error", "rate", "charged", "guard", "action", "kind", "stage", "role", "policy", "version"),
        *("rating", "signal", "scope", "period", "window", "mode", "method", "code", "finish", "id", "name"),
        *("chunk_id", "document_id", "collections", "erasure", "outcome", "reason", "at"),
    }
)
# Mappings whose keys are the operator's.
_WHOLE = frozenset({"arms", "price"})
_NEVER = frozenset({"user", "session_id", "previous", "comment", "prefix", "prefix_tokens", "edit", "query", "text"})


def bare(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that may stay."""
    kept = {name: value for name, value in facts.items() if name not in _NEVER}
    if facts.get("error") == "model_not_found":
        # What was asked for is nobody's name but the caller's text.
        for name in ("requested", "application", "model"):
            kept.pop(name, None)
    return {name: found for name, value in kept.items() if (found := _kept(name, value)) is not _GONE}


class _Gone:
    pass


_GONE = _Gone()


def _kept(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float) or name in _WHOLE:
        return value
    if isinstance(value, str):
        return value if name in _WORDS else _GONE
    if isinstance(value, Mapping):
        return bare(value)
    return [found for each in value if (found := _kept(name, each)) is not _GONE]
