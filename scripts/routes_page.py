"""Writes docs/reference/routes.md, every route with its methods and scopes, from the registered routes.

python -m scripts.routes_page            # write it
python -m scripts.routes_page --check    # exit status 1 where it is not what is registered
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from scripts.fields_page import application

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "routes.md"
HEAD = """# All routes

After this page you know every path of the server, its methods, and the scope of the key that each needs.

```sh
curl -sf http://127.0.0.1:8000/openapi.json | python -m json.tool | grep -c operationId
```

`/openapi.json` on a running server describes each route in full, and [the HTTP interface](http.md) explains them by
purpose. "any key" needs a key of any scope, "no key" none. `python -m scripts.routes_page` writes this page.

| Path | Methods and scopes |
|---|---|
"""


def page(app: FastAPI) -> str:
    """The whole page."""
    rows = [(path, "; ".join(_methods(operations))) for path, operations in sorted(app.openapi()["paths"].items())]
    return HEAD + "".join(f"| `{path}` | {methods} |\n" for path, methods in rows)


def _methods(operations: dict[str, Any]) -> Iterator[str]:
    """``GET, POST: chat`` for each scope."""
    by_scope: dict[str, list[str]] = {}
    for method, operation in sorted(operations.items()):
        security = operation.get("security", ())
        scopes = sorted(scope for each in security for scope in each["key"])
        by_scope.setdefault(", ".join(scopes) or ("any key" if security else "no key"), []).append(method.upper())
    for scope, methods in by_scope.items():
        yield f"{', '.join(methods)}: {scope}"


def main() -> int:
    written = page(application())
    if "--check" not in sys.argv:
        PAGE.write_text(written, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == written:
        return 0
    sys.stderr.write("docs/reference/routes.md is not what is registered: run `python -m scripts.routes_page`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
