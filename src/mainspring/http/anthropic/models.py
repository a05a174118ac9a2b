"""Models in Anthropic's shape, for clients that send ``anthropic-version``."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.serving.ring.registry import Served

VERSION = "anthropic-version"
"""The header by which Anthropic's clients are known."""


def models_body(served: Sequence[Served], limit: int, after: str | None, before: str | None) -> dict[str, Any]:
    """A page of models. Raises ``InvalidRequest`` for an id that is not in the list."""
    places = {model.name: place for place, model in enumerate(served)}
    for name, cursor in (("after_id", after), ("before_id", before)):
        if cursor is not None and cursor not in places:
            raise InvalidRequest(f"{name} is not an ID from this list", remedy="Send an ID from the list", param=name)
    found = served[0 if after is None else places[after] + 1 : None if before is None else places[before]]
    kept = found[-limit:] if before is not None and after is None else found[:limit]
    data = [model_body(model) for model in kept]
    ends = {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
    return {"data": data, "has_more": len(found) > limit, **ends}


def model_body(model: Served) -> dict[str, Any]:
    """One model."""
    created = datetime.datetime.fromtimestamp(model.created, datetime.UTC)
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.name,
        "created_at": created.isoformat().replace("+00:00", "Z"),
        "lifecycle": "active",
    }
