"""Values of the configuration file that stand in the environment: ``api_key: env:OPENAI_API_KEY``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mainspring.errors import SettingsError

_REFERENCE = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)")


def resolved(values: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Any]:
    """``values`` with each ``env:NAME`` replaced. Raises ``SettingsError`` for a variable that is not set."""
    return {key: _resolved(value, environment, str(key)) for key, value in values.items()}


def _resolved(value: Any, environment: Mapping[str, str], place: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _resolved(each, environment, f"{place}.{key}") for key, each in value.items()}
    if isinstance(value, list):
        return [_resolved(each, environment, f"{place}.{index}") for index, each in enumerate(value)]
    found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return value
    if found[1] not in environment:
        raise SettingsError(f"{place} is {value}, and {found[1]} is not set", remedy=f"Set {found[1]}")
    return environment[found[1]]
