"""Events of one subject or trace are found by their index, however many the tenant has."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord, Message, Principal
from mainspring.stores.events.questions import Questions
from mainspring.stores.sessions.answers import SessionAnswer, SessionAnswers
from mainspring.stores.sessions.turns import TurnMessage
from mainspring.stores.sql.pages import Page
from tests.event_plans import plans

FACTS = AnswerFacts.from_json({"status": "completed", "requested": "docs", "key_id": "k"})


@pytest.mark.parametrize("by", [{"trace_id": "trace-7"}, {"subject": "ans_7"}])
async def test_they_are_found_by_their_index(tmp_path: Path, by: dict[str, Any]) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        now = time.time()
        told = [EventRecord(f"ans_{n}", now, "acme", f"trace-{n}", f"ans_{n}", FACTS) for n in range(20)]
        told += [EventRecord("ans_x", now + 1, "acme", "trace-7", "ans_7", FACTS)]
        await opened.events.settle(told, [])
        seen: list[tuple[str, Any]] = []

        def watch(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
            if "FROM events" in statement and not statement.startswith("EXPLAIN"):
                seen.append((statement, parameters))

        sa.event.listen(sa.Engine, "before_cursor_execute", watch)
        try:
            assert [each.id for each in await opened.events.find("acme", **by)] == ["ans_7", "ans_x"]
            assert [each.id for each in await opened.events.find("acme", after="ans_7", **by)] == ["ans_x"]
            for order, ids in (("asc", ["ans_7", "ans_x"]), ("desc", ["ans_x", "ans_7"])):
                page = Page(10, order)  # type: ignore[arg-type]
                found = await opened.events.page("acme", page, groups=frozenset(), **by)
                assert [each.id for each in found.rows] == ids
            page = Page(10, "asc", after="ans_7")
            assert [each.id for each in (await opened.events.page("acme", page, groups=frozenset(), **by)).rows] == [
                "ans_x"
            ]
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", watch)
        assert len(seen) >= 5

        def told_by(connection: sa.Connection) -> list[str]:
            found = []
            for statement, parameters in seen:
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                found.append(next(str(row[3]) for row in rows if " events " in f"{row[3]} "))
            return found

        index = "ix_events_tenant_trace_id" if "trace_id" in by else "ix_events_tenant_subject"
        told_plans = await opened.database.read(told_by)
        # A cursor's own row is found by its id.
        assert all(index in each or "(tenant=? AND id=?)" in each for each in told_plans), told_plans


async def test_ratings_and_questions_are_found_by_their_answers(tmp_path: Path) -> None:
    """Those of a session's answers, and not by all of the tenant's feedback."""
    async with stores.open(Settings(home=tmp_path)) as opened:
        now = time.time()
        told = [EventRecord(f"ans_{n}", now, "acme", f"trace-{n}", f"ans_{n}", FACTS) for n in range(5)]
        rated = FeedbackFacts(key_id="k", rating="down", comment=None, edited=False)
        told += [EventRecord(f"evt_{n}", now, "acme", f"trace-{n}", f"ans_{n}", rated) for n in range(5)]
        await opened.events.settle(told, [])
        said = [TurnMessage(f"turn_{n}", 0, now, "", Message("assistant", ""), f"trace-{n}") for n in range(5)]
        found: dict[str, SessionAnswer] = {}

        async def ask() -> None:
            found.update(await SessionAnswers(opened.database).of(Principal("acme", "k", frozenset()), said))

        told_plans = await plans(opened, ask)
        told_plans += await plans(
            opened, lambda: Questions(opened.database).of("acme", frozenset(), [f"trace-{n}" for n in range(5)])
        )
        assert {each.rating for each in found.values()} == {"down"}
        assert len(told_plans) == 3
        assert all("trace_id=?" in each or "subject=?" in each for each in told_plans), told_plans
