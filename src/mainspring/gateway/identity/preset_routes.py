"""``GET /v1/presets``: what ``options.preset`` may name, and what each sets."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import NotFound
from mainspring.core.settings.serving.rings import Preset
from mainspring.core.types import Context
from mainspring.http.access import Access
from mainspring.http.late_route import LateRoute
from mainspring.http.respond import json_response


def router(presets: Mapping[str, Preset], access: Access) -> APIRouter:
    """The routes over ``presets``, by name."""
    routes = APIRouter(route_class=LateRoute, tags=["generate"])
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.get("/v1/presets")
    async def list_presets(_: chats) -> HttpResponse:
        return json_response({"object": "list", "data": [_body(name, preset) for name, preset in presets.items()]})

    @routes.get("/v1/presets/{name}")
    async def get_preset(name: str, _: chats) -> HttpResponse:
        if name not in presets:
            raise NotFound(f"there is no preset {name!r}", remedy="GET /v1/presets lists them", param="name")
        return json_response(_body(name, presets[name]))

    return routes


def _body(name: str, preset: Preset) -> dict[str, Any]:
    facts = {"description": preset.description, "source": preset.source}
    # The field of a request is named as transformers and vLLM name it.
    sampling = {"num_beams" if key == "beams" else key: value for key, value in preset.parameters().items()}
    return {"id": name, "object": "preset", **facts, "sampling": sampling}
