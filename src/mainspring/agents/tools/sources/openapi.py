"""Tools from an OpenAPI 3 document: one for each operation that the options pick."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import yaml
from pydantic import Field, model_validator

from mainspring.agents.tools.sources.http import AuthOptions, HttpTool, Operation, effect_of, host_of
from mainspring.agents.tools.sources.options import CallOptions
from mainspring.agents.tools.sources.outgoing import Outgoing
from mainspring.core.errors import InvalidRequest, InvalidSchema
from mainspring.core.types import Tool
from mainspring.engines.grammar.validation import validator

_METHODS = ("get", "head", "post", "put", "patch", "delete")
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")
_MOST = 10 * 2**20
_REF = "#/components/schemas/"
_DEPTH = 64


class OpenApiOptions(CallOptions):
    """``document`` is a file (YAML or JSON), or ``spec`` the document itself. ``operations`` are patterns of the
    operations to take (``getOrder``, ``list*``, ``GET /orders/*``; none: those that only read). ``server`` replaces the
    document's address; no other host is reached. ``auth`` is sent with each request. With ``idempotency_header`` the
    server does each thing once. ``prefix`` stands before each name. ``foreign``: the document's words are a stranger's.
    ``outward``: what it is given reaches others than the server's owner."""

    document: str = ""
    spec: dict[str, Any] | None = None
    operations: tuple[str, ...] | None = None
    server: str = ""
    auth: AuthOptions | None = None
    idempotency_header: str = ""
    prefix: str = ""
    foreign: bool = False
    outward: bool = False
    name: str = Field("openapi", max_length=64)

    @model_validator(mode="after")
    def _one_document(self) -> OpenApiOptions:
        if bool(self.document) == (self.spec is not None):
            raise ValueError("give either document or spec")
        return self


def read(options: OpenApiOptions) -> Mapping[str, Any]:
    """The document. Raises ``InvalidRequest`` naming the option."""
    found: Any = options.spec
    if options.document:
        path = Path(options.document).expanduser()
        try:
            if path.stat().st_size > _MOST:
                raise InvalidRequest(f"document: {path} has more than {_MOST} bytes", param="document")
            found = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise InvalidRequest(f"document: {path} cannot be read: {error}", param="document") from None
    if not isinstance(found, Mapping) or not str(found.get("openapi", "")).startswith("3"):
        raise InvalidRequest(
            "document: this is not an OpenAPI 3 document", remedy="Convert it, if it is Swagger 2", param="document"
        )
    return found


def server_of(options: OpenApiOptions, document: Mapping[str, Any]) -> str:
    """The address that operations are below. Raises ``InvalidRequest``."""
    servers = document.get("servers") or [{}]
    url = options.server or str(servers[0].get("url", ""))
    if not url.startswith(("https://", "http://")) or "{" in url:
        raise InvalidRequest(
            f"the document names no full address ({url or 'none'})", remedy="Set server", param="server"
        )
    return url.rstrip("/") + "/"


def tools(options: OpenApiOptions, document: Mapping[str, Any], outgoing: Outgoing) -> tuple[HttpTool, ...]:
    """The tools of the picked operations. Raises ``InvalidRequest`` if there are none."""
    server, made = server_of(options, document), []
    for path, method, operation, shared in _operations(document):
        if _picked(options, path, method, operation):
            made.append(_tool(options, document, server, path, method, operation, shared, outgoing))
    if not made:
        raise InvalidRequest("the document has no operation that fits", param="operations")
    names = [each.declaration.name for each in made]
    twice = next((each for each in names if names.count(each) > 1), "")
    if twice:
        raise InvalidRequest(f"two operations are named {twice}", remedy="Pick one in operations", param="operations")
    return tuple(made)


def hosts(server: str) -> frozenset[str]:
    """The one host that operations reach."""
    return frozenset({host_of(server)})


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any], list[Any]]]:
    for path, item in (document.get("paths") or {}).items():
        item = _resolved(document, item)
        for method in _METHODS:
            if isinstance(item.get(method), Mapping):
                yield path, method, item[method], list(item.get("parameters") or ())


def _name(options: OpenApiOptions, path: str, method: str, operation: Mapping[str, Any]) -> str:
    name = str(operation.get("operationId") or f"{method}_{path.strip('/')}")
    return _UNFIT.sub("_", options.prefix + name).strip("_")[:64]


def _picked(options: OpenApiOptions, path: str, method: str, operation: Mapping[str, Any]) -> bool:
    if options.operations is None:
        return method in ("get", "head")
    names = (str(operation.get("operationId", "")), f"{method.upper()} {path}")
    return any(fnmatchcase(name, each) for each in options.operations for name in names)


def _tool(
    options: OpenApiOptions,
    document: Mapping[str, Any],
    server: str,
    path: str,
    method: str,
    operation: Mapping[str, Any],
    shared: list[Any],
    outgoing: Outgoing,
) -> HttpTool:
    properties: dict[str, Any] = {}
    required: list[str] = []
    places: dict[str, str] = {}
    names: dict[str, str] = {}
    for each in [*shared, *(operation.get("parameters") or ())]:
        each = _resolved(document, each)
        place = str(each.get("in"))
        if place not in ("path", "query", "header"):
            continue
        argument = _UNFIT.sub("_", str(each["name"]))
        schema = dict(each.get("schema") or {"type": "string"})
        if each.get("description"):
            schema.setdefault("description", str(each["description"])[:1000])
        properties[argument], places[argument], names[argument] = schema, place, str(each["name"])
        if each.get("required") or place == "path":
            required.append(argument)
    _body(document, operation, properties, required, places)
    parameters: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    parameters["required"] = sorted(set(required))
    words = [str(operation.get(each, "")).strip() for each in ("summary", "description")]
    described = "\n".join(dict.fromkeys(each for each in words if each)) or f"{method.upper()} {path}"
    url = urljoin(server, path.lstrip("/"))
    auth = (options.auth.made(),) if options.auth else ()
    header = options.idempotency_header if method not in ("get", "head") else ""
    made = Operation(method.upper(), url, places, {}, auth, names, header)
    whole = _whole(document, parameters)
    if not _checkable(whole):
        raise InvalidRequest(
            f"the arguments of {method.upper()} {path} have a schema that cannot be checked",
            remedy="Leave it out by operations",
            param="operations",
        )
    policy = options.policy(
        effect=effect_of(method, header),
        foreign=options.foreign,
        outward=options.outward,
        result=_result(document, operation),
    )
    name = _name(options, path, method, operation)
    return HttpTool(Tool(name, described[:4000], whole), made, policy, outgoing)


def _body(
    document: Mapping[str, Any],
    operation: Mapping[str, Any],
    properties: dict[str, Any],
    required: list[str],
    places: dict[str, str],
) -> None:
    """Adds the arguments of the JSON body: its properties, or ``body`` where they cannot stand beside the others."""
    body = _resolved(document, operation.get("requestBody") or {})
    content = body.get("content") or {}
    kind = next((each for each in content if "json" in each), "")
    if not kind:
        return
    schema = (content[kind] or {}).get("schema") or {}
    inner = _resolved(document, schema)
    own = inner.get("properties")
    if (
        isinstance(own, Mapping)
        and own
        and not set(own) & set(properties)
        and inner.get("additionalProperties") is not True
    ):
        for name, each in own.items():
            if not (isinstance(each, Mapping) and each.get("readOnly")):
                properties[name], places[name] = each, "body"
        required += [name for name in inner.get("required", ()) if name in properties and body.get("required", True)]
        return
    properties["body"], places["body"] = schema, "whole"
    if body.get("required"):
        required.append("body")


def _result(document: Mapping[str, Any], operation: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema of the answer; None where the document has none that can be checked."""
    for status, response in (operation.get("responses") or {}).items():
        if str(status).startswith("2"):
            content = _resolved(document, response).get("content") or {}
            schema = next((each.get("schema") for kind, each in content.items() if "json" in kind), None)
            if isinstance(schema, Mapping):
                whole = _whole(document, schema)
                return whole if _checkable(whole) else None
    return None


def _checkable(schema: Mapping[str, Any]) -> bool:
    try:
        validator(json.dumps(schema))
    except InvalidSchema:
        return False
    return True


def _resolved(document: Mapping[str, Any], found: Any) -> Mapping[str, Any]:
    for _ in range(_DEPTH):
        if not isinstance(found, Mapping):
            return {}
        reference = found.get("$ref")
        if not isinstance(reference, str):
            return found
        if not reference.startswith("#/"):
            raise InvalidRequest(f"the document refers to {reference}, which is outside of it", param="document")
        place: Any = document
        for part in reference[2:].split("/"):
            place = place.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(place, Mapping) else None
        found = place
    raise InvalidRequest("the document refers to itself in a circle", param="document")


def _whole(document: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """``schema`` with all definitions that it reaches, under ``$defs``."""
    schemas = (document.get("components") or {}).get("schemas") or {}
    defs: dict[str, Any] = {}

    def moved(value: Any) -> Any:
        if isinstance(value, Mapping):
            reference = value.get("$ref")
            if isinstance(reference, str) and reference.startswith(_REF):
                name = reference.removeprefix(_REF)
                if name in schemas and name not in defs:
                    defs[name] = {}
                    defs[name] = moved(schemas[name])
                return {"$ref": f"#/$defs/{name}"}
            return {key: moved(each) for key, each in value.items()}
        return [moved(each) for each in value] if isinstance(value, list) else value

    made = dict(moved(schema))
    return made | ({"$defs": defs} if defs else {})
