"""The load of ``kill_everything`` on the features, and what must be true of it afterwards.

Messages of a chat on a web page, of programs and by mail, cases of the desk, facts of the memory, articles, runs of an
agent and answers with hosted tools: each is acknowledged once and must be there once, and what works on by itself must
have come to its end.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from _storm import FAR
from mainspring.features.content.tables import content_articles
from mainspring.features.desk.tables import desk_cases, desk_inbound, desk_messages
from mainspring.features.insights.tables import insight_turns
from mainspring.features.memory.tables import memories
from mainspring.features.runs.tables import run_steps, runs
from mainspring.stores import Stores
from mainspring.stores.schema import events

SCOPES = ("chat", "ingest", "desk", "deliver", "insights", "admin")
AGENT = "clerk"
DONE_S = 300.0


def settings(tenant: str) -> dict[str, str]:
    """Channels are the tenant's, and what answers them is the remote model, as it is the agent's."""
    return {
        "MAINSPRING_CHANNELS__TENANT": tenant,
        "MAINSPRING_CHANNELS__MODEL": FAR,
        "MAINSPRING_CHANNELS__EMAIL__ENABLED": "true",
        "MAINSPRING_CHANNELS__EMAIL__ADDRESS": "support@example.com",
        "MAINSPRING_CHANNELS__MESSAGES_AN_HOUR": "100000",
        "MAINSPRING_AGENTS__DEFINITIONS": json.dumps({AGENT: {"model": FAR, "instruction": "Answer."}}),
        "MAINSPRING_INSIGHTS__EVERY_S": "5",
        "MAINSPRING_SUPPORT__SHOP": "sample",
        "MAINSPRING_SUPPORT__COLLECTION": "",
    }


@dataclass
class FeaturesTold:
    """What the features acknowledged: ids of memories, cases, articles, runs and responses; ``messages`` of the chat
    and ``mails`` by the ids that the sender gave them; ``token`` is the chat's; ``ends`` are those of articles."""

    token: str = ""
    memories: dict[str, str] = field(default_factory=dict)
    cases: dict[str, str] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    articles: list[str] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    responses: list[str] = field(default_factory=list)
    ends: dict[str, str] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        names = ("memories", "cases", "messages", "mails", "articles", "runs", "responses")
        return {name: len(getattr(self, name)) for name in names}


class Asking(Protocol):
    """Asks until there is an answer that says yes."""

    async def __call__(self, method: str, path: str, *, key: str = "", **more: Any) -> tuple[Any, Any]: ...


class FeatureLoad:
    """One client of the features; ``number`` is the next of its own."""

    def __init__(self, ask: Asking, told: FeaturesTold, first: int, store: str) -> None:
        self._ask, self._told, self._number, self._store = ask, told, first, store

    def acts(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """What is done again and again, beside each other."""
        return self.remember, self.open_case, self.write_in, self.mail, self.order, self.begin_run, self.respond

    async def prepare(self) -> None:
        await self._ask("PUT", "/v1/memories/consent", json={"consent": True})
        if not self._told.token:
            opened, _ = await self._ask("POST", "/v1/desk/chats", json={"hours": 24})
            self._told.token = opened["token"]

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def remember(self) -> None:
        text = f"My parcel {self._next()} lies in locker {self._number}."
        kept, _ = await self._ask("POST", "/v1/memories", json={"text": text})
        self._told.memories[kept["id"]] = text
        await asyncio.sleep(2)

    async def open_case(self) -> None:
        subject = f"Parcel {self._next()} is late"
        made, _ = await self._ask("POST", "/v1/desk/cases", key=f"case-{self._number}", json={"subject": subject})
        self._told.cases[made["id"]] = subject
        said = {"text": f"Parcel {self._number} is found.", "note": True}
        await self._ask("POST", f"/v1/desk/cases/{made['id']}/messages", json=said)
        await asyncio.sleep(2)

    async def write_in(self) -> None:
        body = {"id": f"m{self._next()}", "text": f"Where is parcel {self._number}?"}
        headers = {"authorization": f"Bearer {self._told.token}"}
        await self._ask("POST", "/v1/desk/chats/messages", json=body, headers=headers)
        self._told.messages.append(body["id"])
        await asyncio.sleep(2)

    async def mail(self) -> None:
        named = f"<{self._next()}@customer.example>"
        sent = f"From: c{self._number % 5}@customer.example\r\nTo: support@example.com\r\nMessage-ID: {named}\r\n"
        sent += f"Subject: Parcel {self._number}\r\n\r\nWhere is parcel {self._number}?\r\n"
        await self._ask("POST", "/v1/desk/mail", data=sent.encode(), headers={"content-type": "message/rfc822"})
        self._told.mails.append(named)
        await asyncio.sleep(4)

    async def order(self) -> None:
        while not (await self._ask("GET", f"/v1/vector_stores/{self._store}"))[0]["file_counts"]["completed"]:
            await asyncio.sleep(1)
        brief = {"topic": "ledgers and harbours", "collections": [self._store], "mode": "extractive", "length": "short"}
        made, _ = await self._ask("POST", "/v1/content/articles", key=f"article-{self._next()}", json=brief)
        self._told.articles.append(made["id"])
        await asyncio.sleep(15)

    async def begin_run(self) -> None:
        body = {"agent": AGENT, "input": f"Question {self._next()}?", "background": True}
        made, _ = await self._ask("POST", "/v1/agents/runs", key=f"run-{self._number}", json=body)
        self._told.runs.append(made["id"])
        await asyncio.sleep(2)

    async def respond(self) -> None:
        tools = [{"type": "code_interpreter", "container": {"type": "auto"}}]
        body = {"model": FAR, "input": f"Question {self._next()}?", "tools": tools, "max_output_tokens": 24}
        made, _ = await self._ask("POST", "/v1/responses", key=f"response-{self._number}", json=body)
        self._told.responses.append(made["id"])
        await asyncio.sleep(2)

    async def settled(self) -> None:
        """Until everything that works on by itself is over. Raises ``TimeoutError``."""
        async with asyncio.timeout(DONE_S):
            for each in self._told.articles:
                self._told.ends[each] = await self._end("/v1/content/articles", each)
            for each in self._told.runs:
                await self._end("/v1/agents/runs", each)
        await self._ask("POST", "/v1/insights/run")

    async def _end(self, path: str, name: str) -> str:
        while (status := (await self._ask("GET", f"{path}/{name}"))[0]["status"]) in ("queued", "running", "writing"):
            await asyncio.sleep(0.5)
        return str(status)


def waiting(home: Path) -> int:
    """How many messages of customers have no answer yet. A server that was killed takes them up again by and by."""
    with closing(sqlite3.connect(f"file:{home / 'mainspring.db'}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM desk_inbound WHERE state != 'done'").fetchone()
    return int(count)


async def wrong(opened: Stores, tenant: str, told: FeaturesTold) -> list[str]:
    """What is not as it was acknowledged; the stores are read with nothing running."""

    def read(connection: sa.Connection) -> list[str]:
        return [
            *_kept(connection, tenant, told),
            *_channels(connection, tenant, told),
            *_ended(connection, tenant, told),
            *_counted(connection, tenant),
        ]

    return await opened.database.read(read)


def _rows(connection: sa.Connection, tenant: str, *columns: sa.Column[Any]) -> list[Any]:
    return list(connection.execute(sa.select(*columns).where(columns[0].table.c.tenant == tenant)))


def _kept(connection: sa.Connection, tenant: str, told: FeaturesTold) -> list[str]:
    """Memories, cases and responses: each there, and none twice."""
    found: list[str] = []
    facts = {row.id: row.text for row in _rows(connection, tenant, memories.c.id, memories.c.text)}
    cases = {row.id: row.subject for row in _rows(connection, tenant, desk_cases.c.id, desk_cases.c.subject)}
    for name, acknowledged, there in (("memories", told.memories, facts), ("cases", told.cases, cases)):
        lost = [each for each, text in acknowledged.items() if there.get(each) != text]
        twice = [text for text, count in Counter(there.values()).items() if count > 1]
        found += [f"{len(lost)} {name} are lost: {lost[:3]}"] if lost else []
        found += [f"{len(twice)} {name} are there twice: {twice[:3]}"] if twice else []
    notes = Counter(row.case_id for row in _rows(connection, tenant, desk_messages.c.case_id))
    bare = [each for each in told.cases if not notes[each]]
    found += [f"{len(bare)} cases have lost their note: {bare[:3]}"] if bare else []
    answers = connection.execute(
        sa.select(events.c.subject, events.c.id).where(events.c.kind == "answer", events.c.tenant == tenant)
    )
    counted = Counter(name for row in answers for name in {row.subject, row.id})
    # A response is the answer of the same digits.
    lost = [each for each in told.responses if counted[f"ans_{each.partition('_')[2]}"] != 1]
    return found + ([f"{len(lost)} responses are there not once: {lost[:3]}"] if lost else [])


def _channels(connection: sa.Connection, tenant: str, told: FeaturesTold) -> list[str]:
    """Messages of customers: each taken once, answered once, and none forgotten."""
    columns = (desk_inbound.c.external_id, desk_inbound.c.state, desk_inbound.c.answer_id)
    rows = _rows(connection, tenant, *columns)
    states = {row.external_id: row.state for row in rows}
    acknowledged = [*told.messages, *told.mails]
    lost = [each for each in acknowledged if not any(name.endswith(each) for name in states)]
    waiting = [name for name, state in states.items() if state != "done"]
    ids = {row.answer_id for row in rows}
    answers = Counter(
        row.id for row in connection.execute(sa.select(events.c.id).where(events.c.kind == "answer")) if row.id in ids
    )
    unanswered = [row.external_id for row in rows if answers[row.answer_id] != 1]
    found = [f"{len(lost)} messages are lost: {lost[:3]}"] if lost else []
    found += [f"{len(waiting)} messages are not done: {waiting[:3]}"] if waiting else []
    return found + ([f"{len(unanswered)} messages are answered not once: {unanswered[:3]}"] if unanswered else [])


def _ended(connection: sa.Connection, tenant: str, told: FeaturesTold) -> list[str]:
    """Articles and runs: each there, with its end, and no more of them than were ordered."""
    articles = {row.id for row in _rows(connection, tenant, content_articles.c.id)}
    made = {row.id: row for row in _rows(connection, tenant, runs.c.id, runs.c.state, runs.c.agent)}
    found = [f"{each} is no article" for each in told.articles if each not in articles]
    found += [f"article {each} is {end}" for each, end in told.ends.items() if end != "completed"]
    found += [f"{len(articles)} articles of {len(told.articles)}"] if len(articles) > len(told.articles) else []
    mine = {name: row.state for name, row in made.items() if row.agent == AGENT}
    found += [f"run {each} is {mine.get(each, 'lost')}" for each in told.runs if mine.get(each) != "completed"]
    found += [f"{len(mine)} runs of {len(told.runs)}"] if len(mine) > len(told.runs) else []
    open_steps = [
        row for row in _rows(connection, tenant, run_steps.c.run_id, run_steps.c.state) if row.state != "done"
    ]
    return found + ([f"{len(open_steps)} steps of runs are not done"] if open_steps else [])


def _counted(connection: sa.Connection, tenant: str) -> list[str]:
    """Turns of conversations in insights: none twice."""
    traces = Counter(row.trace_id for row in _rows(connection, tenant, insight_turns.c.trace_id))
    twice = [trace for trace, count in traces.items() if count > 1]
    return [f"{len(twice)} turns are counted twice: {twice[:3]}"] if twice else []
