"""Routes are analysed when they are made, and not again by the application or by its first requests."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter
from fastapi import routing as framework

from mainspring.core.settings import GatewaySettings
from mainspring.core.types import TraceParent
from mainspring.gateway.edge.app import create_app
from tests.gateway.asgi import ask


async def test_a_route_is_analysed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    analysed: list[str] = []
    populate = framework._populate_api_route_state

    def counted(route: Any, path: str, *args: Any, **more: Any) -> None:
        analysed.append(path)
        populate(route, path, *args, **more)

    monkeypatch.setattr(framework, "_populate_api_route_state", counted)
    things, others = APIRouter(prefix="/things"), APIRouter(prefix="/others")
    for router in (things, others):

        @router.get("/{name}")
        async def get(name: str, limit: int = 1) -> dict[str, str]:
            return {"name": name}

    app = create_app([things, others], GatewaySettings(), lambda _: TraceParent.new())
    for path in ("/things/a", "/others/b"):
        assert (await ask(app, "GET", path)).status == 200
    assert [path for path in analysed if path != "/"] == ["/things/{name}", "/others/{name}"]


def test_every_route_declares_the_errors_that_all_have() -> None:
    router = APIRouter()

    @router.get("/one", responses={404: {"description": "There is none"}})
    async def get() -> str:
        return ""

    app = create_app([router], GatewaySettings(), lambda _: TraceParent.new())
    told = app.openapi()["paths"]["/one"]["get"]["responses"]
    assert set(told) == {"200", "404", "4XX", "5XX"}
    assert told["4XX"]["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorBody")
