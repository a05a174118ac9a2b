"""References in the configuration: values from the environment (``api_key: env:OPENAI_API_KEY``), resolved while the
file is read, or encrypted in the database (``api_key: credential:openai``), resolved by their user."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from mainspring.core.errors import SettingsError

PREFIX = "credential:"
CREDENTIAL = re.compile(r"credential:([A-Za-z0-9][A-Za-z0-9_.-]{0,63})")
M = TypeVar("M", bound=BaseModel)

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


def credentials_in(settings: BaseModel) -> dict[str, str]:
    """The names of credentials that ``settings`` refer to, by the setting that does."""
    return dict(_named(settings, ""))


def with_credentials(settings: M, secrets: Mapping[str, str]) -> M:
    """``settings`` with each ``credential:NAME`` replaced by its secret."""
    changed = {name: _filled(value, secrets) for name, value in settings}
    return settings.model_copy(
        update={name: value for name, value in changed.items() if value is not getattr(settings, name)}
    )


def _named(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if found := CREDENTIAL.fullmatch(value):
            yield place, found[1]
        return
    if isinstance(value, BaseModel | Mapping):
        inner = value if isinstance(value, BaseModel) else value.items()
        for name, each in inner:
            yield from _named(each, f"{place}.{name}" if place else str(name))
    elif isinstance(value, tuple | list):
        for index, each in enumerate(value):
            yield from _named(each, f"{place}.{index}")


def _filled(value: Any, secrets: Mapping[str, str]) -> Any:
    """``value`` itself where nothing in it refers to a credential."""
    if not any(True for _ in _named(value, "")):
        return value
    if isinstance(value, str):
        return secrets[value.removeprefix(PREFIX)]
    if isinstance(value, BaseModel):
        return with_credentials(value, secrets)
    if isinstance(value, Mapping):
        return {name: _filled(each, secrets) for name, each in value.items()}
    return type(value)(_filled(each, secrets) for each in value)
