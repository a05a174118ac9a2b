"""kill -9 while the lake follows the events, many times at random: nothing is lost, and nothing is there twice.

    python benchmarks/kill_lake.py                                   # 100 kills over some 120,000 events
    python benchmarks/kill_lake.py --keep FOLDER --seconds 240       # in pieces: run it until it reports
    python benchmarks/kill_lake.py --kills 5 --events 6000 --trial

Events are written, and a process that syncs them is killed after a random time, again and again. A kill counts if
events still waited then. At the end the files of the raw zone, those that are on the disk and those that count,
must have each event exactly once, and the clean zone each answer with all its events.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import sqlalchemy as sa

import _lake_events as traffic
from _report import RESULTS, Figure, report
from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.features.lake.service import Lake
from mainspring.features.lake.stream.syncing import NAME
from mainspring.stores.events.feed import Feed
from mainspring.stores.schema import events

FAULTS = ("lost", "twice", "left over", "answers lost", "answers twice", "events not joined")
_SYNC = """
import asyncio, sys
from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.features.lake.service import Lake
async def main():
    settings = Settings.model_validate({"home": sys.argv[1], "lake": {"batch": 200}})
    async with stores.open(settings) as opened:
        print("open", flush=True)
        while True:
            await Lake(settings, opened).syncing.sync()
            await asyncio.sleep(0.01)
asyncio.run(main())
"""


def killed(home: Path, draw: random.Random, longest_s: float) -> bool:
    """One process that syncs, killed at random after it has opened the stores; whether events still waited then."""
    process = subprocess.Popen([sys.executable, "-c", _SYNC, str(home)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(draw.random() * longest_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return asyncio.run(_waiting(home))


async def _waiting(home: Path) -> bool:
    """Whether events have not reached the lake. The lease of the process that was killed is ended, so that the next one
    need not wait until it runs out."""
    async with stores.open(Settings.model_validate({"home": home})) as opened:
        await opened.database.write(_free)
        read = await Feed(opened.database).begin(NAME)
        last = sa.select(sa.func.max(events.c.settled))
        return bool(read < await opened.database.read(lambda connection: connection.execute(last).scalar_one()))


async def looked(home: Path) -> dict[str, Any]:
    """Sync the rest, and count events and answers in the event log, in files that count, and in all files."""
    settings = Settings.model_validate({"home": home})
    async with stores.open(settings) as opened:
        lake = Lake(settings, opened)
        done = await lake.syncing.sync()
        assert done is not None
        query = sa.select(events.c.id, events.c.kind, events.c.subject)
        logged = await opened.database.read(lambda connection: connection.execute(query).all())
        counted: Counter[str] = Counter()
        for file in await lake.manifest.files(traffic.TENANT, "raw"):
            counted.update(pq.read_table(home / "lake" / file.path, columns=["id"]).column(0).to_pylist())
        there: Counter[str] = Counter()
        for path in (home / "lake" / "raw").rglob("*.parquet"):
            there.update(pq.read_table(path, columns=["id"]).column(0).to_pylist())
        answers: Counter[str] = Counter()
        joined: set[str] = set()
        async for rows in lake.clean.rows(traffic.TENANT):
            for row in rows:
                answers[row.answer_id] += 1
                joined.update(row.event_ids)
    ids = {row.id for row in logged}
    asked = {row.id for row in logged if row.kind == "answer"}
    about = {row.id for row in logged if row.subject in asked}
    return {
        "events": len(ids),
        "lost": len(ids - set(counted)),
        "twice": sum(count - 1 for count in counted.values()),
        "left over": sum((there - counted).values()),
        "answers lost": len(asked - set(answers)),
        "answers twice": sum(count - 1 for count in answers.values()),
        "events not joined": len(about - joined),
    }


def _free(connection: sa.Connection) -> None:
    connection.execute(sa.text("UPDATE jobs SET lease_until = 0 WHERE kind = 'lake' AND state = 'running'"))


def main() -> None:
    """Kill as often as is left, then look."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--kills", type=int, default=100)
    asked.add_argument("--events", type=int, default=120_000)
    asked.add_argument("--longest", type=float, default=0.8, help="seconds until a kill")
    asked.add_argument("--keep", type=Path)
    asked.add_argument("--seconds", type=float, default=3600.0)
    asked.add_argument("--trial", action="store_true", help="report no result")
    given = asked.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    home, state = folder / "home", folder / "state.json"
    done = json.loads(state.read_text(encoding="utf-8")) if state.exists() else {"kills": 0, "tries": 0}
    began = time.monotonic()
    while done["kills"] < given.kills:
        if time.monotonic() - began > given.seconds:
            print(f"{done['kills']} kills: run it again to go on.")
            return
        draw = random.Random(done["tries"])
        traffic.make(
            home, given.events // given.kills, seed=done["tries"], per_commit=40, begin=done["tries"] * 100_000
        )
        done["kills"] += killed(home, draw, given.longest)
        done["tries"] += 1
        state.write_text(json.dumps(done), encoding="utf-8")
    found = asyncio.run(looked(home))
    print(found)
    against = f"{done['kills']} kills at random over {found['events']} events"
    figures = {"kills": Figure(done["kills"], "kills", "higher", given.kills, against="the number asked for")}
    for name in FAULTS:
        figures[name] = Figure(found[name], "", "lower", 0, 0, against)
    report("kill_lake", figures, results=Path(tempfile.mkdtemp()) if given.trial else RESULTS)
    if any(found[name] for name in FAULTS):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
