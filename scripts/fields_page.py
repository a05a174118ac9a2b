"""Writes docs/reference/fields.md, what happens to each field of each body, from the registered routes.

python scripts/fields_page.py            # write it
python scripts/fields_page.py --check    # exit status 1 where it is not what the bodies say
"""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel

from mainspring.core.settings import load
from mainspring.gateway.mount import mount
from mainspring.http.fields import QUERY_HINTS, Refused, bodies_in, kind_of
from mainspring.system import System

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "fields.md"
ASK = (
    'curl -si http://127.0.0.1:8000/v1/chat/completions -H "Authorization: Bearer ms-..." '
    '-H "Content-Type: application/json" -d \'{"model": "smollm2-135m-instruct", "service_tier": "flex", '
    '"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}\' | grep x-mainspring-ignored'
)
HEAD = f"""# Fields of requests

After this page you can tell what happens to a field that your client sends. What was accepted and not read is named in
the header `x-mainspring-ignored` of the answer:

```sh
{ASK}
```

| | |
|---|---|
| honoured | the answer depends on it |
| hint | any value is accepted and changes no answer; the table says why |
| refused | a value other than null and those named is an error 400 (`unsupported`) with this reason and remedy |

A field that is not listed is an error 400 that names it and the nearest known one; where a table ends with "others",
they are accepted and named. An explicit null equals absence. `a.b` is a field within `a`, `a[].b` one within each item
of the list `a`. `python scripts/fields_page.py` writes this page from the code.

"""


@dataclass(frozen=True)
class Taken:
    """What a route takes: a body, or the fields of a form; and the parameters of its query."""

    route: str
    body: type[BaseModel] | None
    form: tuple[str, ...] = ()
    query: tuple[str, ...] = ()


def taken(app: FastAPI) -> list[Taken]:
    """The registered routes that read something, in the order of their paths."""
    found = []
    for route in _routes(app.router):
        parameters = route.dependant.body_params
        if not parameters:
            continue
        bodies = [each for parameter in parameters for each in bodies_in(parameter.field_info.annotation)]
        form = () if bodies else tuple(parameter.alias for parameter in parameters)
        query = tuple(parameter.alias for parameter in route.dependant.query_params)
        for method in sorted(route.methods or ()):
            found.append(Taken(f"{method} {route.path}", bodies[0] if bodies else None, form, query))
    return sorted(found, key=lambda each: each.route.split()[::-1])


def _routes(router: Any) -> Iterator[APIRoute]:
    return (route for route in router.routes if isinstance(route, APIRoute))


def application() -> FastAPI:
    """The gateway over an empty home, without models."""

    async def made(home: Path) -> FastAPI:
        empty = home / "mainspring.yaml"
        empty.write_text("", encoding="utf-8")
        settings = load(empty, {}).settings
        models = settings.models.model_copy(update={"chat": ()})
        async with System.open(settings.model_copy(update={"home": home, "models": models})) as system:
            return mount(system)

    with tempfile.TemporaryDirectory() as home:
        return asyncio.run(made(Path(home)))


def page(app: FastAPI) -> str:
    """The whole page."""
    parts = [HEAD]
    parts.append("Any route takes these query parameters as hints: ")
    parts.append("; ".join(f"`{name}` ({reason})" for name, reason in QUERY_HINTS.items()) + ".\n")
    for each in taken(app):
        parts.append(f"\n## {each.route}\n\n| field | | |\n|---|---|---|\n")
        if each.body is not None:
            parts += _rows(each.body, "", (each.body,))
        parts += [f"| `{name}` | honoured | a part of the form |\n" for name in each.form]
    return "".join(parts)


def _rows(body: type[BaseModel], place: str, above: tuple[type[BaseModel], ...]) -> Iterator[str]:
    seen = set()
    for name, info in body.model_fields.items():
        dotted = f"{place}{info.alias or name}"
        kind, reason = kind_of(info)
        mark = next((each for each in info.metadata if isinstance(each, Refused)), None)
        told = [reason or info.description or "", *_remedy(mark)]
        yield f"| `{dotted}` | {kind} | {_cell('. '.join(each for each in told if each))} |\n"
        inner = [each for each in bodies_in(info.annotation) if each not in above]
        deeper = f"{dotted}[]." if re.search(r"\b(list|tuple)\[", str(info.annotation)) else f"{dotted}."
        for each in inner:
            for row in _rows(each, deeper, (*above, each)):
                if row not in seen:
                    seen.add(row)
                    yield row
    if body.model_config.get("extra") == "ignore":
        yield f"| `{place}`... | hint | others are accepted and named |\n"


def _remedy(mark: Refused | None) -> list[str]:
    if mark is None:
        return []
    allowed = ", ".join(f"`{each!r}`" for each in mark.unless).replace("'", '"')
    return [mark.remedy, *([f"Accepted: {allowed}"] if allowed else [])]


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", inspect.cleandoc(text)).replace("|", "\\|")


def main() -> int:
    written = page(application())
    if "--check" not in sys.argv:
        PAGE.write_text(written, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == written:
        return 0
    sys.stderr.write("docs/reference/fields.md is not what the bodies say: run `python scripts/fields_page.py`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
