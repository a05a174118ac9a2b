"""How requests are read: the key first, then the query, then the body, each strictly and only if the one before held.

The standard library's JSON parser lets through what nothing further along can hold: NaN, infinities, halves of
surrogate pairs. Refused here, they cannot fail a child process or a store later. Query parameters that a route does
not know are refused like unknown fields of a body.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request as HttpRequest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response as HttpResponse

from mainspring.core import structure
from mainspring.core.errors import InvalidRequest, MainspringError
from mainspring.core.nearest import nearest, shown
from mainspring.http.access import Caller

Handler = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponse]]


class JsonRequest(HttpRequest):
    """A request whose ``json()`` raises ``json.JSONDecodeError`` for anything other than JSON in UTF-8. It raises
    ``TooLarge`` or ``InvalidRequest`` before parsing if a body has too much structure."""

    refused: MainspringError | None = None

    async def json(self) -> Any:
        try:
            return structure.loads(await self.body())
        except MainspringError as error:
            self.refused = error
            raise


class JsonRoute(APIRoute):
    """A route that reads its requests in this order. Routers name it as their ``route_class``.

    The framework would read the body before the route's dependencies run; here a request without a key is refused
    first.
    """

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        callers = [each.call for each in _dependants(self.dependant) if isinstance(each.call, Caller)]
        known = [param.alias for each in _dependants(self.dependant) for param in each.query_params]

        async def strict(http: HttpRequest) -> HttpResponse:
            for caller in callers:
                await caller.admit(http)
            if http.scope["query_string"]:
                _check_query(http, known)
            request = JsonRequest(http.scope, http.receive)
            try:
                return await handle(request)
            except HTTPException:
                # What the framework makes of an error in its body parser is a vague 400.
                if request.refused is not None:
                    raise request.refused from None
                raise

        return strict


def _dependants(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _dependants(inner)


def _check_query(http: HttpRequest, known: list[str]) -> None:
    for name in http.query_params:
        if name not in known:
            close = nearest(name, known)
            listed = f"It takes {', '.join(known)}" if known else "It takes none"
            raise InvalidRequest(
                f"unknown query parameter {shown(name)!r}",
                remedy=f"Did you mean {close}?" if close else listed,
                param=shown(name),
            )
