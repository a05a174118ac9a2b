"""Routes of the feature table. Features count over all groups of a tenant: they are for administrators."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.lake.features_table.following import Following
from mainspring.features.lake.features_table.reading import FeatureKey, Features, FeatureTable
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response

PREFIX = "/v1/lake/features"
Entity = Literal["user", "document"]
Name = Annotated[str, Field(min_length=1, max_length=512)]
Moment = Annotated[
    float | None, Field(ge=0, le=9e9, allow_inf_nan=False, description="Time in Unix seconds; default: now")
]


class KeyBody(Body):
    """An entity, and the time as of which its features are read."""

    entity: Entity
    id: Name
    as_of: Moment = None


class ReadBody(Body):
    """``POST /v1/lake/features/read``."""

    keys: Annotated[list[KeyBody], Field(min_length=1, max_length=1000, fail_fast=True)]


def router(table: FeatureTable, following: Following, access: Access) -> APIRouter:
    """The routes over the table."""
    routes = APIRouter(route_class=JsonRoute, tags=["lake"], prefix=PREFIX)
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.post("/sync")
    async def sync_features(context: admins) -> HttpResponse:  # noqa: ARG001
        """Process all new events. `started` is false if another process is doing it."""
        count = await following.sync()
        return json_response({"object": "lake.features.sync", "started": count is not None, "events": count or 0})

    @routes.post("/read")
    async def read_features(body: ReadBody, context: admins) -> HttpResponse:
        """Features of up to 1,000 entities, each as of a time. Only events before that time count."""
        keys = [FeatureKey(each.entity, each.id, each.as_of) for each in body.keys]
        found = await table.read(context.principal.tenant, keys)
        pairs = zip(keys, found, strict=True)
        return json_response({"object": "list", "data": [features_body(key, each) for key, each in pairs]})

    @routes.get("/{entity}/{entity_id}")
    async def get_features(
        entity: Entity,
        entity_id: str,
        context: admins,
        as_of: Annotated[float | None, Query(ge=0, le=9e9, description="Time in Unix seconds; default: now")] = None,
    ) -> HttpResponse:
        """Features of a user or a document."""
        key = FeatureKey(entity, entity_id, as_of)
        (found,) = await table.read(context.principal.tenant, [key])
        return json_response(features_body(key, found))

    return routes


def features_body(key: FeatureKey, found: Features) -> dict[str, Any]:
    """Features as JSON."""
    return {
        "object": "lake.features",
        "entity": key.entity,
        "id": key.id,
        "as_of": key.as_of,
        "features": found.features,
        "embedding": None if found.embedding is None else [round(float(each), 6) for each in found.embedding],
        "embedder": found.embedder or None,
        "embedded": found.embedded,
    }
