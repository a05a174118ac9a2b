"""Values of a command line that are given as ``NAME=VALUE``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mainspring.core.errors import InvalidRequest


def read(given: Iterable[str], param: str) -> dict[str, Any]:
    """By name; values as JSON where they are JSON, else as text. Raises ``InvalidRequest`` about ``param``."""
    found: dict[str, Any] = {}
    for each in given:
        name, sign, value = each.partition("=")
        if not sign or not name:
            raise InvalidRequest(f"{each!r} has no name and value", remedy="Write NAME=VALUE", param=param)
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
