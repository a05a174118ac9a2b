"""Routes of API keys: who asks, and for admins the keys of their tenant and the limits of them all."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import math
import time
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import Conflict, Forbidden, InvalidRequest, NotFound
from mainspring.core.scopes import OPERATE, SCOPES
from mainspring.core.settings import ServingSettings
from mainspring.core.settings.identity import Roles, Scope
from mainspring.core.settings.serving.rings import Region
from mainspring.core.types import Context, Principal, Reach, real
from mainspring.gateway.identity.key_delegation import KeyDelegation
from mainspring.http.access import Access, acting
from mainspring.http.bodies import Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.keys.api_keys import Children, KeyInfo, Keys

Group = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,64}$")]
Name = Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,256}$")]


class KeyBody(Body):
    """``POST /v1/keys``. ``days`` until it expires (null: never, or with the creating key); ``tier``: a name of
    ``serving.tiers`` (none: the creating key's); ``consent``: its requests may be used for learning if they do not say.
    ``role`` adds the scopes of one of ``gateway.roles``. ``models``, ``collections`` and ``regions`` limit it; without
    any it is not limited."""

    name: Annotated[str, Field(pattern=r"^[^\x00-\x1f]{1,128}$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=64, fail_fast=True)] | None = None
    role: Annotated[str, Field(max_length=64)] | None = None
    groups: Annotated[tuple[Group, ...], Field(max_length=64, fail_fast=True)] = ()
    days: Annotated[float, Field(gt=0, le=36_500, allow_inf_nan=False)] | None = None
    tier: Annotated[str, Field(max_length=64)] = ""
    consent: bool = False
    models: Annotated[tuple[Name, ...], Field(max_length=256, fail_fast=True)] = ()
    collections: Annotated[tuple[Name, ...], Field(max_length=256, fail_fast=True)] = ()
    regions: Annotated[tuple[Region, ...], Field(max_length=16, fail_fast=True)] = ()

    def reach(self) -> Reach:
        """What it limits."""
        return Reach(frozenset(self.models), frozenset(self.collections), frozenset(self.regions))


class RotateBody(Body):
    """``POST /v1/keys/{id}/rotate``: the old secret goes on for ``overlap_s`` seconds."""

    overlap_s: Annotated[float, Field(ge=0, le=30 * 86_400, allow_inf_nan=False)] = 0.0


def router(keys: Keys, settings: ServingSettings, access: Access, roles: Roles, token_days: float = 90.0) -> APIRouter:
    """The routes over the store of keys. A key cannot create one that may do or see more than itself."""
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
        """The limits of one key: the default ones, and those of tiers that differ."""
        return json_response(limits_body(settings))

    @routes.get("/scopes")
    async def scopes(context: admins) -> HttpResponse:  # noqa: ARG001
        """The scopes that a key can have, and what each allows."""
        told = [{"id": name, "object": "scope", "allows": allows} for name, allows in SCOPES.items()]
        return json_response({"object": "list", "data": told})

    _keys(routes, keys, settings, access, roles, KeyDelegation(keys, settings, token_days))
    return routes


def _keys(
    routes: APIRouter, keys: Keys, settings: ServingSettings, access: Access, roles: Roles, bestowal: KeyDelegation
) -> None:
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
        groups, principal = frozenset(body.groups), context.principal
        # By default, the creating key's value.
        tier = body.tier or principal.tier
        if body.tier and body.tier not in settings.tiers:
            names = ", ".join(settings.tiers) or "none"
            raise InvalidRequest(f"there is no tier {body.tier!r}", remedy=f"There are: {names}", param="tier")
        reach = body.reach()
        scopes = _scopes(body, roles)
        bestowal.check(principal, scopes=scopes, groups=groups, reach=reach, tier=tier)
        wanted = None if body.days is None else time.time() + body.days * 86_400
        info, secret = await keys.create(
            body.name,
            tenant=principal.tenant,
            scopes=scopes,
            groups=groups,
            expires_at=await bestowal.until(principal, wanted),
            tier=tier,
            consent=body.consent,
            reach=reach,
            maker=principal,
            by=acting(context),
        )
        return json_response({**key_body(info, time.time()), "secret": secret}, status=201)

    _changes(routes, keys, access, bestowal)


def _changes(routes: APIRouter, keys: Keys, access: Access, bestowal: KeyDelegation) -> None:
    """The routes that replace and revoke keys."""
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.post("/keys/{key_id}/rotate", status_code=201)
    async def rotate_key(key_id: str, body: RotateBody, context: admins) -> HttpResponse:
        """A new key in the place of an old one; its `secret` is in this answer and nowhere else."""
        principal = context.principal
        _above(key_id, principal)
        old = await keys.get(principal.tenant, key_id)
        if key_id != principal.key_id:
            bestowal.check(principal, scopes=old.scopes, groups=old.groups, reach=old.reach, tier=old.tier)
            await bestowal.until(principal, math.inf if old.expires_at is None else old.expires_at)
        info, secret = await keys.rotate(principal.tenant, key_id, overlap_s=body.overlap_s, by=acting(context))
        return json_response({**key_body(info, time.time()), "secret": secret}, status=201)

    @routes.delete("/keys/{key_id}")
    async def revoke_key(
        key_id: str,
        context: admins,
        children: Annotated[
            Children | None,
            Query(description="What happens to the usable keys that it created; required if there are any"),
        ] = None,
    ) -> HttpResponse:
        """Refuse a key from now on, and with `children=revoke` all that it and those made. A key cannot revoke itself,
        and only keys with the scope `operate` revoke one that has it."""
        principal = context.principal
        if key_id == principal.key_id:
            raise Conflict("a key cannot revoke itself", remedy="Revoke it with another admin key")
        _above(key_id, principal)
        if OPERATE not in principal.scopes and OPERATE in (await keys.get(principal.tenant, key_id)).scopes:
            raise Forbidden(
                f"this API key lacks the scope {OPERATE!r}, which {key_id} has",
                remedy="Revoke it on the server's machine: `mainspring keys revoke ID`",
            )
        ended = await keys.revoke(principal.tenant, key_id, children=children, by=acting(context))
        also = [each for each in ended if each != key_id]
        return json_response({"id": key_id, "object": "key.revoked", "revoked": True, "revoked_children": also})


async def _name(keys: Keys, principal: Principal) -> str:
    try:
        return (await keys.get(principal.tenant, principal.key_id)).name
    except NotFound:
        # At the machine itself, commands act without a stored key.
        return ""


def _above(key_id: str, principal: Principal) -> None:
    """Raises ``Forbidden`` for a key that made the principal's: it would be out of reach of who is to revoke it."""
    if key_id in principal.lineage:
        raise Forbidden(
            f"{key_id} created this API key, so this key cannot replace or revoke it",
            remedy="Do it with another admin key, or on the server's machine",
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
    """The caller, as JSON."""
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
        "parent": info.parent or None,
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
