"""Finding and erasing a subject on every SQL database: users, sessions, keys and tenants."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client import CollectorRegistry

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.facts.registry import read
from mainspring.core.types import EventRecord, Message
from mainspring.features.compliance.erase.documents import Documents
from mainspring.features.compliance.erase.erasure import Eraser
from mainspring.features.compliance.erase.subjects import Subjects
from mainspring.features.compliance.metrics import ComplianceMetrics
from mainspring.rag.ingest.forget import Forgetter
from mainspring.stores import Stores
from mainspring.stores.cache.answers import made_for
from mainspring.stores.erase.data_subjects import Subject
from mainspring.stores.erase.erasures import OVER, check
from mainspring.stores.events.audit_log import LOCAL, Actor
from mainspring.stores.money.ledger import LedgerQuery
from mainspring.stores.sessions.conversations import SessionTurn
from mainspring.stores.sql.pages import Page
from tests.databases import opened, settings

__all__ = ["opened", "settings"]
BY = Actor("key_admin", "t0")


class Answered:
    """Writes down what requests leave behind; each has a word of its own."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.count = 0

    async def __call__(
        self,
        word: str,
        *,
        user: str = "",
        key: str = "key_1",
        session: str = "",
        previous: str = "",
        trace: str = "",
        tenant: str = "a",
    ) -> str:
        self.count += 1
        answer_id, at = f"ans_{word}", time.time() + self.count * 1e-3 - 10
        trace = trace or f"t{self.count}"
        facts: dict[str, Any] = {"key_id": key, "status": "completed", "requested": "m", "model": "m", "cache": "hit"}
        facts |= {"saved_nanousd": 7, "user": user or None, "session_id": session or None, "previous": previous or None}
        answer = EventRecord(
            answer_id, at, tenant, trace, answer_id, read("answer", facts), json.dumps({"said": word}), person=user
        )
        call = {"key_id": key, "application": "m", "model": "m", "cost_nanousd": 5, "prefix": word, "prompt_tokens": 3}
        spent = EventRecord(f"evt_{word}", at, tenant, trace, answer_id, read("call", call))
        turns = []
        if session:
            said = (Message("user", f"{word} in {session}"), Message("assistant", f"{word} said"))
            turns = [SessionTurn(tenant, f"0123456789abcdef:{session}", said, trace, at)]
        await self.stores.events.settle([answer, spent], turns)
        await self.stores.cache.put(answer_id, word.encode(), 60, frozenset({made_for(answer_id), f"tenant:{tenant}"}))
        return answer_id


async def left(stores: Stores) -> str:
    """Everything that the database's rows say, but the plans of erasures."""
    from mainspring.stores.schema import all_tables

    def work(connection: sa.Connection) -> str:
        found = ""
        for table in all_tables().sorted_tables:
            found += str([tuple(row) for row in connection.execute(sa.select(table))])
        return found

    return await stores.database.read(work)


async def erase(stores: Stores, subject: Subject) -> dict[str, Any]:
    documents = Documents(stores, Forgetter(stores, again_s=0))
    metrics = ComplianceMetrics(CollectorRegistry())
    eraser = Eraser(stores, documents, metrics, again_s=0, limits=["backups"])
    note = await eraser.request(subject, BY)
    await eraser.round()
    done = await stores.erasures.get(subject.tenant, note.id)
    assert done.state == OVER
    assert done.subject is None
    assert check(done.receipt)
    return dict(done.receipt["erased"])


async def shown(stores: Stores, subject: Subject, groups: frozenset[str] | None = None) -> list[dict[str, Any]]:
    documents = Documents(stores, Forgetter(stores, again_s=0))
    return [each async for each in Subjects(stores, documents).export(subject, LOCAL, groups)]


async def several(stores: Stores) -> None:
    """Ana alone, Ana in a session with Bob, who goes on alone, Bob alone, others with another key and tenant."""
    answered = Answered(stores)
    await answered("alone", user="ana")
    await answered("together", user="ana", session="tea")
    await answered("unnamed", session="tea")
    await answered("beside", user="bob", session="tea")
    first = await answered("first", user="ana", key="key_2")
    second = await answered("second", previous=first)
    await answered("third", previous=second)
    await answered("bobs", user="bob", key="key_2", session="coffee")
    await answered("elsewhere", user="ana", tenant="b", session="tea")
    # A trace of somebody else's making, in which both asked.
    await answered("shared", user="bob", trace="t1")


WHOLE = {"alone", "together", "unnamed", "beside", "first", "second", "third", "bobs", "elsewhere", "shared"}
GONE: dict[tuple[str, str], set[str]] = {
    ("user", "ana"): {"alone", "together", "unnamed", "beside", "first", "second", "third"},
    ("user", "bob"): {"together", "unnamed", "beside", "bobs", "shared"},
    ("session", "tea"): {"together", "unnamed", "beside"},
    ("key", "key_2"): {"first", "second", "third", "bobs"},
    ("tenant", "a"): WHOLE - {"elsewhere"},
    ("user", "nobody"): set(),
}


@pytest.mark.parametrize("whose", GONE, ids=lambda each: f"{each[0]} {each[1]}")
async def test_what_is_a_subjects_goes_and_nothing_else(opened: Stores, whose: tuple[str, str]) -> None:
    kind, name = whose
    await several(opened)
    before = await opened.ledger.sums(["key", "model"], LedgerQuery())
    subject = Subject("a", kind, name)  # type: ignore[arg-type]
    things = await shown(opened, subject)
    assert {json.loads(each["content"])["said"] for each in things if each["type"] == "answer"} == GONE[whose]
    counts = await erase(opened, subject)
    assert counts["answers"] == len(GONE[whose])
    text = await left(opened)
    for word in WHOLE:
        assert (word in text.replace(f"ans_{word}", "").replace(f"evt_{word}", "")) is (word not in GONE[whose]), word
        assert (await opened.cache.get(f"ans_{word}") is None) is (word in GONE[whose])
    assert await opened.ledger.sums(["key", "model"], LedgerQuery()) == before
    assert (await opened.audit.verify("a")).intact
    # There is nothing left to do; that a key was charged stays a fact.
    again = await erase(opened, subject)
    assert {name for name, count in again.items() if count} <= ({"answers"} if kind in ("key", "tenant") else set())


async def test_what_comes_after_it_was_asked_for_stays(opened: Stores) -> None:
    answered = Answered(opened)
    await answered("before", user="ana", session="tea")
    note = await opened.erasures.note(Subject("a", "user", "ana"), BY)
    assert (await opened.erasures.note(Subject("a", "user", "ana"), BY)).id == note.id
    later = time.time() + 60
    answer = EventRecord(
        "ans_after", later, "a", "t9", "ans_after", read("answer", {"key_id": "k"}), "{}", person="ana"
    )
    turn = SessionTurn("a", "0123456789abcdef:tea", (Message("user", "after that"),), "t9", later)
    await opened.events.settle([answer], [turn])
    documents = Documents(opened, Forgetter(opened, again_s=0))
    eraser = Eraser(opened, documents, ComplianceMetrics(CollectorRegistry()), again_s=0, limits=())
    await eraser.round()
    text = await left(opened)
    assert "before" not in text.replace("ans_before", "").replace("evt_before", "")
    assert "after that" in text
    assert (await opened.events.get("a", "ans_after")).person == "ana"


async def test_what_was_under_way_is_found_by_the_second_look(opened: Stores) -> None:
    answered = Answered(opened)
    await answered("before", user="ana", session="tea")
    documents = Documents(opened, Forgetter(opened, again_s=0))
    eraser = Eraser(opened, documents, ComplianceMetrics(CollectorRegistry()), again_s=3600, limits=())
    note = await eraser.request(Subject("a", "user", "ana"), BY)
    await eraser.round()
    assert (await opened.erasures.get("a", note.id)).state == "erased"
    # Begun before, settled after; the second by somebody whom it does not name, in the session that was hers.
    await answered("tardy", user="ana")
    await answered("tardier", session="tea")
    eraser._again_s = 0
    await eraser.round()
    text = await left(opened)
    for word in ("before", "tardy", "tardier"):
        assert word not in text.replace(f"ans_{word}", "").replace(f"evt_{word}", ""), word
    settled = await opened.audit.latest("a", "erasure.settled")
    assert settled is not None
    assert settled.details["erased"]["answers"] >= 2


async def test_another_process_drops_what_it_remembers(opened: Stores) -> None:
    answered = Answered(opened)
    answer = await answered("mine", user="ana")
    made = [
        Eraser(
            opened,
            Documents(opened, Forgetter(opened, again_s=0)),
            ComplianceMetrics(CollectorRegistry()),
            again_s=3600,
            limits=(),
        )
        for _ in range(2)
    ]
    await made[0].request(Subject("a", "user", "ana"), BY)
    await made[0].round()
    # As in the memory of another server that shares the database.
    await opened.cache.put(answer, b"mine", 60, frozenset({made_for(answer)}))
    await made[1].round()
    assert await opened.cache.get(answer) is None


async def test_erasures_are_listed_and_belong_to_their_tenant(opened: Stores) -> None:
    await several(opened)
    await erase(opened, Subject("a", "user", "ana"))
    (found,) = (await opened.erasures.page("a", Page())).rows
    assert found.digest == await opened.audit.digest("a", "user:ana")
    assert "ana" not in str(dataclasses.replace(found, digest=""))
    assert not (await opened.erasures.page("b", Page())).rows
    with pytest.raises(NotFound):
        await opened.erasures.get("b", found.id)
    changed = {**found.receipt, "erased": {**found.receipt["erased"], "answers": 99}}
    assert not check(changed)
    with pytest.raises(InvalidRequest):
        Subject("a", "tenant", "b")


async def test_who_may_see_less_is_shown_less(opened: Stores) -> None:
    info, _ = await opened.keys.create("hr", tenant="a", scopes=frozenset({"chat"}), groups=frozenset({"hr"}))
    answered = Answered(opened)
    await answered("secret", user="ana", key=info.id, session="hr talk")
    await answered("plain", user="ana")
    for groups, words, withheld in (
        (frozenset({"hr"}), {"secret", "plain"}, 0),
        (frozenset({"sales"}), {"plain"}, 1),
        (None, {"secret", "plain"}, 0),
    ):
        things = await shown(opened, Subject("a", "user", "ana"), groups)
        assert {json.loads(each["content"])["said"] for each in things if each["type"] == "answer"} == words
        assert things[-1]["withheld_answers"] == withheld
        assert ("secret" in str(things)) is ("secret" in words)
