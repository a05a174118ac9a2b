"""The composition root: opens the rooms in order and closes them in reverse."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from mainspring import engines, rag, serving, stores, telemetry
from mainspring.core.errors import ModelError
from mainspring.core.scopes import OPERATE
from mainspring.core.settings import Settings, load
from mainspring.core.types import Context, Principal, Request, Responder, Response
from mainspring.engines import ChatModel, Engines, Prepared
from mainspring.feature import APPLICATION, Feature, Rooms, Services, features
from mainspring.guards.policy.by_application import Policies
from mainspring.rag.library import Library
from mainspring.serving.admit.rate_limits import Charge
from mainspring.serving.cache.administration import Caches
from mainspring.serving.judge.moderation import Moderator
from mainspring.serving.ring.registry import Registry, Served
from mainspring.serving.route.replicas import Replicas
from mainspring.stores import Stores
from mainspring.stores.events.tolerant import PASSED_OVER
from mainspring.telemetry import Telemetry

NOTICED_S = 5.0
DEAD_S = 120.0
"""An engine that has not come back after that time will hardly do so in this process."""
LOCAL = Principal("default", "local", frozenset({"admin"}))


@dataclass(frozen=True, slots=True)
class System:
    """Everything that runs. ``async with System.open() as system: await system.respond(request, context)``."""

    settings: Settings
    stores: Stores
    telemetry: Telemetry
    engines: Engines
    registry: Registry
    responder: Responder
    library: Library
    charge: Charge
    replicas: Replicas
    caches: Caches
    moderator: Moderator
    policies: Policies
    adopt: Callable[[ChatModel], None]
    rooms: Rooms
    services: Services
    features: tuple[Feature, ...]
    local: Principal = LOCAL

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings | None = None, prepared: Prepared | None = None) -> AsyncIterator[System]:
        """Open every room. ``prepared`` are engines whose children are already running."""
        # Rooms get the secrets, not the names of the credentials.
        settings = await engines.filled(settings or load().settings)
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            opened_engines = await enter(engines.open(settings, prepared))
            opened_stores = await enter(stores.open(settings))
            opened_telemetry = await enter(telemetry.open(settings, opened_stores.spans))
            opened_stores.events.heard.append(opened_telemetry.metrics.facts.count)
            text = "Events that a reader of the log could not read and passed over."
            opened_telemetry.metrics.watch_count("events_passed_over", text, lambda: float(PASSED_OVER.count))
            path = await enter(serving.open(settings, opened_stores, opened_telemetry, opened_engines))
            library = await enter(rag.open(settings, opened_stores, opened_telemetry, opened_engines, path))
            rooms = Rooms(settings, opened_stores, opened_telemetry, opened_engines, path, library, LOCAL)
            found, services = features(opened_engines.plugins), Services()
            for feature in found:
                if feature.open is not None:
                    services.add(await enter(feature.open(rooms)))
            for name, application in opened_engines.plugins.made(APPLICATION, rooms):
                path.registry.add(Served(name, "application", application, created=int(time.time())))
                opened_telemetry.metrics.serve(name)
            for feature in found:
                if feature.ready is not None:
                    await feature.ready(rooms, services)
            yield cls(
                settings,
                opened_stores,
                opened_telemetry,
                opened_engines,
                path.registry,
                path.responder,
                library,
                path.charge,
                path.replicas,
                Caches(opened_stores.cache, opened_stores.similar, path.meaning),
                Moderator(
                    path.detecting,
                    opened_stores.events,
                    opened_telemetry.metrics,
                ),
                path.policies,
                path.adopt,
                rooms,
                services,
                tuple(found),
            )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The background work of features in a server, while the block runs."""
        async with AsyncExitStack() as stack:
            for feature in self.features:
                if feature.work is not None:
                    await stack.enter_async_context(feature.work(self.rooms, self.services))
            yield

    async def respond(self, request: Request, context: Context) -> Response:
        """Answer through the whole request ring."""
        return await self.responder.respond(request, context)

    async def bring_in(self, name: str) -> None:
        """Serve the pulled chat model ``name`` beside the models that are already served.

        Raises ``ModelNotPulled``, ``UnknownModel``, ``ModelError``, ``Conflict``.
        """
        if self.engines.load_chat is None:
            raise ModelError(f"{name} cannot be brought in: these engines load nothing")
        self.adopt(await self.engines.load_chat(name))
        self.library.rewire()

    async def readiness(self) -> dict[str, str]:
        """The parts of this server that are not ready."""
        models = self.engines.chat.values()
        missing = {model.name: "the engine is not ready" for model in models if not model.ready()}
        if problem := await self.stores.problem():
            missing["stores"] = problem
        return missing

    async def weaknesses(self) -> dict[str, str]:
        """The faults, by part, with which the rest still works."""
        return await self.stores.weaknesses()

    def liveness(self) -> dict[str, float]:
        """Models whose engine has been down for a while, and for how many seconds."""
        seconds = {model.name: model.down_s() for model in self.engines.chat.values()}
        return {name: round(each, 1) for name, each in seconds.items() if each >= NOTICED_S}

    @property
    def dead(self) -> bool:
        """Whether every local engine has been down so long that restarting the process may help."""
        local = [model for model in self.engines.chat.values() if any(each.local for each in model.all_replicas())]
        return bool(local) and all(model.down_s() >= DEAD_S for model in local)

    async def first_admin_key(self) -> str | None:
        """The secret of a new admin key if the home has none yet; shown once. It sees the sums of all tenants, as
        anybody with access to the machine can."""
        if await self.stores.keys.any_admin():
            return None
        _, secret = await self.stores.keys.create("first admin", scopes=frozenset({"admin", OPERATE}))
        return secret


@asynccontextmanager
async def open_rooms(settings: Settings) -> AsyncIterator[Rooms]:
    """The rooms of a whole system, as commands of features receive them."""
    async with System.open(settings) as system:
        yield system.rooms
