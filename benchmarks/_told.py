"""The answers that a client got while everything was killed, and whether they are true."""

from __future__ import annotations

import asyncio
import collections
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import _kill_features
from _kill_features import FeaturesTold
from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.stores import Stores
from mainspring.stores.money.budgets import LEASE_S
from mainspring.stores.schema import events, reservations

TENANT, STORE = "killed", "shelf"


@dataclass
class Told:
    """What the client was told. ``answers`` by their id: the text's length; ``rated`` are ids of feedback, ``files``
    those that were attached, ``batches`` ids with their lines."""

    answers: dict[str, str] = field(default_factory=dict)
    rated: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    batches: dict[str, int] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    retries: int = 0
    features: FeaturesTold = field(default_factory=FeaturesTold)

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Told:
        """That of an earlier run, as JSON values."""
        return cls(**{**kept, "features": FeaturesTold(**kept.get("features", {}))})

    @property
    def count(self) -> int:
        mine = len(self.answers) + len(self.rated) + len(self.files) + len(self.batches)
        return mine + sum(self.features.counts().values())


async def wrong(home: Path, told: Told) -> list[str]:
    """What is not as it was acknowledged; the stores are read with nothing running."""
    async with stores.open(Settings(home=home)) as opened:
        # What a process that died had set aside is given back when its lease is over.
        await asyncio.sleep(LEASE_S + 5)
        found = [*await _answers(opened, told), *await _files(opened, told), *await _batches(opened, told)]
        found += await _kill_features.wrong(opened, TENANT, told.features)
        return [*found, *await _ledger(opened), *await _audit(opened)]


async def _all(opened: Stores, kind: str) -> list[Any]:
    found: list[Any] = []
    while page := await opened.events.find(TENANT, kind=kind, after=found[-1].id if found else None, limit=1000):
        found += page
    return found


async def _answers(opened: Stores, told: Told) -> list[str]:
    answers = collections.Counter(each.id for each in await _all(opened, "answer"))
    given = collections.Counter(each.facts.plain().get("comment") for each in await _all(opened, "feedback"))
    lost = [each for each in told.answers if answers[each] != 1]
    rated = [comment for comment, count in given.items() if count != 1]
    missing = len(told.rated) - len(given)
    found = [f"{len(lost)} answers are there not once: {lost[:3]}"] if lost else []
    found += [f"{len(rated)} ratings are there not once: {rated[:3]}"] if rated else []
    return found + ([f"{missing} ratings are lost"] if missing > 0 else [])


async def _files(opened: Stores, told: Told) -> list[str]:
    collection = await opened.collections.get(TENANT, STORE)
    documents = {each.file_id: each for each in await opened.collections.documents(collection, None)}
    found = [f"{each} is not in the collection" for each in told.files if each not in documents]
    found += [
        f"{each.name} is {each.status}: {each.error}" for each in documents.values() if each.status != "completed"
    ]
    names = collections.Counter(each.name for each in await opened.files.list(TENANT))
    twice = [name for name, count in names.items() if count > 1 and name.endswith((".txt", ".jsonl"))]
    found += [f"{len(twice)} files were uploaded twice: {twice[:3]}"] if twice else []
    chunks = sum(each.chunks for each in documents.values())
    rows = await opened.vectors.count(collection.table)
    stale = await opened.collections.stale(collection)
    return found + ([f"{rows} rows for {chunks} chunks"] if rows != chunks or stale else [])


async def _batches(opened: Stores, told: Told) -> list[str]:
    found: list[str] = []
    for batch_id, count in told.batches.items():
        batch = await opened.batches.get(TENANT, batch_id)
        lines = (await opened.files.content(TENANT, batch.output_file_id or "")).splitlines()
        ids = collections.Counter(json.loads(line)["custom_id"] for line in lines)
        if batch.status != "completed" or ids != collections.Counter({f"l{n}": 1 for n in range(count)}):
            found.append(f"{batch_id} is {batch.status} with {len(ids)} of {count} lines, {sum(ids.values())} in all")
    return found


async def _ledger(opened: Stores) -> list[str]:
    """Budgets against the calls that they concern."""

    def read(connection: sa.Connection) -> tuple[int, int]:
        rows = connection.execute(sa.select(events.c.facts).where(events.c.kind == "call", events.c.tenant == TENANT))
        facts = [json.loads(row.facts) if isinstance(row.facts, str | bytes) else row.facts for row in rows]
        # An expired lease is given back when somebody wants the room: until then it stands in both places.
        over = sa.func.coalesce(sa.func.sum(reservations.c.nanousd), 0)
        held = connection.execute(sa.select(over).where(reservations.c.expires_at < time.time())).scalar_one()
        return sum(int(each["cost_nanousd"]) for each in facts), int(held)

    cost, held = await opened.database.read(read)
    found = []
    for budget in await opened.budgets.list(TENANT):
        spending = await opened.budgets.spending(budget)
        if spending.spent_nanousd != cost:
            found.append(f"the budget says {spending.spent_nanousd}, the calls {cost} nano-dollars")
        if spending.reserved_nanousd != held:
            found.append(f"{spending.reserved_nanousd} nano-dollars are set aside, {held} by leases that are over")
    return found


async def _audit(opened: Stores) -> list[str]:
    reports = {each: await opened.audit.verify(each) for each in await opened.audit.tenants()}
    return [f"the audit log of {name!r} is not whole" for name, each in reports.items() if each.problems]
