"""How JSON bodies are read: strictly, before anything looks into them.

The standard library's parser lets through what nothing further along can hold: NaN, infinities, halves of
surrogate pairs. Refused here, they cannot fail a child process or a store later.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request as HttpRequest
from fastapi.routing import APIRoute
from starlette.responses import Response as HttpResponse

Handler = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponse]]


class JsonRequest(HttpRequest):
    """A request whose ``json()`` raises ``json.JSONDecodeError`` for everything that is not JSON in UTF-8."""

    async def json(self) -> Any:
        return orjson.loads(await self.body())


class JsonRoute(APIRoute):
    """A route that reads its body as a ``JsonRequest``. Routers name it as their ``route_class``."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def strict(http: HttpRequest) -> HttpResponse:
            return await handle(JsonRequest(http.scope, http.receive))

        return strict
