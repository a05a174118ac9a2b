"""Routes that are analysed when they are first needed."""

from __future__ import annotations

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from mainspring.http.late_route import LateRoute


class Refusal(BaseModel):
    reason: str


def _made() -> tuple[FastAPI, LateRoute, LateRoute]:
    app, router = FastAPI(), APIRouter(route_class=LateRoute, prefix="/v1")

    @router.get("/halves/{number}")
    async def halves(number: int, times: int = 1) -> dict[str, float]:
        """Halve a number."""
        return {"half": number / 2**times}

    @router.post("/halves", status_code=201)
    async def kept(sent: Refusal) -> Refusal:
        return sent

    app.router.routes.extend(router.routes)
    one, two = router.routes
    assert isinstance(one, LateRoute)
    assert isinstance(two, LateRoute)
    return app, one, two


def _is_made(route: LateRoute) -> bool:
    return "dependant" in vars(route)


async def test_a_request_has_its_own_route_analysed_and_no_other() -> None:
    app, one, two = _made()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
        assert (await client.get("/v1/others")).status_code == 404
        assert (await client.delete("/v1/halves/9")).status_code == 405
        assert not _is_made(one)
        for _ in range(2):
            assert (await client.get("/v1/halves/9?times=2")).json() == {"half": 2.25}
        assert (await client.get("/v1/halves/nine")).status_code == 422
        assert _is_made(one)
        assert not _is_made(two)
        assert (await client.post("/v1/halves", json={"reason": "late"})).status_code == 201


def test_the_description_has_them_all_and_what_is_common() -> None:
    app, one, two = _made()
    common = APIRoute("/", lambda: None, responses={"4XX": {"model": Refusal, "description": "Refused"}})
    for route in (one, two):
        route.answers_too(common)
    told = app.openapi()["paths"]
    assert told["/v1/halves/{number}"]["get"]["description"] == "Halve a number."
    assert told["/v1/halves/{number}"]["get"]["responses"]["4XX"]["description"] == "Refused"
    assert set(told["/v1/halves"]["post"]["responses"]) == {"201", "4XX"}


def test_what_no_route_has_is_no_attribute() -> None:
    _, one, _ = _made()
    with pytest.raises(AttributeError):
        _ = one.nothing_of_the_kind
    assert _is_made(one)
