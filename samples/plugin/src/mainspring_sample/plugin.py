"""What this package registers. Heavy things are imported where they are made: every start imports this module."""

from __future__ import annotations

from typing import Any

from mainspring.core.errors import SettingsError
from mainspring.core.plugins import Registry, hookimpl


@hookimpl
def mainspring_register(registry: Registry) -> None:
    registry.add("engine", "parrot", _parrot)
    registry.add("application", "shout", _shout)
    registry.add("feature", "hello", _hello)


def _parrot(pulled: Any, _settings: Any) -> Any:
    from mainspring.engines.scripted import ScriptedEngine

    return ScriptedEngine(name=pulled.entry.name)


def _shout(rooms: Any) -> Any:
    from mainspring_sample.shout import Shout

    if not rooms.path.chat:
        raise SettingsError("shout needs a chat model", remedy="Set models.chat")
    return Shout(next(iter(rooms.path.chat.items())))


def _hello() -> Any:
    from mainspring_sample.hello import FEATURE

    return FEATURE
