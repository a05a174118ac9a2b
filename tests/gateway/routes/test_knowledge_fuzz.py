"""Whatever is sent to the routes of documents: an answer below 500, and an error that is one."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.routes.test_search_guarded import Shared
from tests.world import EVERYONE, opened, use_engines

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**30, 0.5, 1e308, -1e308),
    *("", " ", "\x00", "\ud800", "a" * 9000, "' OR 1=1 --", "../../etc/passwd", "vs_", "doc_x", "file-x", "💥", "%00"),
    *([], [[]], {}, {"type": "and", "filters": []}, [None], ["a"] * 600, {"a": {"b": {"c": []}}}, [{}], {"": ""}),
)
FIELDS: dict[str, tuple[str, ...]] = {
    "/v1/vector_stores": ("name", "file_ids", "groups", "description", "metadata"),
    "/v1/vector_stores/{store}": ("name", "metadata"),
    "/v1/vector_stores/{store}/files": ("file_id", "attributes", "groups"),
    "/v1/vector_stores/{store}/files/{file}": ("attributes", "groups"),
    "/v1/vector_stores/{store}/search": (
        *("query", "max_num_results", "filters", "ranking_options", "rewrite_query", "options", "techniques"),
        *("facets", "highlights", "spelling", "summary"),
    ),
    "/v1/vector_stores/{store}/similar": ("text", "document_id", "start", "end", "max_num_results", "filters"),
    "/v1/vector_stores/{store}/recommendations": ("document_ids", "max_num_results", "min_support"),
    "/v1/rerank": ("model", "query", "documents", "top_n", "return_documents"),
    "/v1/feedback": ("answer_id", "rating", "edit", "comment", "consent"),
}
GOOD: dict[str, Any] = {"query": "subject0", "model": "shared", "documents": ["a", "b"], "name": "n", "text": "a word"}
READS = (
    *("/v1/files", "/v1/files/{file}", "/v1/files/{file}/content", "/v1/vector_stores", "/v1/vector_stores/{store}"),
    *("/v1/vector_stores/{store}/files", "/v1/vector_stores/{store}/files/{file}"),
    *("/v1/vector_stores/{store}/files/{file}/content", "/v1/events"),
)
QUERIES = ("limit", "after", "before", "order", "filter", "purpose", "start", "end", "around", "kind", "trace_id")


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    use_engines(monkeypatch, {}, Shared())


async def test_nothing_odd_is_our_fault(tmp_path: Path) -> None:
    draw = random.Random(20261125)
    async with opened(tmp_path / "home") as world:
        key = world.keys["both"]
        doc = await world.add(key, await world.store(key, "all"), EVERYONE)

        def filled(path: str) -> str:
            odd = ("vs_none", "%00", "a" * 300, "%F0%9F%92%A5", "..%2f..", "-1")
            store = doc.store if draw.random() < 0.7 else draw.choice(odd)
            return path.format(store=store, file=doc.file_id if draw.random() < 0.7 else draw.choice(odd))

        for path, fields in FIELDS.items():
            for field in fields:
                for odd in draw.sample(ODD, 9):
                    body = {name: GOOD[name] for name in fields if name in GOOD} | {field: odd}
                    if field == "name" and path == "/v1/vector_stores/{store}":
                        continue
                    answer = await world.call(key, "POST", filled(path), content=_json(body))
                    assert answer.status_code < 400 or answer.json()["error"]["code"], answer.text
            for body in ODD:
                await world.call(key, "POST", filled(path), content=_json(body))
        for path in READS:
            for name in QUERIES:
                for odd in draw.sample(ODD, 4):
                    if not isinstance(odd, str) or "\ud800" not in odd:
                        await world.call(key, "GET", filled(path), params={name: str(odd)[:2000]})


async def test_making_and_deleting_side_by_side(tmp_path: Path) -> None:
    draw = random.Random(7)
    async with opened(tmp_path / "home") as world:
        key = world.keys["both"]
        files = {"file": ("a.txt", b"Some words about trains."), "purpose": (None, "assistants")}

        async def visit(number: int) -> None:
            for _ in range(6):
                name = f"store {draw.randrange(3)}"
                file_id = (await world.call(key, "POST", "/v1/files", files=files)).json()["id"]
                await world.call(key, "POST", "/v1/vector_stores", {"name": name})
                steps = [
                    ("POST", f"/v1/vector_stores/{name}/files", {"file_id": file_id}),
                    ("POST", f"/v1/vector_stores/{name}/search", {"query": "trains", "spelling": True}),
                    ("DELETE", f"/v1/vector_stores/{name}/files/{file_id}", None),
                    ("DELETE", f"/v1/files/{file_id}", None),
                    ("DELETE", f"/v1/vector_stores/{name}", None),
                ]
                for method, path, body in draw.sample(steps, 4):
                    await world.call(key, method, path, body)
            assert number >= 0

        await asyncio.gather(*map(visit, range(4)))


def _json(body: Any) -> bytes:
    import json

    return json.dumps(body).encode()
