"""Reading the configuration: defaults, then the file, then the environment."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic import BaseModel, ValidationError

import mainspring.core.settings.references as references
from mainspring.core.errors import SettingsError
from mainspring.core.settings.tree import Settings

PREFIX = "MAINSPRING_"


CONFIG_NAME = "mainspring.yaml"


# Names with our prefix that are not settings: where the configuration lies, and the benchmarks' data sets.
OTHER_NAMES = frozenset({"MAINSPRING_CONFIG", "MAINSPRING_DATA", "MAINSPRING_API_KEY", "MAINSPRING_URL"})


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings with the origin of each dotted key that is not a default."""

    settings: Settings
    origins: Mapping[str, str]
    environment: Mapping[str, str]


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> LoadedSettings:
    """Read the configuration.

    ``path`` defaults to ``$MAINSPRING_CONFIG``, then ``./mainspring.yaml`` where it exists.
    Raises ``SettingsError`` naming the key, its origin and the nearest known key.
    """
    environment = os.environ if environment is None else environment
    origins: dict[str, str] = {}
    file = _file(path, environment)
    values = {} if file is None else _read_file(file, environment, origins)
    for name, dotted, text in _read_environment(environment):
        _assign(values, dotted, _parse(text, name))
        origins[dotted] = f"environment {name}"
    try:
        settings = Settings.model_validate(values)
        settings.read_from(file)
        return LoadedSettings(settings, origins, dict(environment))
    except ValidationError as error:
        raise _explain(error, origins) from None


Plain = str | bool | int | float | None
"""A value of JSON that holds no others."""


def describe(loaded: LoadedSettings) -> Iterator[tuple[str, Plain, str]]:
    """(dotted key, value, origin) of every setting, secrets masked, in the order of definition. Mappings, lists and
    paths are texts: those of models hide the secrets that they hold."""

    def walk(section: BaseModel, prefix: str) -> Iterator[tuple[str, Plain, str]]:
        for name, info in type(section).model_fields.items():
            dotted, value = f"{prefix}{name}", getattr(section, name)
            if isinstance(value, BaseModel):
                yield from walk(value, f"{dotted}.")
            else:
                plain = value if isinstance(value, Plain) else str(value)
                yield dotted, "********" if not info.repr and value else plain, loaded.origins.get(dotted, "default")

    return walk(loaded.settings, "")


class _OnceEach(yaml.SafeLoader):
    """Reads YAML in which no mapping has a key twice: of two the first would be ignored."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                raise yaml.constructor.ConstructorError(problem=f"{key} occurs twice in one mapping, {node.start_mark}")
        return super().construct_mapping(node, deep)


def _file(path: Path | None, environment: Mapping[str, str]) -> Path | None:
    if path is not None:
        return path
    if environment.get("MAINSPRING_CONFIG"):
        return Path(environment["MAINSPRING_CONFIG"])
    return Path(CONFIG_NAME) if Path(CONFIG_NAME).exists() else None


def _read_file(chosen: Path, environment: Mapping[str, str], origins: dict[str, str]) -> dict[str, Any]:
    try:
        content = yaml.load(chosen.read_text(encoding="utf-8"), _OnceEach) or {}  # noqa: S506 - it is a SafeLoader
    except OSError as error:
        raise SettingsError(f"{chosen} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{chosen} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise SettingsError(f"{chosen} must hold a mapping of sections", remedy="See docs/reference/configuration.md")
    _note_origins(content, "", str(chosen), origins)
    return references.resolved(content, environment)


def _note_origins(values: Mapping[str, Any], prefix: str, origin: str, origins: dict[str, str]) -> None:
    for key, value in values.items():
        dotted = f"{prefix}{key}"
        if isinstance(value, dict):
            _note_origins(value, f"{dotted}.", origin, origins)
        origins[dotted] = origin


def _read_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    known = {name for name, _ in _known_keys(Settings, "")}
    mappings = tuple(_mappings(Settings, ""))
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name in OTHER_NAMES:
            continue
        dotted = name[len(PREFIX) :].lower().replace("__", ".")
        if dotted not in known and not dotted.startswith(mappings):
            names = [PREFIX + key.upper().replace(".", "__") for key in known] + sorted(OTHER_NAMES)
            raise SettingsError(f"unknown environment variable {name}", remedy=_nearest(name, names))
        yield name, dotted, text


def _known_keys(section: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, info in section.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _known_keys(info.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", section


def _mappings(section: type[BaseModel], prefix: str) -> Iterator[str]:
    """Where the keys of settings are names of the user's."""
    for name, info in section.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _mappings(info.annotation, f"{prefix}{name}.")
        elif get_origin(info.annotation) is dict:
            yield f"{prefix}{name}."


def _parse(text: str, name: str) -> Any:
    # Lists, mappings, numbers and booleans are written as in the YAML file.
    try:
        return yaml.safe_load(text) if text else ""
    except yaml.YAMLError as error:
        raise SettingsError(f"{name} is not a valid YAML value: {error}") from None


def _assign(values: dict[str, Any], dotted: str, value: Any) -> None:
    *sections, key = dotted.split(".")
    for section in sections:
        values = values.setdefault(section, {})
        if not isinstance(values, dict):
            raise SettingsError(f"{section} must be a mapping of settings")
    values[key] = value


def _explain(error: ValidationError, origins: Mapping[str, str]) -> SettingsError:
    first = error.errors()[0]
    dotted = ".".join(str(part) for part in first["loc"])
    if first["type"] == "value_error":
        # Our own sentence about a whole section, whose values may be secrets.
        return SettingsError(_placed(str(first["ctx"]["error"]), dotted))
    origin = origins.get(dotted, origins.get(str(first["loc"][0]), "the configuration"))
    if first["type"] == "extra_forbidden":
        known = [name for name, _ in _known_keys(Settings, "")] + list(Settings.model_fields)
        return SettingsError(f"unknown key {dotted} in {origin}", remedy=_nearest(dotted, known))
    return SettingsError(f"{dotted} in {origin}: {first['msg']} (got {first['input']!r})")


def _placed(sentence: str, dotted: str) -> str:
    """``sentence`` after the key that it is about, unless it names that key or another one."""
    section = dotted.partition(".")[0]
    return sentence if not dotted or f"{section}." in sentence else f"{dotted}: {sentence}"


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Did you mean {close[0]}?" if close else "`mainspring doctor` lists every key"
