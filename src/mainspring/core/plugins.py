"""The extension point: one hook by which built-ins and third parties register what the rooms are made of.

A third party publishes the entry point group ``mainspring.plugins`` with a module that has

    @mainspring.core.plugins.hookimpl
    def mainspring_register(registry: Registry) -> None:
        registry.add("engine", "mine", MyEngine)

The one kind in use is ``engine``: ``factory(pulled: PulledModel, settings: Settings) -> Engine``.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import pluggy

from mainspring.core.errors import SettingsError

PROJECT = "mainspring"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
Factory = Callable[..., Any]


class Registry:
    """Factories by kind and name. A later registration replaces an earlier one: plugins may override."""

    def __init__(self) -> None:
        self._factories: dict[tuple[str, str], Factory] = {}

    def add(self, kind: str, name: str, factory: Factory) -> None:
        self._factories[kind, name] = factory

    def names(self, kind: str) -> list[str]:
        return [name for known, name in self._factories if known == kind]

    def get(self, kind: str, name: str) -> Factory:
        """The factory. Raises ``SettingsError`` naming those that exist."""
        factory = self._factories.get((kind, name))
        if factory is None:
            names = self.names(kind)
            close = difflib.get_close_matches(name, names, n=1)
            remedy = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(names) or 'none'}"
            raise SettingsError(f"no {kind} named {name!r} is installed", remedy=remedy)
        return factory


class Hooks:
    """The hook specification."""

    @hookspec
    def mainspring_register(self, registry: Registry) -> None:
        """Add factories to ``registry``."""


def load(*builtins: object) -> Registry:
    """The registry of ``builtins`` (modules or objects with the hook), then of every installed plugin."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    registry = Registry()
    for builtin in builtins:
        manager.register(builtin)
    manager.hook.mainspring_register(registry=registry)
    for builtin in builtins:
        manager.unregister(builtin)
    manager.load_setuptools_entrypoints("mainspring.plugins")
    manager.hook.mainspring_register(registry=registry)
    return registry
