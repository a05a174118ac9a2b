"""A templated HTTP request as a tool."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, model_validator

from mainspring.agents.tools.base import BaseTool, Effect, ToolContext, ToolPolicy, ToolResult
from mainspring.agents.tools.sources.options import CallOptions, Options
from mainspring.agents.tools.sources.outgoing import Auth, Outbound, Outgoing
from mainspring.core.types import Context, Tool

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]*)\}")
SAFE = ("GET", "HEAD")


class AuthOptions(Options):
    """A secret of the section ``tools.secrets``, in a ``header`` (with a ``prefix`` such as ``"Bearer "``) or in a
    parameter of the ``query``."""

    secret: str
    header: str = ""
    query: str = ""
    prefix: str = ""

    @model_validator(mode="after")
    def _one_place(self) -> AuthOptions:
        if bool(self.header) == bool(self.query):
            raise ValueError("name either a header or a query parameter")
        return self

    def made(self) -> Auth:
        return Auth(self.secret, self.header, self.query, self.prefix)


class HttpOptions(CallOptions):
    """``url`` has places for arguments, ``https://shop.example/orders/{order_id}``. Other arguments go into the query
    (GET, HEAD, DELETE) or into a JSON body. ``parameters`` are the JSON schemas of the arguments by their names;
    ``required`` those that must be given (None: all). ``effect`` is what a call does (empty: nothing for GET and HEAD,
    else something each time); with ``idempotency_header`` the server does each thing once. ``result`` is the JSON
    schema of the answer. ``outward``: what it is given reaches others than the server's owner."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")
    description: str = Field(min_length=1)
    url: str
    method: Method = "GET"
    parameters: dict[str, dict[str, Any]] = Field(default_factory=dict)
    required: tuple[str, ...] | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    auth: AuthOptions | None = None
    effect: Effect | Literal[""] = ""
    idempotency_header: str = ""
    result: dict[str, Any] | None = None
    outward: bool = False
    examples: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _places(self) -> HttpOptions:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or _PLACE.search(parts.netloc):
            raise ValueError("url must be an http address whose host is fixed")
        missing = [each for each in _PLACE.findall(self.url) if each not in self.parameters]
        if missing:
            raise ValueError(f"url has a place for {missing[0]}, which is not a parameter")
        return self


@dataclass(frozen=True, slots=True)
class Operation:
    """What a call becomes: the places of its arguments in the request (``path``, ``query``, ``header``, ``body``, or
    ``whole``: the argument is the body)."""

    method: str
    url: str
    places: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=dict)
    auth: tuple[Auth, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """The names that the server knows, where the arguments have others."""
    idempotency_header: str = ""

    def request(self, arguments: Mapping[str, Any], key: str) -> Outbound:
        """Raises ``ValueError`` for a value that cannot stand in a path."""
        url, query, headers = self.url, {}, dict(self.headers)
        body: Any = None
        for argument, value in arguments.items():
            place, name = self.places.get(argument, "body"), self.names.get(argument, argument)
            if place == "path":
                url = url.replace(f"{{{name}}}", _segment(value))
            elif place == "query":
                query[name] = _plain(value)
            elif place == "header":
                headers[name] = _line(value)
            elif place == "whole":
                body = value
            else:
                body = {**(body or {}), name: value}
        if self.idempotency_header:
            headers[self.idempotency_header] = key
        return Outbound(self.method, url, query, headers, body, self.auth)


class HttpTool:
    """A request to a server as a tool."""

    def __init__(
        self,
        declaration: Tool,
        operation: Operation,
        policy: ToolPolicy,
        outgoing: Outgoing,
        examples: tuple[str, ...] = (),
    ) -> None:
        self.declaration = declaration
        self.policy = policy
        self.examples = examples
        self._operation = operation
        self._outgoing = outgoing

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        try:
            request = self._operation.request(arguments, context.key)
        except ValueError as error:
            return ToolResult(error=str(error))
        return ToolResult((await self._outgoing.send(request)).output)


@dataclass(frozen=True, slots=True)
class HttpToolset:
    """Tools over one sender, which is closed with them."""

    name: str
    fixed: tuple[BaseTool, ...]
    outgoing: Outgoing

    async def tools(self, context: Context) -> Sequence[BaseTool]:  # noqa: ARG002
        return self.fixed

    async def aclose(self) -> None:
        await self.outgoing.aclose()


def http_tool(options: HttpOptions, outgoing: Outgoing) -> HttpTool:
    """The tool that ``options`` describe."""
    inside = set(_PLACE.findall(options.url))
    rest = "query" if options.method in (*SAFE, "DELETE") else "body"
    places = {name: "path" if name in inside else rest for name in options.parameters}
    required = list(options.parameters) if options.required is None else [*options.required, *inside]
    schema = {
        "type": "object",
        "properties": options.parameters,
        "required": sorted(set(required)),
        "additionalProperties": False,
    }
    auth = (options.auth.made(),) if options.auth else ()
    operation = Operation(
        options.method, options.url, places, options.headers, auth, idempotency_header=options.idempotency_header
    )
    effect = options.effect or effect_of(options.method, options.idempotency_header)
    policy = options.policy(effect=effect, result=options.result, outward=options.outward)
    return HttpTool(Tool(options.name, options.description, schema), operation, policy, outgoing, options.examples)


def effect_of(method: str, idempotency_header: str) -> Effect:
    """What a call does to the world, as far as HTTP says it."""
    if method.upper() in SAFE:
        return "none"
    return "keyed" if idempotency_header else "unkeyed"


def host_of(url: str) -> str:
    """The host of a URL, with its port if it names one."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    return f"{host}:{parts.port}" if parts.port else host


def _segment(value: Any) -> str:
    text = _plain(value)
    if not text or text in (".", ".."):
        raise ValueError(f"{text!r} cannot stand in an address.")
    return quote(text, safe="")


def _line(value: Any) -> str:
    text = _plain(value)
    if any(ord(each) < 32 or ord(each) == 127 for each in text):
        raise ValueError("A header takes one line without control characters.")
    return text


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(_plain(each) for each in value)
    return "" if value is None else str(value)
