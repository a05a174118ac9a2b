"""Routes of API keys: who asks, and for admins the keys of their tenant and the limits of them all."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import time
from collections.abc import Mapping
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.errors import Conflict, Forbidden, InvalidRequest, NotFound
from mainspring.gateway.access import Access, acting
from mainspring.gateway.bodies import Body
from mainspring.gateway.body import JsonRoute
from mainspring.gateway.respond import json_response
from mainspring.settings import ServingSettings
from mainspring.settings.identity import OPERATE, Roles, Scope
from mainspring.settings.serving import Region
from mainspring.stores.audit import By
from mainspring.stores.keys import KeyInfo
from mainspring.types import Context, Principal, Reach, real

Group = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,64}$")]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,256}$")]


class Kept(Protocol):
    """The store of keys."""

    async def get(self, tenant: str, key_id: str) -> KeyInfo: ...

    async def list(self, tenant: str) -> list[KeyInfo]: ...

    async def create(
        self,
        name: str,
        *,
        tenant: str,
        scopes: frozenset[str],
        groups: frozenset[str],
        expires_at: float | None,
        tier: str,
        consent: bool,
        reach: Reach,
        by: By,
    ) -> tuple[KeyInfo, str]: ...

    async def rotate(self, tenant: str, key_id: str, *, overlap_s: float, by: By) -> tuple[KeyInfo, str]: ...

    async def revoke(self, tenant: str, key_id: str, *, by: By) -> None: ...


class KeyBody(Body):
    """``POST /v1/keys``. ``days`` until it expires (null: never); ``tier``: a name of ``serving.tiers``;
    ``consent``: what is asked with it may be learnt from, where a request does not say. ``role`` adds the scopes of one
    of ``gateway.roles``. ``models``, ``collections`` and ``regions`` limit it; without any it is not limited."""

    name: Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,128}$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=16)] | None = None
    role: Annotated[str, Field(max_length=64)] | None = None
    groups: Annotated[tuple[Group, ...], Field(max_length=64)] = ()
    days: Annotated[float, Field(gt=0, le=36_500, allow_inf_nan=False)] | None = None
    tier: Annotated[str, Field(max_length=64)] = ""
    consent: bool = False
    models: Annotated[tuple[Name, ...], Field(max_length=256)] = ()
    collections: Annotated[tuple[Name, ...], Field(max_length=256)] = ()
    regions: Annotated[tuple[Region, ...], Field(max_length=16)] = ()

    def reach(self) -> Reach:
        """What it limits."""
        return Reach(frozenset(self.models), frozenset(self.collections), frozenset(self.regions))


class RotateBody(Body):
    """``POST /v1/keys/{id}/rotate``: the old secret goes on for ``overlap_s`` seconds."""

    overlap_s: Annotated[float, Field(ge=0, le=30 * 86_400, allow_inf_nan=False)] = 0.0


def router(keys: Kept, settings: ServingSettings, access: Access, roles: Roles) -> APIRouter:
    """The routes over the store of keys. No key can make one that may do or see more than itself."""
    routes = APIRouter(route_class=JsonRoute, tags=["keys"], prefix="/v1")
    anyone = Annotated[Context, Depends(access(""))]
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("/me")
    async def who_asks(context: anyone) -> HttpResponse:
        """The tenant, scopes and groups of the key that asks."""
        principal = context.principal
        return json_response(principal_body(principal, await _name(keys, principal)))

    @routes.get("/limits")
    async def limits(context: admins) -> HttpResponse:  # noqa: ARG001
        """What one key may ask for: of everybody, and of the tiers that differ."""
        return json_response(limits_body(settings))

    _keys(routes, keys, settings, access, roles)
    return routes


def _keys(routes: APIRouter, keys: Kept, settings: ServingSettings, access: Access, roles: Roles) -> None:
    """The routes with which admins keep the keys of their tenant."""
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("/keys")
    async def list_keys(context: admins) -> HttpResponse:
        """The tenant's keys without their secrets, revoked and expired ones too, oldest first."""
        now = time.time()
        found = await keys.list(context.principal.tenant)
        return json_response({"object": "list", "data": [key_body(info, now) for info in found]})

    @routes.post("/keys", status_code=201)
    async def create_key(body: KeyBody, context: admins) -> HttpResponse:
        """A new key of the tenant; its `secret` is in this answer and nowhere else."""
        groups = frozenset(body.groups)
        _within(groups, context.principal)
        if body.tier and body.tier not in settings.tiers:
            names = ", ".join(settings.tiers) or "none"
            raise InvalidRequest(f"there is no tier {body.tier!r}", remedy=f"There are: {names}", param="tier")
        reach = body.reach()
        _no_further(reach, context.principal)
        scopes = _scopes(body, roles)
        _no_more(scopes, context.principal)
        info, secret = await keys.create(
            body.name,
            tenant=context.principal.tenant,
            scopes=scopes,
            groups=groups,
            expires_at=None if body.days is None else time.time() + body.days * 86_400,
            tier=body.tier,
            consent=body.consent,
            reach=reach,
            by=acting(context),
        )
        return json_response({**key_body(info, time.time()), "secret": secret}, status=201)

    @routes.post("/keys/{key_id}/rotate", status_code=201)
    async def rotate_key(key_id: str, body: RotateBody, context: admins) -> HttpResponse:
        """A new key in the place of an old one; its `secret` is in this answer and nowhere else."""
        principal = context.principal
        old = await keys.get(principal.tenant, key_id)
        _within(old.groups, principal)
        _no_further(old.reach, principal)
        _no_more(old.scopes, principal)
        info, secret = await keys.rotate(principal.tenant, key_id, overlap_s=body.overlap_s, by=acting(context))
        return json_response({**key_body(info, time.time()), "secret": secret}, status=201)

    @routes.delete("/keys/{key_id}")
    async def revoke_key(key_id: str, context: admins) -> HttpResponse:
        """Refuse a key from now on. A key cannot revoke itself."""
        principal = context.principal
        if key_id == principal.key_id:
            raise Conflict("a key cannot revoke itself", remedy="Revoke it with another admin key")
        await keys.revoke(principal.tenant, key_id, by=acting(context))
        return json_response({"id": key_id, "object": "key.revoked", "revoked": True})


async def _name(keys: Kept, principal: Principal) -> str:
    try:
        return (await keys.get(principal.tenant, principal.key_id)).name
    except NotFound:
        # Whoever works at the machine itself asks without a key of the store.
        return ""


def _within(groups: frozenset[str], principal: Principal) -> None:
    """Raises ``Forbidden`` for groups that the principal is not in: their documents could be read with the new key."""
    if beyond := groups - principal.groups:
        raise Forbidden(
            f"this API key is not in {', '.join(sorted(beyond))} itself",
            remedy="Make it at the machine: `mainspring keys create NAME --group GROUP`",
        )


def _no_further(reach: Reach, principal: Principal) -> None:
    """Raises ``Forbidden`` for a key that would be limited less than the principal is."""
    if laxer := reach.beyond(principal.reach):
        raise Forbidden(
            f"this API key is limited in its {' and '.join(laxer)} itself, and makes no key that is limited less",
            remedy=f"Give {laxer[0]} of its own, or make it at the machine",
        )


def _no_more(scopes: frozenset[str], principal: Principal) -> None:
    """Raises ``Forbidden`` for the one scope that reaches beyond a tenant, where the principal has it not itself."""
    if OPERATE in scopes - principal.scopes:
        raise Forbidden(
            f"this API key lacks the scope {OPERATE!r} itself, and makes or replaces no key that has it",
            remedy=f"Do it at the machine: `mainspring keys create NAME --scope admin --scope {OPERATE}`",
        )


def _scopes(body: KeyBody, roles: Roles) -> frozenset[str]:
    if body.role is None:
        return frozenset(body.scopes or ("chat", "embed"))
    if body.role not in roles:
        raise InvalidRequest(f"there is no role {body.role!r}", remedy=f"There are: {', '.join(roles)}", param="role")
    return frozenset((*roles[body.role], *(body.scopes or ())))


def reach_body(reach: Reach) -> dict[str, list[str]]:
    """Limits as JSON; an empty list limits nothing."""
    return {
        "models": sorted(reach.models),
        "collections": sorted(reach.collections),
        "regions": sorted(reach.regions),
    }


def principal_body(principal: Principal, name: str) -> dict[str, Any]:
    """Who asks, as JSON."""
    return {
        "object": "principal",
        "tenant": principal.tenant,
        "key_id": principal.key_id,
        "key_name": name,
        "scopes": sorted(principal.scopes),
        "groups": sorted(real(principal.groups)),
        "tier": principal.tier,
        **reach_body(principal.reach),
    }


def key_body(info: KeyInfo, now: float) -> dict[str, Any]:
    """A key as JSON, without its secret."""
    ended = "revoked" if info.revoked_at is not None else "expired"
    return {
        "id": info.id,
        "object": "key",
        "name": info.name,
        "hint": info.hint,
        "scopes": sorted(info.scopes),
        "groups": sorted(info.groups),
        "tier": info.tier,
        "consent": info.consent,
        **reach_body(info.reach),
        "status": "active" if info.usable(now) else ended,
        "created_at": info.created_at,
        "expires_at": info.expires_at,
        "revoked_at": info.revoked_at,
        "last_used_at": info.last_used_at,
    }


def limits_body(settings: ServingSettings) -> dict[str, Any]:
    """The limits of a key; a tier has those that it does not set from everybody's."""
    everybody: Mapping[str, int] = {
        "requests_per_minute": settings.requests_per_minute,
        "tokens_per_minute": settings.tokens_per_minute,
        "requests_per_day": settings.requests_per_day,
    }
    return {
        "object": "limits",
        "default": everybody,
        "tiers": {name: {**everybody, **tier.model_dump(exclude_none=True)} for name, tier in settings.tiers.items()},
        "max_output_tokens": settings.max_output_tokens,
        "default_output_tokens": settings.default_output_tokens,
    }
