"""The sources by their names: options checked, what they reach confined to the caller."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio

from mainspring import stores
from mainspring.agents.tools.base import BaseTool, ToolContext
from mainspring.agents.tools.sources.data_store import DataStoreOptions, DataStoreTool
from mainspring.core.errors import InvalidRequest, MainspringError, NotFound, QuotaExceeded, SettingsError, TooLarge
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Principal
from mainspring.feature import Rooms
from mainspring.features.toolsets.artifact_store import ArtifactStore
from mainspring.features.toolsets.holdings import KeptArtifacts
from mainspring.features.toolsets.settings import ToolSettings
from mainspring.features.toolsets.toolsets import TOOLSETS
from mainspring.rag.search.hit import Hit
from mainspring.rag.search.search_service import SearchRequest, SearchResult, ShownHit
from mainspring.rag.websearch.search import WebSearch
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from tests.search_endpoint import searches

ME, OTHER, ELSEWHERE = Principal("acme", "k1"), Principal("acme", "k2"), Principal("umbrella", "k1")


def context_of(principal: Principal = ME, key: str = "key") -> ToolContext:
    return ToolContext(Context(principal), "run_1", "call_1", key, "agent", {})


class FewRooms:
    """As much of the rooms as the sources use."""

    def __init__(self, settings: Settings, opened: Stores) -> None:
        self.settings = settings
        self.stores = opened
        self.library = SimpleNamespace(web=WebSearch(settings.web_search))


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def tools(opened: Stores, name: str, options: Mapping[str, Any], **sections: Any) -> dict[str, BaseTool]:
    settings = Settings.model_validate(sections)
    toolset = TOOLSETS[name](cast(Rooms, FewRooms(settings, opened)), options)
    return {each.declaration.name: each for each in await toolset.tools(context_of().context)}


@pytest.mark.parametrize(
    ("name", "options", "field"),
    [
        ("http", {}, "name"),
        ("http", {"name": "n", "description": "d", "url": "https://a/", "auth": {"secret": "x", "header": "h"}}, "x"),
        ("openapi", {}, "document"),
        ("openapi", {"document": "/nowhere.yaml"}, "document"),
        ("sql", {"database": "shop"}, "tools.databases"),
        ("sql", {"database": "shop", "rows": 0}, "rows"),
        ("artifacts", {"part": "x"}, "part"),
        ("code_interpreter", {"language": "perl"}, "language"),
        ("web_search", {"counts": 3}, "counts"),
        ("web_search", {}, r"web_search\.kind"),
    ],
)
async def test_wrong_options_are_named(opened: Stores, name: str, options: dict[str, Any], field: str) -> None:
    with pytest.raises(MainspringError, match=field):
        await tools(opened, name, options)


async def test_code_runs_and_its_files_become_artifacts(opened: Stores) -> None:
    (tool,) = (await tools(opened, "code_interpreter", {})).values()
    code = "open('out.csv', 'w').write('a,b')\nprint('hi')\nsum([1, 2])"
    result = await tool.call({"code": code}, context_of())
    assert (result.output["stdout"], result.output["value"]) == ("hi\n", 3)
    (kept,) = result.output["files"]
    again = await tool.call({"code": "open('out.csv').read()", "files": [kept["id"]]}, context_of())
    assert again.output["value"] == "a,b"
    with pytest.raises(NotFound):
        await tool.call({"code": "1", "files": [kept["id"]]}, context_of(OTHER))


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "program"), [("bubblewrap", "bwrap"), ("gvisor", "runsc")])
async def test_the_settings_say_in_which_jail_code_runs(opened: Stores, kind: str, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    (tool,) = (await tools(opened, "code_interpreter", {}, sandbox={"kind": kind, "spare_s": 0})).values()
    code = "import os\nclass A: pass\nclass B(A): pass\nopen('out.csv', 'w').write('a,b')\nos.uname().release"
    result = await tool.call({"code": code}, context_of())
    assert [each["name"] for each in result.output["files"]] == ["out.csv"]
    # gVisor's kernel is one of its own.
    assert (result.output["value"] == os.uname().release) is (kind == "bubblewrap")


async def test_the_web_is_searched_as_something_outside(opened: Stores) -> None:
    async with searches() as endpoint:
        asked = {"count": 2, "domains": ["kitchen.example"]}
        found = await tools(opened, "web_search", asked, web_search={"kind": "searxng", "url": endpoint.url})
        tool = found["web_search"]
        result = await tool.call({"query": "bread"}, context_of())
    assert [each["url"] for each in result.output["results"]] == [
        "https://kitchen.example/bread",
        "https://docs.kitchen.example/rye",
    ]
    assert (tool.policy.outward, tool.policy.trusted, tool.policy.effect) == (True, False, "none")


async def test_artifacts_are_read_in_parts_and_found(opened: Stores) -> None:
    found = await tools(opened, "artifacts", {})
    text = "".join(f"line {number}\n" for number in range(1000))
    made = (await found["save_artifact"].call({"name": "../log.txt", "text": text}, context_of())).output
    part = (await found["read_artifact"].call({"id": made["id"], "start": 7, "characters": 6}, context_of())).output
    assert (part["text"], part["next"], part["characters"]) == ("line 1", 13, len(text))
    places = (await found["find_in_artifact"].call({"id": made["id"], "words": "LINE 500"}, context_of())).output
    assert text[places["places"][0]["start"] :].startswith("line 500")
    assert "no artifact" in (await found["read_artifact"].call({"id": made["id"]}, context_of(OTHER))).error
    assert (await found["list_artifacts"].call({}, context_of(ELSEWHERE))).output == {"artifacts": []}
    assert (await found["list_artifacts"].call({}, context_of())).output["artifacts"][0]["name"] == "log.txt"


async def test_an_artifact_is_kept_once_for_a_key_within_limits_and_erased(opened: Stores) -> None:
    store = ArtifactStore(opened.database, ToolSettings(max_artifacts=2, max_artifact_bytes=100))
    first = await store.put(ME, "a", b"one", "key")
    assert await store.put(ME, "a", b"one", "key") == first
    assert (await store.put(OTHER, "a", b"two", "key")).id != first.id
    await store.put(ME, "b", b"pan 4111 1111 1111 1111", "key2")
    with pytest.raises(QuotaExceeded):
        await store.put(ME, "c", b"", "key3")
    with pytest.raises(TooLarge):
        await store.put(OTHER, "c", b"x" * 101, "key3")
    holdings, held = KeptArtifacts(opened.database, opened.blobs), SubjectData()
    subject = Subject("acme", "key", "k1")
    found = await holdings.find(subject, held, 1e12)
    assert sorted(each["text"] for each in found) == ["one", "pan [CREDIT_CARD]"]
    assert await holdings.erase(subject, held, 1e12) == 2
    assert await store.every(ME) == []
    assert len(await store.every(OTHER)) == 1


async def test_sql_has_the_tables_in_its_description(opened: Stores, tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.executescript("CREATE TABLE orders(id, status); INSERT INTO orders VALUES (1, 'open');")
    databases = {"databases": {"shop": {"url": f"sqlite:///{path}"}}}
    (tool,) = (await tools(opened, "sql", {"database": "shop", "tables": ["orders"]}, tools=databases)).values()
    assert "orders(id, status)" in tool.declaration.description
    assert (await tool.call({"sql": "SELECT status FROM orders"}, context_of())).output["rows"] == [["open"]]
    assert "database says" in (await tool.call({"sql": "DELETE FROM orders"}, context_of())).error
    with pytest.raises(InvalidRequest, match="write"):
        await tools(opened, "sql", {"database": "shop", "write": True}, tools=databases)


async def test_a_search_is_the_callers_and_has_citations() -> None:
    asked: list[tuple[Context, str, SearchRequest]] = []

    class Searching:
        async def search(self, context: Context, store: str, wanted: SearchRequest) -> SearchResult:
            asked.append((context, store, wanted))
            hit = Hit("c", "doc_1", "col", "returns.md", "Within 30 days.", 4, 19, 2, "Returns", 1, 1, 1, 1, 1, "blob")
            return SearchResult((wanted.queries[0],), (ShownHit(hit),))

    tool = DataStoreTool(DataStoreOptions.read({"collection": "hand book"}), Searching())
    assert tool.declaration.name == "search_hand_book"
    assert not tool.policy.trusted
    principal = Principal("acme", "k1", groups=frozenset({"staff"}))
    result = await tool.call({"query": "returns"}, context_of(principal))
    assert asked[0][0].principal is principal
    assert asked[0][0].depth == 1
    (citation,) = result.citations
    assert (citation.source, citation.quote, citation.start) == ("returns.md", "Within 30 days.", 4)
    assert result.output["passages"][0]["text"] == "Within 30 days."


async def test_a_sandbox_that_is_not_there_is_reported(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    (tool,) = (await tools(opened, "code_interpreter", {}, sandbox={"kind": "gvisor"})).values()
    with pytest.raises(SettingsError, match="runsc"):
        await tool.call({"code": "1"}, context_of())
