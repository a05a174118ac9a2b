"""Built-in parts keep what ``mainspring.testing`` asks of their kinds: layers, connectors, toolsets, recipes,
databases, web searches, chat rerankers, sandboxes and features. ``test_suites_with_processes`` has those that start
programs."""

from __future__ import annotations

import dataclasses
import email.message
import mailbox
import sqlite3
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from mainspring.agents.sandbox.base import Sandbox
from mainspring.agents.sandbox.monty import MontySandbox
from mainspring.agents.tools.base import FixedToolset, Toolset
from mainspring.agents.tools.functions import FunctionTool
from mainspring.agents.tools.sources.sql import SqliteStatements, SqlOptions, SqlTool
from mainspring.agents.tools.sources.statements import Access
from mainspring.core import plugins
from mainspring.core.path import LayerFactory
from mainspring.core.settings import ServingSettings, Settings
from mainspring.core.settings.rag import WebSearchSettings
from mainspring.engines.audio.base import Voice
from mainspring.feature import Feature, features
from mainspring.kinds import CHAT_RERANKER, CONNECTOR, DATABASE, WEB_SEARCH
from mainspring.rag.answer.evidence.features import NAMES
from mainspring.rag.answer.verbatim.choice_weights import TERMS
from mainspring.rag.connect.registry import ConnectorType
from mainspring.rag.websearch.base import SearchEndpoint
from mainspring.serving.admit.context_fit import Fits
from mainspring.serving.plugin_layers import PluginLayer
from mainspring.serving.ring.preset import ApplyPreset, Presets
from mainspring.serving.route.retry import Retry
from mainspring.serving.scaling.scale import Scale
from mainspring.stores.sql.database import Database
from mainspring.testing import (
    ChatRerankerSuite,
    ConnectorSuite,
    DatabaseSuite,
    FeatureSuite,
    LayerSuite,
    RecipeSuite,
    SandboxSuite,
    ToolsetSuite,
    VoiceSuite,
    WebSearchSuite,
)
from mainspring.testing.suites.chat_rerankers import Making
from mainspring.training.recipe import Recipe
from mainspring.training.recipes import find
from tests.databases import database as new_database
from tests.features.audio.test_audio import Tone
from tests.features.train import line_recipe
from tests.features.train.line_recipe import LINE
from tests.search_endpoint import KEY, searches
from tests.serving.house import CountingMetrics

OPENS = "The harbour opens at six."


LAYERS: dict[str, LayerFactory] = {
    "fits": partial(Fits, window=lambda _: 4096),
    "preset": partial(ApplyPreset, presets=Presets(ServingSettings())),
    "scale": partial(Scale, most=8),
    "retry": partial(Retry, model="inner", metrics=CountingMetrics(), retries=0),
}


class TestLayers(LayerSuite):
    @pytest.fixture(params=list(LAYERS))
    def layer(self, request: pytest.FixtureRequest) -> PluginLayer:
        return PluginLayer(LAYERS[request.param], after="Trace")


def _folder(place: Path) -> tuple[str, dict[str, Any]]:
    (place / "below").mkdir()
    (place / "tides.txt").write_text(OPENS)
    (place / "below" / "boats.md").write_text("# Boats\n\nBoats pay at the gate.")
    return str(place), {}


def _mail(place: Path) -> tuple[str, dict[str, Any]]:
    box = mailbox.mbox(str(place / "office.mbox"))
    for number in range(3):
        made = email.message.EmailMessage()
        made["Subject"], made["From"], made["Message-ID"] = "Tides", "office@example.com", f"<{number}@example.com>"
        made.set_content(f"{OPENS} {number}")
        box.add(made)
    box.close()
    return f"mbox:{place / 'office.mbox'}", {}


def _sql(place: Path) -> tuple[str, dict[str, Any]]:
    with sqlite3.connect(place / "harbour.db") as database:
        database.execute("CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT, body TEXT)")
        database.executemany("INSERT INTO articles VALUES (?, 'Tides', ?)", [(n, f"{OPENS} {n}") for n in range(3)])
    chosen = {"query": "SELECT id, title, body FROM articles", "id": "id", "text": ["title", "body"]}
    return f"sql+sqlite:///{place / 'harbour.db'}", chosen


SOURCES: dict[str, Callable[[Path], tuple[str, dict[str, Any]]]] = {
    "folder": _folder,
    "mail": _mail,
    "sql": _sql,
}


@pytest.mark.parametrize("kind", list(SOURCES), scope="class")
class TestConnectors(ConnectorSuite):
    said = (OPENS,)
    # Any text names a folder.
    other = ""

    @pytest.fixture
    def connector_type(self, kind: str) -> ConnectorType:
        return plugins.registry().make(CONNECTOR, kind)

    @pytest.fixture
    def source(self, kind: str, tmp_path: Path) -> str:
        place = tmp_path / "source"
        place.mkdir()
        text, self.options = SOURCES[kind](place)
        return text


GATE = {"open_gate": {"gate": 2}}
HOURS = {"sql_query": {"sql": "SELECT hour FROM gates ORDER BY hour"}}


def open_gate(gate: int) -> dict[str, int]:
    """Opens a gate of the harbour."""
    return {"gate": gate}


class TestFunctions(ToolsetSuite):
    calls = GATE

    @pytest.fixture
    def toolset(self) -> Toolset:
        return FixedToolset("harbour", (FunctionTool(open_gate),))


class TestStatements(ToolsetSuite):
    calls = HOURS

    @pytest.fixture
    async def toolset(self, tmp_path: Path) -> Toolset:
        with sqlite3.connect(tmp_path / "gates.db") as database:
            database.execute("CREATE TABLE gates (hour INTEGER)")
            database.execute("INSERT INTO gates VALUES (6)")
        access = Access(frozenset({"gates"}), write=False, rows=5, seconds=1.0)
        statements = SqliteStatements(tmp_path / "gates.db")
        tables = await statements.describe(access)
        return FixedToolset("sql", (SqlTool(SqlOptions(database="gates"), statements, access, tables),))


POINTS = {
    side: [{"x": x / 4, "y": 2 * x / 4 + 1} for x in range(start, start + 4)]
    for start, side in enumerate(("train", "validation", "test"))
}
STEPS = {"steps": 12, "every": 2}
HERE = dataclasses.replace(LINE, run=f"{line_recipe.__name__}:fit")


class TestLine(RecipeSuite):
    """A recipe that saves checkpoints."""

    sides = POINTS
    given = STEPS
    resumes = True

    @pytest.fixture
    def recipe(self) -> Recipe:
        return HERE


def _judged(count: int, start: int) -> list[dict[str, Any]]:
    """Sentences of which that with more of one term is right."""
    rows = []
    for number in range(start, start + count):
        right = number % 4
        found = []
        for place in range(4):
            values = dict.fromkeys(TERMS, 0.0) | {"own": (number * 7 + place) % 5 / 10}
            values["before"] = 0.6 + number % 3 / 10 if place == right else number % 4 / 10
            found.append({"terms": [values[name] for name in TERMS], "right": place == right})
        evidence = dict.fromkeys(NAMES, 0.0) | {"chunk": 0.5, "pairs": 0.7 if number % 2 else 0.2 + number % 3 / 20}
        rows.append({"candidates": found, "features": evidence, "answerable": bool(number % 2)})
    return rows


JUDGED = {"train": _judged(60, 0), "validation": _judged(30, 100), "test": _judged(30, 200)}


class TestAnswering(RecipeSuite):
    sides = JUDGED

    @pytest.fixture
    def recipe(self) -> Recipe:
        return find("answering")


class TestDatabases(DatabaseSuite):
    @pytest.fixture(params=["sqlite", "postgres"])
    async def database(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
        if request.param == "sqlite":
            made = self._made(f"sqlite:///{tmp_path / 'suite.db'}")
            yield made
            await made.close()
            return
        async with new_database() as url:
            made = self._made(url)
            yield made
            await made.close()

    def _made(self, url: str) -> Database:
        parsed = sa.make_url(url)
        return plugins.registry().make(DATABASE, parsed.get_backend_name(), parsed, True)


class TestTone(VoiceSuite):
    # It takes any name.
    unknown = ""

    @pytest.fixture
    def voice(self) -> Voice:
        return Tone()


class TestWebSearch(WebSearchSuite):
    domain = "kitchen.example"

    @pytest.fixture(params=["searxng", "brave", "tavily"])
    async def endpoint(self, request: pytest.FixtureRequest) -> AsyncIterator[SearchEndpoint]:
        async with searches() as answering:
            path = "" if request.param == "searxng" else f"/{request.param}"
            settings = WebSearchSettings(kind=request.param, url=f"{answering.url}{path}", api_key=KEY)
            made = plugins.registry().make(WEB_SEARCH, request.param, settings)
            yield made
            await made.aclose()


class TestListwise(ChatRerankerSuite):
    reply = "[2] > [1]"

    @pytest.fixture
    def make(self) -> Making:
        return lambda model, responder: plugins.registry().make(CHAT_RERANKER, "listwise", model, responder, Settings())


class TestMonty(SandboxSuite):
    @pytest.fixture
    async def sandbox(self) -> AsyncIterator[Sandbox]:
        made = MontySandbox()
        yield made
        await made.aclose()


class TestFeatures(FeatureSuite):
    @pytest.fixture(params=features(), ids=lambda feature: feature.name)
    def feature(self, request: pytest.FixtureRequest) -> Feature:
        return cast(Feature, request.param)
