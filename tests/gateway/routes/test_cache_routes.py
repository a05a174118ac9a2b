"""The routes of the caches: counts, dropping, and reports of wrong answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from mainspring.core.settings import GatewaySettings, Settings
from mainspring.core.types import TraceParent
from mainspring.gateway.edge.app import create_app
from mainspring.gateway.routes import cache
from mainspring.http.access import access_to
from mainspring.serving.cache.administration import Caches
from mainspring.stores.cache.answers import AnswerCache
from mainspring.stores.cache.similar_questions import SimilarQuestions
from mainspring.stores.events.audit_log import Audit
from mainspring.stores.sql import database
from tests.gateway.asgi import Keys, ask

TAG = frozenset({"answers:acme", "tenant:acme"})


@pytest.fixture
async def app(tmp_path: Path) -> Any:
    answers, similar = AnswerCache(tmp_path / "cache.db", 10), SimilarQuestions(tmp_path / "similar.db", 10)
    await answers.put("one", b"1", 60, TAG)
    await answers.put("two", b"2", 60, frozenset({"answers:other"}))
    await answers.put("idempotent:x", b"3", 60, frozenset({"tenant:acme"}))
    settings = GatewaySettings()
    async with database.open(Settings(home=tmp_path)) as opened:
        audit = Audit(opened)
        routes = cache.router(Caches(answers, similar, None), access_to(Keys(), settings.request_timeout_s), audit)
        yield create_app([routes], settings, lambda _: TraceParent.new())
        # Dropping it is an act of whoever did it.
        dropped = await audit.latest("acme", "cache.dropped")
        assert dropped is None or (dropped.actor, dropped.details) == ("key_1", {"answers": 1, "questions": 0})
    await answers.close()
    await similar.close()


async def test_a_tenant_counts_and_drops_its_own_answers(app: FastAPI) -> None:
    shown = await ask(app, "GET", "/v1/cache")
    assert shown.json == {"object": "cache", "answers": 1, "questions": 0, "semantic": None}
    gone = await ask(app, "DELETE", "/v1/cache")
    assert gone.json == {"object": "cache.deleted", "deleted": True, "answers": 1, "questions": 0}
    assert (await ask(app, "GET", "/v1/cache")).json["answers"] == 0


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/cache"), ("DELETE", "/v1/cache")])
async def test_only_admins_may(app: FastAPI, method: str, path: str) -> None:
    assert (await ask(app, method, path, headers={"authorization": "Bearer ms-chat"})).status == 403
    assert (await ask(app, method, path, headers={"authorization": ""})).status == 401


@pytest.mark.parametrize(("name", "status"), [("sem_unknown", 404), ("ans_1", 400), ("sem_..", 400)])
async def test_an_invalid_entry_is_reported(app: FastAPI, name: str, status: int) -> None:
    reply = await ask(app, "DELETE", f"/v1/cache/{name}", headers={"authorization": "Bearer ms-chat"})
    assert reply.status == status
