"""Settlements that share a commit, also if the commit fails."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest

from mainspring.core.errors import StoreError
from mainspring.core.facts.registry import read
from mainspring.core.types import EventRecord
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql.database import Database


class Locked:
    """A database that nobody can write to: each attempt takes its time."""

    def __init__(self) -> None:
        self.attempts = 0

    async def write(self, work: Any, *, durable: bool | None = None) -> Any:
        self.attempts += 1
        await asyncio.sleep(0.01)
        raise StoreError("the database is locked")


def fact(number: int) -> EventRecord:
    return EventRecord(f"evt_{number}", time.time(), "acme", "", "", read("guard", {}))


async def test_a_database_that_is_away_is_not_waited_for_by_each_settlement_in_turn() -> None:
    database = Locked()
    log = EventLog(cast(Database, cast(Any, database)))
    waiting = [asyncio.create_task(log.append(fact(number))) for number in range(40)]
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, StoreError) for each in found)
    # The first has a commit of its own; the others share one, and one look whether it was they.
    assert database.attempts <= 4
    with pytest.raises(StoreError):
        await log.append(fact(41))
