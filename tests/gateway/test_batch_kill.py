"""kill -9 while a batch is answered, again and again: in the end each line has one answer."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.features.batches.test_routes import desk, line
from tests.killed import run_and_kill

LINES, CONCURRENCY = 60, 4
# Says each line that it has kept; one that was answered and not yet kept when it dies is answered again.
_CHILD = """
import asyncio, sys
from pathlib import Path
from tests.features.batches.test_routes import desk, spoken

async def main():
    async with desk(Path(sys.argv[1]), lambda generation: [spoken(generation)], concurrency=int(sys.argv[2])) as at:
        at.home.engine.delay = 0.01
        record = at.work._batches.record

        async def told(job, number, text, *, succeeded):
            kept = await record(job, number, text, succeeded=succeeded)
            print(number, flush=True)
            return kept

        at.work._batches.record = told
        await asyncio.Event().wait()

asyncio.run(main())
"""


def kept_until_killed(home: Path, answers: int) -> list[int]:
    told = run_and_kill(_CHILD, str(home), str(CONCURRENCY), after=answers, within_s=0.03)
    return [int(number) for number in told]


@pytest.mark.parametrize("kills", [1, pytest.param(3, marks=pytest.mark.kills)])
async def test_each_line_has_one_answer_in_the_end(tmp_path: Path, kills: int) -> None:
    async with desk(tmp_path, start=False) as at:
        batch = await at.submit([line(n) for n in range(1, LINES + 1)])
        key = at.key
    kept = [number for _ in range(kills) for number in kept_until_killed(tmp_path, random.randrange(6, 14))]
    assert len(set(kept)) == len(kept), "what was kept is not answered again"
    async with desk(tmp_path) as at:
        at.key = key
        over = await at.over(batch)
        assert (over.status, over.total, over.completed, over.failed) == ("completed", LINES, LINES, 0)
        found = await at.lines(over.output_file_id)
        assert list(found) == [f"c{n}" for n in range(1, LINES + 1)]
        for number in range(1, LINES + 1):
            body = found[f"c{number}"]["response"]["body"]
            assert body["choices"][0]["message"]["content"] == f"Say {number}"
        calls = await at.home.stores.events.find("acme", kind="call", limit=1000)
        assert len(calls) <= LINES + kills * CONCURRENCY
        assert (await at.home.stores.jobs.get("acme", batch.id)).attempts == kills + 1
