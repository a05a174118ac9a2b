"""Routes of what watches the traffic: alerts and silences, drift, objectives, and quality and safety over time."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.scopes import OPERATE
from mainspring.core.types import Context
from mainspring.features.monitor.service import Monitor
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response

Name = Annotated[str | None, Query(min_length=1, max_length=256)]
Moment = Annotated[float | None, Query(ge=0, le=9e9, allow_inf_nan=False, description="Time in Unix seconds")]
Step = Annotated[int, Query(ge=60, le=30 * 86_400, description="Seconds per row")]
_DAY_S, _MOST_ROWS = 86_400.0, 1000


class SilenceBody(Body):
    """``POST /v1/silences``: silence alerts for a time; without ``rule`` or ``application``, all alerts."""

    seconds: Annotated[float, Field(gt=0, le=30 * _DAY_S, allow_inf_nan=False)]
    rule: Annotated[str, Field(max_length=64)] = ""
    application: Annotated[str, Field(max_length=256)] = ""
    comment: Annotated[str, Field(max_length=1000)] = ""


class AcceptBody(Body):
    """``POST /v1/drift/accept``: the current traffic of this application is normal from now on."""

    application: Annotated[str, Field(min_length=1, max_length=256)]


def router(monitor: Monitor, access: Access) -> APIRouter:
    """The routes over the monitor, for admin keys, each of its own tenant."""
    routes = APIRouter(route_class=JsonRoute, tags=["monitor"], prefix="/v1")
    admins = Annotated[Context, Depends(access("admin"))]
    # The operator decides who is notified: a tenant that could silence alerts would hide its own actions.
    operators = Annotated[Context, Depends(access(OPERATE))]

    @routes.get("/alerts")
    async def list_alerts(
        context: admins, page: AskedPage, state: Literal["firing", "resolved"] | None = None, rule: Name = None
    ) -> HttpResponse:
        """Alerts, ordered by the time at which they were raised."""
        return json_response(list_body(await monitor.alerts(context.principal.tenant, page, state, rule)))

    @routes.get("/alerts/{alert_id}")
    async def get_alert(alert_id: str, context: admins) -> HttpResponse:
        return json_response(await monitor.alert(context.principal.tenant, alert_id))

    @routes.post("/alerts/{alert_id}/acknowledge")
    async def acknowledge(alert_id: str, context: admins) -> HttpResponse:
        """Acknowledge an alert. It is not repeated while it lasts, but its end is reported."""
        principal = context.principal
        return json_response(await monitor.acknowledge(principal.tenant, alert_id, principal.key_id))

    @routes.get("/silences")
    async def list_silences(context: admins) -> HttpResponse:
        return json_response({"object": "list", "data": await monitor.silences(context.principal.tenant)})

    @routes.post("/silences", status_code=201)
    async def silence(body: SilenceBody, context: operators) -> HttpResponse:
        principal = context.principal
        made = await monitor.silence(principal.tenant, principal.key_id, **body.model_dump())
        return json_response(made, status=201)

    @routes.delete("/silences/{silence_id}")
    async def speak(silence_id: str, context: operators) -> HttpResponse:
        await monitor.speak(context.principal.tenant, silence_id)
        return json_response({"id": silence_id, "object": "silence.deleted", "deleted": True})

    _measures(routes, monitor, access)
    return routes


def _measures(routes: APIRouter, monitor: Monitor, access: Access) -> None:
    """The routes of measurements: drift, objectives and quality."""
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("/drift")
    async def drift(context: admins, application: Name = None) -> HttpResponse:
        """Drift: the current traffic of each application compared with its earlier traffic."""
        return json_response({"object": "list", "data": await monitor.drift(context.principal.tenant, application)})

    @routes.post("/drift/accept")
    async def accept(body: AcceptBody, context: admins) -> HttpResponse:
        return json_response(await monitor.accept(context.principal.tenant, body.application))

    @routes.get("/slos")
    async def slos(context: admins, application: Name = None) -> HttpResponse:
        """Service level objectives with their remaining error budgets."""
        return json_response({"object": "list", "data": await monitor.slos(context.principal.tenant, application)})

    @routes.get("/quality")
    async def quality(
        context: admins, since: Moment = None, until: Moment = None, step: Step = 3600, application: Name = None
    ) -> HttpResponse:
        """Guard decisions, feedback and refusals over time: the last day by default."""
        end = time.time() if until is None else until
        begin = end - _DAY_S if since is None else since
        if begin >= end:
            raise InvalidRequest("since must be before until", param="since")
        if (end - begin) / step > _MOST_ROWS:
            raise InvalidRequest(
                f"the result would have more than {_MOST_ROWS} rows", remedy="Use a larger step", param="step"
            )
        return json_response(await monitor.quality(context.principal.tenant, begin, end, step, application))
