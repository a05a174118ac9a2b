"""The declaration of a feature, and how features are found.

A feature is a folder ``features/NAME``. Its module ``feature`` has ``FEATURE``: a service that is open while the system
is, its routes, and work in the background of a server. Its module ``cmd`` has ``COMMANDS``. Adding a folder changes
nothing else: the composition root, the gateway and the command line collect the declarations. ``core.slices`` describes
how lower rooms find a feature's declarations for them: settings, scopes, tables.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeGuard, TypeVar

from typing_extensions import get_protocol_members

from mainspring.agents.agent import BaseAgent
from mainspring.agents.tools.base import Toolset
from mainspring.core import slices
from mainspring.core.errors import MainspringError, SettingsError
from mainspring.core.plugins import Kind, hookimpl
from mainspring.core.types import Principal, Responder
from mainspring.evaluation.scorers import Scorer

if TYPE_CHECKING:
    from fastapi import APIRouter

    from mainspring.core.plugins import Registry
    from mainspring.core.settings import Settings
    from mainspring.engines import Engines
    from mainspring.http.access import Access, Refused
    from mainspring.http.idempotency import Idempotency
    from mainspring.http.respond import Storing
    from mainspring.rag.library import Library
    from mainspring.serving import Path
    from mainspring.stores import Stores
    from mainspring.telemetry import Telemetry

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rooms:
    """The rooms below the features, open."""

    settings: Settings
    stores: Stores
    telemetry: Telemetry
    engines: Engines
    path: Path
    library: Library
    local: Principal

    @property
    def responder(self) -> Responder:
        """The request ring."""
        return self.path.responder


class Services:
    """The services of the features that are open, each under its class."""

    def __init__(self) -> None:
        self._services: dict[type, object] = {}

    def add(self, service: object) -> None:
        """Raises ``SettingsError`` if there is already a service of this class."""
        if type(service) in self._services:
            raise SettingsError(f"two features have the service {type(service).__name__}", remedy="Remove one of them")
        self._services[type(service)] = service

    def fitting(self, protocol: type[T]) -> T:
        """The one service that implements ``protocol`` (runtime checkable). Raises ``SettingsError``."""
        found = [each for each in self._services.values() if _fits(each, protocol)]
        if len(found) != 1:
            raise SettingsError(f"{len(found)} features have the service {protocol.__name__}, and one is needed")
        return found[0]

    def perhaps(self, protocol: type[T]) -> T | None:
        """The same; None if there is none. Raises ``SettingsError`` for several."""
        if not any(_fits(each, protocol) for each in self._services.values()):
            return None
        return self.fitting(protocol)

    def every(self, protocol: type[T]) -> list[T]:
        """All services that implement ``protocol``."""
        return [each for each in self._services.values() if _fits(each, protocol)]

    def __getitem__(self, kind: type[T]) -> T:
        """The service of this class. Raises ``SettingsError``: no feature has one."""
        service = self._services.get(kind)
        if not isinstance(service, kind):
            raise SettingsError(f"no feature has the service {kind.__name__}")
        return service


def _fits(service: object, protocol: type[T]) -> TypeGuard[T]:
    # Python 3.11's isinstance collects the members of a protocol anew each time: a tenth of a server's start.
    return all(getattr(service, name, None) is not None for name in _members(protocol))  # type: ignore[arg-type]


@cache
def _members(protocol: type) -> frozenset[str]:
    return get_protocol_members(protocol)


@dataclass(frozen=True, slots=True)
class Http:
    """The arguments of routes besides the rooms: access checks, and idempotency of repeated requests."""

    rooms: Rooms
    services: Services
    access: Access
    idempotency: Idempotency


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature. Missing parts are None.

    ``open`` makes its service, which other features find by its class. ``ready`` is called once all services are there,
    before anything is asked. ``routes`` are added to the gateway's. ``work`` runs within a server, and in no other
    process. ``refused`` returns a callback for refused requests, ``storing`` a store for chat completions that request
    it.
    """

    name: str
    open: Callable[[Rooms], AbstractAsyncContextManager[object]] | None = None
    ready: Callable[[Rooms, Services], Awaitable[None]] | None = None
    routes: Callable[[Http], Sequence[APIRouter]] | None = None
    work: Callable[[Rooms, Services], AbstractAsyncContextManager[object]] | None = None
    refused: Callable[[Services], Refused] | None = None
    storing: Callable[[Services], Storing] | None = None


APPLICATION: Kind[[Rooms], Responder] = Kind("application", Responder, ("rooms",))
"""A model that is served under the name of the application."""
FEATURE: Kind[[], Feature] = Kind("feature", Feature)
AGENT: Kind[[Rooms], BaseAgent] = Kind("agent", BaseAgent, ("rooms",), builtins="mainspring.feature")
"""An agent that is served under its name. A feature's own are ``AGENTS``, factories by name, in its module
``agents``."""
TOOLSET: Kind[[Rooms, Mapping[str, Any]], Toolset] = Kind(
    "toolset", Toolset, ("rooms", "options"), builtins="mainspring.feature"
)
"""A source of tools, as a definition of an agent names it: ``{mcp: {url: ...}}`` is the toolset ``mcp`` with options.
A feature's own are ``TOOLSETS``, factories by name, in its module ``toolsets``."""
SCORER: Kind[[Rooms, Mapping[str, Any]], Scorer] = Kind(
    "scorer", Scorer, ("rooms", "options"), builtins="mainspring.feature"
)
"""A scorer of answers, as an experiment or a gate names it, with options. A feature's own are ``SCORERS``, factories by
name, in its module ``scorers``."""


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """Register the toolsets, agents and scorers of the features of this package."""
    for _, toolsets in slices.declared("toolsets", "TOOLSETS"):
        for name, factory in toolsets.items():
            registry.add(TOOLSET, name, factory)
    for _, agents in slices.declared("agents", "AGENTS"):
        for name, made in agents.items():
            registry.add(AGENT, name, made)
    for _, scorers in slices.declared("scorers", "SCORERS"):
        for name, scorer in scorers.items():
            registry.add(SCORER, name, scorer)


def features(plugins: Registry | None = None) -> list[Feature]:
    """The features of this package, by name, then those of ``plugins``."""
    found = [each for _, each in slices.declared("feature", "FEATURE")]
    found += [made for _, made in plugins.made(FEATURE)] if plugins is not None else []
    return [each for each in found if isinstance(each, Feature)]


def refusals(found: Sequence[Feature], services: Services) -> Refused:
    """Tells the features of ``found`` that ask for it about a request that was not admitted."""
    told = [each.refused(services) for each in found if each.refused is not None]

    def tell(error: MainspringError, address: str, scope: str, principal: Principal | None) -> None:
        for each in told:
            each(error, address, scope, principal)

    return tell


def storing(found: Sequence[Feature], services: Services) -> Storing:
    """The features of ``found`` that store chat completions, nested."""
    makes = [each.storing(services) for each in found if each.storing is not None]

    def around(responder: Responder, tags: Mapping[str, str]) -> Responder:
        for make in makes:
            responder = make(responder, tags)
        return responder

    return around


def routers(found: Sequence[Feature], http: Http) -> list[APIRouter]:
    """The routes of ``found``, longer prefixes first: otherwise ``/v1/things/{name}`` would match them as a name."""
    made = [router for each in found if each.routes is not None for router in each.routes(http)]
    return sorted(made, key=lambda router: -router.prefix.count("/"))
