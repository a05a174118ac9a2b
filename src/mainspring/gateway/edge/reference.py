"""The page ``/docs``: every route with its scope, parameters and body, made of the API's description.

It is a plain page without scripts or files from elsewhere. So it works on a machine without internet access, and no
third-party program runs beside its reader's keys.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response as HttpResponse

PATH = "/docs"
Json = Mapping[str, Any]
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; text-transform: capitalize; }
h3 { margin: 1.75rem 0 .25rem; overflow-wrap: anywhere; }
code { font: .92em ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid #8884; }
.note { opacity: .75; font-weight: normal; }
pre { white-space: pre-wrap; font: inherit; margin: .25rem 0; }
"""
POLICY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
CODE = re.compile(r"`{1,2}([^`]+)`{1,2}")
METHODS = ("get", "post", "put", "patch", "delete")


def serve(app: FastAPI) -> None:
    """Serve the description of ``app`` on it."""

    async def reference(_: object) -> HttpResponse:
        return HttpResponse(page(app.openapi()), media_type="text/html", headers={"content-security-policy": POLICY})

    app.add_route(PATH, reference, include_in_schema=False)


def page(described: Json) -> str:
    """The description as HTML."""
    info = described["info"]
    name = f"{escape(info['title'])} {escape(info['version'])}"
    tags: dict[str, list[str]] = {}
    for path, operations in described["paths"].items():
        for method in METHODS:
            if found := operations.get(method):
                tags.setdefault(found.get("tags", ["other"])[0], []).append("".join(_operation(method, path, found)))
    parts = [f"<h2 id={_anchor(tag)}>{escape(tag)}</h2>{''.join(found)}" for tag, found in tags.items()]
    shapes = described.get("components", {}).get("schemas", {})
    parts.append("<h2 id=shapes>shapes</h2>")
    parts += ["".join(_shape(each, shapes[each])) for each in sorted(shapes, key=_short)]
    contents = " · ".join(f"<a href=#{_anchor(tag)}>{escape(tag)}</a>" for tag in (*tags, "shapes"))
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{name}</title><style>{STYLE}</style><h1>{name}</h1><p>{escape(info.get('description', ''))}. The same "
        f"for programs: <a href=/openapi.json>openapi.json</a>.</p><nav>{contents}</nav>{''.join(parts)}</html>"
    )


def _operation(method: str, path: str, found: Json) -> Iterator[str]:
    needed = [
        scope for each in found.get("security", ()) for scopes in each.values() for scope in scopes or ("any key",)
    ]
    scope = f"scope {', '.join(needed)}" if needed and needed != ["any key"] else "any key" if needed else "no key"
    yield f"<h3><code>{method.upper()} {escape(path)}</code> <span class=note>{escape(scope)}</span></h3>"
    yield _said(found.get("description", ""))
    rows = [(each["name"], each, each["schema"], each["in"]) for each in found.get("parameters", ())]
    yield from _table(
        (name, _kind(schema), place, bool(each.get("required")), each.get("description", ""))
        for name, each, schema, place in rows
    )
    for media, content in found.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body, <code>{escape(media)}</code>: {_kind(content['schema'])}</p>"


def _shape(name: str, schema: Json) -> Iterator[str]:
    yield f"<h3 id={_anchor(name)}><code>{escape(_short(name))}</code></h3>{_said(schema.get('description', ''))}"
    required = schema.get("required", ())
    fields = schema.get("properties", {})
    yield from _table((each, _kind(fields[each]), "", each in required, _told(fields[each])) for each in fields)
    if not fields:
        yield f"<p>{_kind(schema)}</p>"


def _table(rows: Iterator[tuple[str, str, str, bool, str]]) -> Iterator[str]:
    lines = [
        f"<tr><td><code>{escape(name)}</code></td><td>{kind}</td>"
        f"<td>{' '.join(filter(None, (escape(place), 'required' if required else '')))}</td><td>{_said(told)}</td></tr>"
        for name, kind, place, required, told in rows
    ]
    if lines:
        yield f"<table>{''.join(lines)}</table>"


def _told(schema: Json) -> str:
    default = "" if schema.get("default") in (None, "", [], {}) else f"default: {schema['default']}"
    return ". ".join(filter(None, (str(schema.get("description", "")), default)))


def _kind(schema: Json) -> str:
    """A value's type, in HTML."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"<a href=#{_anchor(name)}>{escape(_short(name))}</a>"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            kinds = dict.fromkeys(_kind(each) for each in schema[several] if each.get("type") != "null")
            return " or ".join(kinds)
    if "enum" in schema or "const" in schema:
        return ", ".join(f"<code>{escape(str(each))}</code>" for each in schema.get("enum", [schema.get("const")]))
    kind = escape(str(schema.get("type", "anything")))
    if schema.get("type") == "array":
        return f"array of {_kind(schema.get('items', {}))}"
    bounds = [f"{word} {schema[name]}" for name, word in BOUNDS.items() if name in schema]
    return f"{kind} <span class=note>{escape(', '.join(bounds))}</span>" if bounds else kind


BOUNDS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
    "minLength": "characters from",
    "maxLength": "characters to",
    "pattern": "as",
}


def _said(text: str) -> str:
    """A docstring, whose backticks are code."""
    return f"<pre>{CODE.sub(_code, escape(text))}</pre>" if text else ""


def _code(found: re.Match[str]) -> str:
    return f"<code>{found[1]}</code>"


def _short(name: str) -> str:
    return name.rpartition("__")[2] or name


def _anchor(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]", "-", name)
