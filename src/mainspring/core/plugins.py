"""The extension point: one hook by which built-ins and third parties register what the rooms are made of.

A third party publishes the entry point group ``mainspring.plugins`` with a module that has

    @mainspring.core.plugins.hookimpl
    def mainspring_register(registry: Registry) -> None:
        registry.add("engine", "mine", MyEngine)

What the factory of each kind is given and makes, ``KINDS`` says. A plugin that cannot be imported, or whose hook fails,
is left out: ``Registry.failed`` says why, and so does ``mainspring doctor``.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

import pluggy

from mainspring.core.errors import MainspringError, SettingsError

PROJECT = "mainspring"
GROUP = "mainspring.plugins"
KINDS: Mapping[str, str] = MappingProxyType(
    {
        "engine": "factory(pulled: PulledModel, settings: Settings) -> Engine",
        "application": "factory(rooms: Rooms) -> Responder, served as a model under the name",
        "feature": "factory() -> Feature",
    }
)
"""The kinds that there are, each with what its factory is given and makes."""
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
Factory = Callable[..., Any]
log = logging.getLogger("mainspring.plugins")


class Registry:
    """Factories by kind and name. A later registration replaces an earlier one: plugins may override.

    ``failed`` says of each plugin that was left out why.
    """

    def __init__(self) -> None:
        self._factories: dict[tuple[str, str], Factory] = {}
        self.failed: dict[str, str] = {}

    def add(self, kind: str, name: str, factory: Factory) -> None:
        """Raises ``SettingsError`` for a kind that there is not."""
        if kind not in KINDS:
            raise SettingsError(f"there is no kind of plugin {kind!r}", remedy=_nearest(kind, list(KINDS)))
        self._factories[kind, name] = factory

    def names(self, kind: str) -> list[str]:
        """What is registered as ``kind``, in the order of registration."""
        return [name for known, name in self._factories if known == kind]

    def get(self, kind: str, name: str) -> Factory:
        """The factory. Raises ``SettingsError`` naming those that exist."""
        factory = self._factories.get((kind, name))
        if factory is None:
            raise SettingsError(f"no {kind} named {name!r} is installed", remedy=_nearest(name, self.names(kind)))
        return factory

    def made(self, kind: str, *given: object) -> Iterator[tuple[str, Any]]:
        """What each factory of ``kind`` makes of what it is ``given``, with its name; one that fails is left out."""
        for name in self.names(kind):
            try:
                yield name, self.get(kind, name)(*given)
            except Exception as error:
                self._leave_out(f"{kind} {name}", error)

    def _leave_out(self, what: str, error: Exception) -> None:
        told = str(error) if isinstance(error, MainspringError) else f"{type(error).__name__}: {error}"
        self.failed[what] = told
        log.warning("the plugin %s is left out: %s", what, told)


class Hooks:
    """The hook specification."""

    @hookspec
    def mainspring_register(self, registry: Registry) -> None:
        """Add factories to ``registry``."""


def load(*builtins: object) -> Registry:
    """The registry of ``builtins`` (modules or objects with the hook), then of every installed plugin."""
    registry = Registry()
    for builtin in builtins:
        _register(builtin, registry)
    for found in installed():
        try:
            _register(found.load(), registry)
        except Exception as error:
            registry._leave_out(found.name, error)
    return registry


def installed() -> list[EntryPoint]:
    """The plugins that are installed here, by name."""
    return sorted(entry_points(group=GROUP), key=lambda found: found.name)


def _register(plugin: object, registry: Registry) -> None:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    manager.register(plugin)
    manager.hook.mainspring_register(registry=registry)


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(names) or 'none'}"
