"""Reads requests: the key first, then the query, then the body, each strictly and only if the previous one is valid.

The standard library's JSON parser accepts values that later steps cannot hold: NaN, infinities, halves of surrogate
pairs. Refused here, they cannot fail a child process or a store later. Query parameters that a route does not know are
refused like unknown fields of a body.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing
from typing import Any

import orjson
from fastapi import Request as HttpRequest
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response as HttpResponse

from mainspring.core import structure
from mainspring.core.errors import InvalidRequest, MainspringError
from mainspring.core.nearest import nearest, shown
from mainspring.http import fields
from mainspring.http.access import Caller
from mainspring.http.bodies_in_flight import HeldBody
from mainspring.http.late_route import LateRoute

DEPLOYMENT = "deployment"
"""The name in a request's state of the model that its path names."""
ONCE = "idempotency-key"
"""The header under which a route that declares it begins what it is asked for once."""
Handler = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponse]]


class JsonRequest(HttpRequest):
    """A request whose ``json()`` raises ``json.JSONDecodeError`` for anything other than JSON in UTF-8. It raises
    ``TooLarge`` or ``InvalidRequest`` before parsing if a body has too much structure, and ``RateLimited`` or
    ``Overloaded`` if too many bytes of bodies are held already.

    The structure of JSON that comes in several parts is counted part by part. Other requests have their turn in
    between, and a body with too much structure is read no further.
    """

    refused: MainspringError | None = None
    sent: Any = None
    held: HeldBody | None = None
    _counted = False

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            counting = structure.Count() if _is_json(self.headers.get("content-type", "")) else None
            parts: list[bytes] = []
            try:
                if self.held is not None:
                    self.held.expect(int(self.headers.get("content-length", "0")))
                async with aclosing(self.stream()) as stream:
                    async for part in stream:
                        if self.held is not None:
                            self.held.add(len(part))
                        if part and parts and counting is not None:
                            self._count(counting, part if self._counted else parts[0] + part)
                        parts += [part] if part else []
            except MainspringError as error:
                self.refused = error
                raise
            whole = b"".join(parts)
            model = self.scope.get("state", {}).get(DEPLOYMENT)
            self._body = whole if model is None or counting is None else _with_model(whole, model)
        return self._body

    def _count(self, counting: structure.Count, part: bytes) -> None:
        self._counted = True
        for start in range(0, len(part), structure.PIECE):
            counting.add(part[start : start + structure.PIECE])

    async def json(self) -> Any:
        body = await self.body()
        if self._counted:
            self.sent = orjson.loads(body)
            return self.sent
        try:
            self.sent = structure.loads(body)
            return self.sent
        except MainspringError as error:
            self.refused = error
            raise


class JsonRoute(LateRoute):
    """A route that reads its requests in this order. Routers name it as their ``route_class``.

    The framework would read the body before the route's dependencies run; here a request without a key is refused
    first.
    """

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        callers = [each.call for each in _dependants(self.dependant) if isinstance(each.call, Caller)]
        known = [param.alias for each in _dependants(self.dependant) for param in each.query_params]
        headers = {param.alias for each in _dependants(self.dependant) for param in each.header_params}
        once = "POST" not in (self.methods or ()) or ONCE in headers

        async def strict(http: HttpRequest) -> HttpResponse:
            request = JsonRequest(http.scope, http.receive)
            for caller in callers:
                request.held = caller.body_of((await caller.admit(http)).principal)
            if http.scope["query_string"]:
                _check_query(http, known)
            try:
                response = await handle(request)
            except HTTPException:
                # The framework turns an error of its body parser into a vague 400.
                if request.refused is not None:
                    raise request.refused from None
                raise
            finally:
                if request.held is not None:
                    request.held.release()
            names = self._ignored(http, request)
            if not once and ONCE in http.headers:
                names.append(ONCE)
            if names:
                told = response.headers.get(fields.HEADER)
                response.headers[fields.HEADER] = ", ".join([*names, *([told] if told else [])])
            return response

        return strict

    def _ignored(self, http: HttpRequest, request: JsonRequest) -> list[str]:
        """What the client sent that is accepted and not read."""
        names = [name for name in fields.QUERY_HINTS if http.scope["query_string"] and name in http.query_params]
        body = None if self.body_field is None else self.body_field.field_info.annotation
        if isinstance(body, type) and issubclass(body, BaseModel):
            names += fields.ignored(body, request.sent)
        return names


def _with_model(body: bytes, model: str) -> bytes:
    """The JSON object with the model that the path names, as its last field: the last one of a name counts. Anything
    else stays, and is refused later."""
    begun, ended = body.strip(), body.rstrip()
    if not (begun.startswith(b"{") and begun.endswith(b"}")):
        return body
    comma = b"" if not begun[1:-1].strip() else b","
    return ended[:-1] + comma + b'"model":' + orjson.dumps(model) + b"}"


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _dependants(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _dependants(inner)


def _is_member(name: str, known: list[str]) -> bool:
    """Whether ``name`` is one of the names that a known parameter stands for: ``metadata[*]`` for ``metadata[a]``."""
    return name.endswith("]") and f"{name.partition('[')[0]}[*]" in known


def _check_query(http: HttpRequest, known: list[str]) -> None:
    for name in http.query_params:
        if name not in known and not _is_member(name, known) and name not in fields.QUERY_HINTS:
            close = nearest(name, known)
            listed = f"It takes {', '.join(known)}" if known else "It takes none"
            raise InvalidRequest(
                f"unknown query parameter {shown(name)!r}",
                remedy=f"Did you mean {close}?" if close else listed,
                param=shown(name),
            )
