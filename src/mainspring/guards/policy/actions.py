"""What a policy does in the end, and its fields as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel


def plain(value: Any) -> str:
    """A field of a policy as text, the same for values with the same decisions: the order of names and mappings does
    not matter."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    elif isinstance(value, tuple):
        value = sorted(value)
    return json.dumps(dict(value) if isinstance(value, Mapping) else value, sort_keys=True)


def at_most_flagged(action: Any, role: str, roles: tuple[str, ...] = ("tool", "code")) -> Any:
    """``action``, but tool results never refuse a request: a single poisoned page would stop an agent. Source code does
    not refuse one either: its comments and strings do not instruct a model that completes it."""
    return "flag" if role in roles and action == "refuse" else action
