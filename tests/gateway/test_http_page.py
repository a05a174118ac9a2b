"""docs/reference/http.md names every route of the server, and none that it has not."""

from __future__ import annotations

import re

from tests.conftest import ROOT, Server

ROW = re.compile(r"^\| `(/[^`]*)` \| ([A-Z, ]+) \|$", re.MULTILINE)


def test_the_page_names_all_routes(server: Server) -> None:
    status, described = server.call("GET", "/openapi.json")
    assert status == 200
    there = {path: {method.upper() for method in operations} for path, operations in described["paths"].items()}
    page = (ROOT / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    told = {path: set(methods.split(", ")) for path, methods in ROW.findall(page)}
    assert told == there
    assert len(there) > 50
