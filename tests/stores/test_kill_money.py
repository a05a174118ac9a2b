"""kill -9 and money: budgets are the sum of the ledger, and what a dead process had set aside comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.stores.money.ledger import LedgerQuery
from mainspring.stores.schema import reservations

pytestmark = pytest.mark.usefixtures("one_day")
LIMIT = 10**9
# Eight requests at a time set 1,000 aside, spend something, and say so when that is settled.
_CHILD = """
import asyncio, itertools, random, sys, time
from pathlib import Path
from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.core.facts.registry import read
from mainspring.stores.sql import ids
from mainspring.core.types import EventRecord, Principal

async def ask(opened):
    for n in itertools.count():
        wanted = await opened.budgets.concerning(Principal("a", "k"), "app")
        held, _ = await opened.budgets.reserve(wanted, 1000, 10)
        await asyncio.sleep(random.random() * 0.01)
        cost = random.randrange(1000)
        facts = {"key_id": "k", "application": "app", "cost_nanousd": cost, "prompt_tokens": 1, "completion_tokens": 2}
        record = EventRecord(ids.new("evt_"), time.time(), "a", "t", "s", read("call", facts))
        await opened.events.settle([record], released=held)
        opened.budgets.done(held)
        print(cost, flush=True)

async def main():
    async with stores.open(Settings(home=Path(sys.argv[1]))) as opened:
        await asyncio.gather(*(ask(opened) for _ in range(8)))

asyncio.run(main())
"""


def spend_and_be_killed(home: Path, acknowledgements: int) -> int:
    """What two processes said that they had settled before they were killed."""
    command = [sys.executable, "-c", _CHILD, str(home)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = 0
    for child in children:
        assert child.stdout is not None
        for _ in range(acknowledgements):
            said += int(child.stdout.readline())
    time.sleep(0.05)
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
        assert child.stdout is not None
        # The last line may be cut in the middle.
        said += sum(int(line) for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n"))
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
    return said


async def test_money_survives_exactly(tmp_path: Path) -> None:
    async with stores.open(Settings(home=tmp_path)) as opened:
        budgets = [
            await opened.budgets.create("a", "tenant", window="total", limit_nanousd=LIMIT),
            await opened.budgets.create("a", "key", "k", window="month", limit_nanousd=LIMIT, limit_tokens=LIMIT),
        ]
    said = spend_and_be_killed(tmp_path, 60)
    async with stores.open(Settings(home=tmp_path)) as opened:
        ledger = await opened.ledger.total(LedgerQuery("a"))
        assert ledger.cost_nanousd >= said > 0
        spent = [await opened.budgets.spending(budget) for budget in budgets]
        assert {each.spent_nanousd for each in spent} == {ledger.cost_nanousd}
        assert {each.spent_tokens for each in spent} == {3 * ledger.calls}
        # What they held when they died is still set aside, and no more than sixteen requests ran.
        assert {each.reserved_nanousd % 1000 for each in spent} == {0}
        assert len({each.reserved_nanousd for each in spent}) == 1
        assert 0 < spent[0].reserved_nanousd <= 16_000
        await opened.database.write(
            lambda connection: connection.execute(sa.update(reservations).values(expires_at=time.time() - 1)) and None
        )
        # Whoever needs it all gets it all, once the leases are over.
        _, taken = await opened.budgets.reserve(budgets, LIMIT - ledger.cost_nanousd, 0)
        assert {each.reserved_nanousd for _, each in taken} == {LIMIT - ledger.cost_nanousd}
