"""The registry: every named part is found here, from mainspring or from a plugin.

A room declares the ``Kind`` of parts that it looks up by name, and registers its own with the same hook as plugins. A
plugin publishes, under the entry point group ``mainspring.plugins``, a module that has

    @mainspring.core.plugins.hookimpl
    def mainspring_register(registry: Registry) -> None:
        registry.add(CHUNKER, "lines", MyChunker)

``mainspring.kinds`` has all kinds. The registry leaves out a plugin that cannot be imported or whose hook fails;
``Registry.failed`` says why, and so does ``mainspring doctor``.
"""

from __future__ import annotations

import difflib
import inspect
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, ParamSpec, TypeVar

import pluggy
from pydantic import BaseModel, ValidationError

from mainspring.core.errors import MainspringError, SettingsError

PROJECT = "mainspring"
GROUP = "mainspring.plugins"
KINDS = (
    "engine",
    "provider",
    "embedder",
    "reranker",
    "chat-reranker",
    "transcriber",
    "voice",
    "database",
    "vectors",
    "cache",
    "guard",
    "layer",
    "parser",
    "chunker",
    "connector",
    "web-search",
    "metric",
    "application",
    "agent",
    "toolset",
    "scorer",
    "sandbox",
    "recipe",
    "feature",
)
"""The names of all kinds; ``mainspring.kinds`` says where each is declared."""
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
Factory = Callable[..., Any]
P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
log = logging.getLogger("mainspring.plugins")


class Kind(Generic[P, T]):
    """A kind of part: ``Kind[[Settings], Thing]`` has factories that make a ``Thing`` of ``Settings``.

    ``makes`` is the class or the protocol of ``Thing``, ``given`` names the arguments of a factory, in order.
    ``builtins`` is the module whose hook registers mainspring's own parts; the registry imports it when the kind is
    first looked at. ``setting`` is the setting that names one part of this kind, if there is one.
    """

    def __init__(self, name: str, makes: Any, given: Sequence[str] = (), *, builtins: str = "", setting: str = ""):
        self.name = name
        self.makes = makes
        self.given = tuple(given)
        self.builtins = builtins
        self.setting = setting

    def fits(self, name: str, factory: Callable[..., Any]) -> None:
        """Raises ``SettingsError`` for a factory that cannot be called with this kind's arguments."""
        try:
            signature = inspect.signature(factory)
        except (TypeError, ValueError):
            # Some C classes do not reveal their parameters.
            return
        try:
            signature.bind(*self.given)
        except TypeError as error:
            raise SettingsError(
                f"the factory of the {self.name} {name!r} cannot be called as {self.called()}: {error}",
                remedy="Give it these parameters",
            ) from None

    def checked(self, name: str, made: T) -> T:
        """``made``, if it has all members that this kind requires. Raises ``SettingsError`` with the missing
        members."""
        lacking = [each for each in _members(self.makes) if not hasattr(type(made), each) and not hasattr(made, each)]
        if lacking:
            raise SettingsError(
                f"the {self.name} {name!r} is a {type(made).__name__}, which lacks {', '.join(sorted(lacking))}",
                remedy=f"It needs all of {self.makes.__module__}.{self.makes.__qualname__}",
            )
        return made

    def called(self) -> str:
        """How a factory of this kind is called, for people to read."""
        return f"factory({', '.join(self.given)}) -> {self.makes.__name__}"


class NotWanted(Exception):
    """A factory raises this when the settings do not ask for its result: the part is left out without a warning."""


class Registry:
    """Factories by kind and name. A plugin's part replaces mainspring's part of the same name.

    ``failed`` has the reason for each plugin that was left out; ``added`` lists the parts of the others.
    """

    def __init__(self) -> None:
        self._factories: dict[tuple[str, str], Factory] = {}
        self._builtin: dict[tuple[str, str], Factory] = {}
        self._origins: dict[tuple[str, str], str] = {}
        self._sections: dict[str, type[BaseModel]] = {}
        self._read: set[str] = set()
        self._reading = ""
        self._loading = ""
        self.failed: dict[str, str] = {}

    def add(self, kind: Kind[P, T] | str, name: str, factory: Callable[P, T]) -> None:
        """Raises ``SettingsError`` for an unknown kind, and for a factory that its kind cannot call. A kind that is
        given by its name is checked when the part is first used."""
        named = kind if isinstance(kind, str) else kind.name
        if named not in KINDS:
            raise SettingsError(f"there is no kind of plugin {named!r}", remedy=nearest(named, KINDS))
        if isinstance(kind, Kind):
            kind.fits(name, factory)
        if self._reading:
            self._builtin[named, name] = factory
            return
        self._factories[named, name] = factory
        self._origins[named, name] = self._loading

    def settings(self, name: str, model: type[BaseModel]) -> None:
        """``model`` is what the section ``plugins.NAME`` of the settings holds; ``section`` gives it."""
        self._sections[name] = model

    def names(self, kind: Kind[P, T]) -> list[str]:
        """The parts of ``kind``: mainspring's own first, then those of plugins."""
        self._read_builtins(kind)
        both = dict.fromkeys([*self._builtin, *self._factories])
        return [name for known, name in both if known == kind.name]

    def brought(self, kind: Kind[P, T]) -> list[str]:
        """The plugins' parts of ``kind``; mainspring's own are not imported for it."""
        return [name for known, name in self._factories if known == kind.name]

    def added(self) -> dict[str, list[str]]:
        """The registrations of each plugin: ``chunker lines``."""
        found: dict[str, list[str]] = {}
        for key, origin in self._origins.items():
            found.setdefault(origin, []).append(" ".join(key))
        return found

    def has(self, kind: Kind[P, T], name: str) -> bool:
        """Whether there is a part of that name."""
        self._read_builtins(kind)
        return (kind.name, name) in self._factories or (kind.name, name) in self._builtin

    def get(self, kind: Kind[P, T], name: str) -> Callable[P, T]:
        """The factory. Raises ``SettingsError`` with the nearest existing name."""
        self._read_builtins(kind)
        key = (kind.name, name)
        factory = self._factories.get(key) or self._builtin.get(key)
        if factory is None:
            raise SettingsError(
                f"no {kind.name} named {name!r} is installed" + (f" ({kind.setting})" if kind.setting else ""),
                remedy=nearest(name, self.names(kind)),
            )
        if key in self._factories:
            kind.fits(name, factory)
        return factory

    def make(self, kind: Kind[P, T], name: str, /, *given: P.args, **named: P.kwargs) -> T:
        """The factory's result, checked. Raises ``SettingsError`` if there is none, or a plugin's fails."""
        factory = self.get(kind, name)
        if (origin := self._origins.get((kind.name, name))) is None:
            return factory(*given, **named)
        try:
            return kind.checked(name, factory(*given, **named))
        except MainspringError:
            raise
        except Exception as error:
            raise SettingsError(
                f"the {kind.name} {name!r} of the plugin {origin} cannot be made: {_told(error)}",
                remedy=f"Mend the plugin or remove it: pip uninstall {origin}",
            ) from error

    def made(self, kind: Kind[P, T], /, *given: P.args, **named: P.kwargs) -> Iterator[tuple[str, T]]:
        """The result of each factory of ``kind``, with its name; failing ones are left out."""
        for name in self.names(kind):
            try:
                yield name, kind.checked(name, self.get(kind, name)(*given, **named))
            except NotWanted:
                continue
            except Exception as error:
                self.leave_out(f"{kind.name} {name}", error)

    def leave_out(self, what: str, error: Exception) -> None:
        """Record why ``what`` is missing."""
        self.failed[what] = _told(error)
        log.warning("the plugin %s is left out: %s", what, _told(error))

    def check(self, sections: Mapping[str, Any]) -> None:
        """Raises ``SettingsError`` for a section of the settings that no plugin declares, or that is wrong."""
        for name in sections:
            if name in self.failed:
                continue
            if name not in self._sections:
                raise SettingsError(
                    f"no plugin has settings plugins.{name}", remedy=nearest(name, list(self._sections))
                )
            section(sections, name, self._sections[name])

    def take(self, name: str, plugin: object) -> None:
        """Call the hook of ``plugin``. Its registrations before the failure are removed."""
        before = dict(self._factories), dict(self._origins), dict(self._sections)
        self._loading = name
        try:
            _register(plugin, self)
        except Exception:
            self._factories, self._origins, self._sections = before
            raise
        finally:
            self._loading = ""

    def _read_builtins(self, kind: Kind[P, T]) -> None:
        if not kind.builtins or kind.builtins in self._read:
            return
        self._read.add(kind.builtins)
        self._reading = kind.builtins
        try:
            _register(import_module(kind.builtins), self)
        finally:
            self._reading = ""


class Hooks:
    """The hook specification."""

    @hookspec
    def mainspring_register(self, registry: Registry) -> None:
        """Add factories to ``registry``."""


def section(sections: Mapping[str, Any], name: str, model: type[M]) -> M:
    """The section ``plugins.NAME`` as ``model``: ``section(settings.plugins, "sample", SampleSettings)``.

    Raises ``SettingsError`` that names the key at fault.
    """
    try:
        return model.model_validate(sections.get(name, {}))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in ("plugins", name, *first["loc"]))
        known = [str(part) for part in model.model_fields]
        remedy = nearest(str(first["loc"][-1]), known) if first["type"] == "extra_forbidden" else "Correct it"
        raise SettingsError(f"{place}: {first['msg']}", remedy=remedy) from None


@cache
def registry() -> Registry:
    """The registry of this process, with every plugin that is installed."""
    return load()


def load() -> Registry:
    """A registry with every installed plugin; ``failed`` names those that fail."""
    made = Registry()
    for found in installed():
        try:
            made.take(found.name, found.load())
        except Exception as error:
            made.leave_out(found.name, error)
    return made


def installed() -> list[EntryPoint]:
    """The installed plugins, by name."""
    return sorted(entry_points(group=GROUP), key=lambda found: found.name)


def nearest(name: str, names: Sequence[str]) -> str:
    """The remedy for an unknown ``name``, given the existing ``names``."""
    close = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(names) or 'none'}"


def _register(plugin: object, registry: Registry) -> None:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    manager.register(plugin)
    manager.hook.mainspring_register(registry=registry)


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, MainspringError) else f"{type(error).__name__}: {error}"


@cache
def _members(makes: Any) -> frozenset[str]:
    """The members of a protocol: its methods and attributes. None for a plain class: mypy checks it."""
    if not getattr(makes, "_is_protocol", False):
        return frozenset()
    found: set[str] = set()
    for each in makes.__mro__[:-1]:
        if each.__module__ != "typing":
            found |= {name for name in (*vars(each), *getattr(each, "__annotations__", ())) if not name.startswith("_")}
    return frozenset(found)
