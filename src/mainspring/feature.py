"""What a feature is made of, and how those that are there are found.

A feature is a folder ``features/NAME``. Its module ``feature`` has ``FEATURE``: a service that is open while the system
is, its routes, and work in the background of a server. Its module ``cmd`` has ``COMMANDS``. Whoever adds a folder
changes nothing else: the composition root, the gateway and the command line collect what they find here.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from mainspring.core.errors import SettingsError
from mainspring.core.plugins import Kind
from mainspring.core.types import Responder

if TYPE_CHECKING:
    from fastapi import APIRouter

    from mainspring.core.plugins import Registry
    from mainspring.core.settings import Settings
    from mainspring.engines import Engines
    from mainspring.http.access import Access
    from mainspring.http.idempotency import Idempotency
    from mainspring.rag.library import Library
    from mainspring.serving import Path
    from mainspring.stores import Stores
    from mainspring.telemetry import Telemetry

T = TypeVar("T")
FOLDER = "mainspring.features"
# The headings of the help of the command line.
START, DOCUMENTS, MODELS, ACCESS = "Start and ask", "Documents", "Models and routing", "Keys, money and limits"
QUALITY, WATCH, KEEP = "Quality and safety", "Watch what happens", "Keep and comply"


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms below the features, open."""

    settings: Settings
    stores: Stores
    telemetry: Telemetry
    engines: Engines
    path: Path
    library: Library

    @property
    def responder(self) -> Responder:
        """The request ring."""
        return self.path.responder


class Services:
    """The services of the features that are open, each under its class."""

    def __init__(self) -> None:
        self._services: dict[type, object] = {}

    def add(self, service: object) -> None:
        """Raises ``SettingsError`` where another of its class is there."""
        if type(service) in self._services:
            raise SettingsError(f"two features have the service {type(service).__name__}", remedy="Remove one of them")
        self._services[type(service)] = service

    def __getitem__(self, kind: type[T]) -> T:
        """The service of this class. Raises ``SettingsError``: no feature has one."""
        service = self._services.get(kind)
        if not isinstance(service, kind):
            raise SettingsError(f"no feature has the service {kind.__name__}")
        return service


@dataclass(frozen=True, slots=True)
class Http:
    """What routes are given besides the rooms: who may call them, and what answers a request that is sent again."""

    rooms: Rooms
    services: Services
    access: Access
    idempotency: Idempotency


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature. What it has none of is None.

    ``open`` makes its service, which others find by its class. ``routes`` are added to the gateway's. ``work`` runs
    within a server, and in no other process.
    """

    name: str
    open: Callable[[Rooms], AbstractAsyncContextManager[object]] | None = None
    routes: Callable[[Http], Sequence[APIRouter]] | None = None
    work: Callable[[Rooms, Services], AbstractAsyncContextManager[object]] | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or a group of commands (a ``typer.Typer``), under ``panel`` of the help."""

    name: str
    run: Any
    panel: str


APPLICATION: Kind[[Rooms], Responder] = Kind("application", Responder, ("rooms",))
"""A model that is served under the name of the application."""
FEATURE: Kind[[], Feature] = Kind("feature", Feature)


def features(plugins: Registry | None = None) -> list[Feature]:
    """Those of this package, by name, then those of ``plugins``."""
    found = [_attribute(name, "feature", "FEATURE") for name in _folders()]
    found += [made for _, made in plugins.made(FEATURE)] if plugins is not None else []
    return [each for each in found if isinstance(each, Feature)]


def commands() -> Iterator[Command]:
    """The commands of all features, by feature."""
    for name in _folders():
        yield from _attribute(name, "cmd", "COMMANDS") or ()


def routers(found: Sequence[Feature], http: Http) -> list[APIRouter]:
    """The routes of ``found``."""
    return [router for each in found if each.routes is not None for router in each.routes(http)]


def _folders() -> list[str]:
    package = import_module(FOLDER)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg)


def _attribute(feature: str, module: str, name: str) -> Any:
    whole = f"{FOLDER}.{feature}.{module}"
    return getattr(import_module(whole), name, None) if find_spec(whole) is not None else None
