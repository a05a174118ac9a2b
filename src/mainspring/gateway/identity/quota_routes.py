"""Routes of a tenant's limits and usage: an administrator's own tenant, or any tenant for the operator."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.scopes import OPERATE
from mainspring.core.settings.serving.limits import OverriddenLimits
from mainspring.core.types import Context
from mainspring.http.access import Access, acting
from mainspring.http.bodies import Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.keys.quotas import QUOTAS, Quotas

Tenant = Annotated[str, Path(pattern=r"^[^\x00-\x1f\x7f]{1,64}$")]


class LimitsBody(OverriddenLimits, Body):
    """``POST /v1/limits/tenants/{tenant}``: omitted fields stay, 0 removes the limit, null returns to the settings."""


def router(quotas: Quotas, access: Access) -> APIRouter:
    """The routes over the quotas."""
    routes = APIRouter(route_class=JsonRoute, tags=["keys"], prefix="/v1/limits")
    admins = Annotated[Context, Depends(access("admin"))]
    operators = Annotated[Context, Depends(access(OPERATE))]

    async def shown(tenant: str) -> HttpResponse:
        return json_response(quotas_body(tenant, await quotas.limits(tenant), await quotas.used(tenant)))

    @routes.get("/tenant")
    async def own(context: admins) -> HttpResponse:
        """The limits of the key's tenant, over all its keys, and its usage."""
        return await shown(context.principal.tenant)

    @routes.get("/tenants/{tenant}")
    async def one(tenant: Tenant, context: operators) -> HttpResponse:  # noqa: ARG001
        """The same of any tenant."""
        return await shown(tenant)

    @routes.post("/tenants/{tenant}")
    async def change(tenant: Tenant, body: LimitsBody, context: operators) -> HttpResponse:
        """Set limits of a tenant. Its administrators cannot."""
        changes = body.model_dump(include=body.model_fields_set)
        if not changes:
            raise InvalidRequest(
                "the request changes nothing", remedy=f"Send some of {', '.join(LimitsBody.model_fields)}"
            )
        await quotas.change(tenant, changes, by=acting(context))
        return await shown(tenant)

    return routes


def quotas_body(tenant: str, limits: Mapping[str, int], used: Mapping[str, int]) -> dict[str, Any]:
    """Limits as JSON: a null ``limit`` means none, a null ``used`` means not counted per tenant."""
    data = [
        {
            "object": "tenant.limit",
            "name": name,
            "what": QUOTAS[name].what if name in QUOTAS else name.replace("_", " "),
            "limit": limit or None,
            "used": used.get(name),
        }
        for name, limit in limits.items()
    ]
    return {"object": "list", "tenant": tenant, "data": data}
