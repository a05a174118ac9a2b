"""An arena over the real stores and rings, with scripted models."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from fastapi import FastAPI

from mainspring.core.errors import Unauthenticated
from mainspring.core.settings import GatewaySettings, Settings
from mainspring.core.types import Principal, TraceParent
from mainspring.feature import Rooms
from mainspring.features.arena.routes import router
from mainspring.features.arena.service import Arenas
from mainspring.gateway.edge.app import create_app
from mainspring.http.access import access_to
from tests.gateway.asgi import Reply, ask
from tests.serving.talk import Talk

SCOPES = {"ann": {"arena"}, "bob": {"arena"}, "root": {"arena", "admin"}, "chat": {"chat"}}


class Keys:
    """``ms-NAME`` is the key NAME of tenant acme; ``ms-other-NAME`` that of another tenant."""

    async def authenticate(self, secret: str) -> Principal:
        name = secret.removeprefix("ms-")
        tenant = "beta" if name.startswith("other-") else "acme"
        name = name.removeprefix("other-")
        if name.startswith("voter"):
            return Principal(tenant, name, frozenset({"arena"}))
        if name not in SCOPES:
            raise Unauthenticated("the API key is unknown")
        return Principal(tenant, name, frozenset(SCOPES[name]))


class World:
    """``call`` is a request by a key."""

    def __init__(self, home: Talk, **settings: Any) -> None:
        self.home = home
        path = SimpleNamespace(registry=home.registry)
        found = Settings.model_validate({"arena": settings})
        rooms = SimpleNamespace(settings=found, stores=home.stores, path=path, responder=home.ring)
        self.rooms = cast(Rooms, rooms)
        self.arenas = Arenas(self.rooms)
        gateway = GatewaySettings()
        routes = router(self.arenas, access_to(Keys(), gateway.request_timeout_s), 0.0)
        self.app: FastAPI = create_app([routes], gateway, lambda header: TraceParent.new())

    async def call(self, method: str, path: str, body: object = b"", who: str = "ann") -> Reply:
        return await ask(self.app, method, f"/v1/arena{path}", body, headers={"authorization": f"Bearer ms-{who}"})

    async def battle(self, question: str, who: str = "ann", **more: Any) -> Any:
        found = await self.call("POST", "/main/battles", {"question": question, **more}, who)
        assert found.status == 201, found.json
        return found.json

    async def vote(self, battle: Any, winner: str, who: str = "ann") -> Reply:
        return await self.call("POST", f"/main/battles/{battle['id']}/votes", {"winner": winner}, who)
