"""Routes of variants."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi import Path as PathParam
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.variants.service import Variants
from mainspring.features.variants.shapes import candidate_body, move_body, place_body
from mainspring.http.access import Access
from mainspring.http.bodies import Body, Free
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.training.ports import Candidate, CandidateKind

PREFIX = "/v1/variants"
ApplicationName = Annotated[str, PathParam(min_length=1, max_length=256)]
CandidateId = Annotated[str, PathParam(pattern=r"^cand_[0-9a-f]{24}$")]
Reason = Annotated[str, Field(max_length=2000)]


class CandidateBody(Body):
    """``POST /v1/variants``: a candidate to replace the current version of an application."""

    kind: CandidateKind
    application: Annotated[str, Field(min_length=1, max_length=256)]
    value: Free


class PlaceBody(Body):
    """``POST /v1/variants/candidates/{candidate}``: moves a candidate. ``share`` is for ``shadow`` and ``canary``."""

    action: Annotated[str, Field(pattern="^(shadow|canary|promote|withdraw)$")]
    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    reason: Reason = ""


class UndoBody(Body):
    """``POST /v1/variants/{application}/undo``."""

    reason: Reason = ""


def router(service: Variants, access: Access) -> APIRouter:
    """The routes of variants."""
    routes = APIRouter(route_class=JsonRoute, tags=["variants"], prefix=PREFIX)
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("")
    async def list_variants(context: admins) -> HttpResponse:
        """The variants that applications use instead of their settings, by name."""
        found = await service.store.places(context.principal.tenant)
        return json_response({"object": "list", "data": [place_body(each, context.principal.groups) for each in found]})

    @routes.post("", status_code=201)
    async def admit_candidate(body: CandidateBody, context: admins) -> HttpResponse:
        """Make a candidate available to your tenant under its ``model``. It gets no other traffic."""
        candidate = Candidate(body.kind, body.application, body.value)
        await service.admit(context.principal, candidate)
        kept = await service.store.get(context.principal.tenant, candidate.id)
        return json_response(candidate_body(kept, context.principal.groups), status=201)

    @routes.get("/candidates")
    async def list_candidates(
        context: admins,
        application: Annotated[str, Query(max_length=256, description="Only candidates of this application")] = "",
    ) -> HttpResponse:
        """The candidates of your tenant that your groups may read, newest first."""
        found, groups = await service.store.candidates(context.principal.tenant, application), context.principal.groups
        return json_response(
            {"object": "list", "data": [candidate_body(each, groups) for each in found if each.groups <= groups]}
        )

    @routes.get("/candidates/{candidate}")
    async def get_candidate(candidate: CandidateId, context: admins) -> HttpResponse:
        """A candidate with its value."""
        return json_response(candidate_body(await service.read(context.principal, candidate), context.principal.groups))

    @routes.post("/candidates/{candidate}")
    async def place_candidate(candidate: CandidateId, body: PlaceBody, context: admins) -> HttpResponse:
        """Send a candidate copies of requests or a share of the traffic, promote it, or withdraw it."""
        principal = context.principal
        # A caller who may not read it may still remove it.
        if body.action == "withdraw":
            found = (await service.store.get(principal.tenant, candidate)).candidate
        else:
            found = (await service.read(principal, candidate)).candidate
        match body.action:
            case "shadow":
                await service.shadow(principal, found, body.share)
            case "canary":
                await service.canary(principal, found, body.share)
            case "promote":
                await service.promote(principal, found)
            case _:
                await service.withdraw(principal, found, body.reason)
        return json_response(
            place_body(await service.store.place(principal.tenant, found.application), principal.groups)
        )

    _of_applications(routes, service, access)
    return routes


def _of_applications(routes: APIRouter, service: Variants, access: Access) -> None:
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("/{application}")
    async def get_variant(application: ApplicationName, context: admins) -> HttpResponse:
        """The variant that an application uses."""
        place = await service.store.place(context.principal.tenant, application)
        return json_response(place_body(place, context.principal.groups))

    @routes.get("/{application}/history")
    async def get_history(application: ApplicationName, context: admins) -> HttpResponse:
        """The changes of an application's variants, newest first."""
        found = await service.history(context.principal.tenant, application)
        return json_response({"object": "list", "data": [move_body(each) for each in found]})

    @routes.post("/{application}/undo")
    async def undo_promotion(application: ApplicationName, body: UndoBody, context: admins) -> HttpResponse:
        """Roll back the latest promotion."""
        await service.undo(context.principal, application, body.reason)
        place = await service.store.place(context.principal.tenant, application)
        return json_response(place_body(place, context.principal.groups))
