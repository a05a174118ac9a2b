"""kill -9 of a process that works on runs of an agent, many times at random: each effect happens once all the same.

    python benchmarks/kill_runs.py                       # 200 kills
    python benchmarks/kill_runs.py --kills 20 --keep DIR # in pieces: the figures add up in DIR

The agent looks things up, pays through a service that honours idempotency keys (four times and once after an approval,
two payments being equal), writes letters through one that does not, several calls at once, and has a sub-agent that
does so too. A person decides calls of which nobody knows whether they happened, by looking at the world. A scripted
model stands in for one, so that the time goes into what is under test.
``kill_runs_postgres.py`` is the same on a Postgres, on whose runs several processes work at once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import sqlalchemy as sa

from _report import Figure, report
from _run_kills import Verdict, begin, verdict

_CHILD = Path(__file__).parent / "_run_kills.py"
RUNS = 4
"""Runs of one home: two at a time are worked on by a process."""
WORKERS = 3
"""Processes at once, on a Postgres."""
_NAMES = ("runs", "asked", "repeated_models", "keyed", "unkeyed", "repeated_steps")


def killed(home: Path, url: str, most: int) -> bool:
    """Work on the runs of ``home`` and be killed within a few milliseconds after a call of a model or a tool, the
    ``most``-th at the latest; whether that was before all were over."""
    child = subprocess.Popen(
        [sys.executable, str(_CHILD), str(home), url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    wanted = random.randint(1, most)
    for number, _ in enumerate(child.stdout, 1):
        if number == wanted:
            time.sleep(random.random() * 0.008)
            os.killpg(child.pid, signal.SIGKILL)
            break
    status = child.wait()
    if status not in (0, -signal.SIGKILL):
        raise RuntimeError(child.stderr.read())
    child.stdout.close()
    child.stderr.close()
    return status != 0


def one_home(home: Path, url: str, left: int, most: int) -> tuple[int, Verdict]:
    """Kill until the runs of a home are over, at most so often; how often, and what is true then."""
    asyncio.run(begin(home, RUNS, url))
    places = iter(range(left))
    lock = threading.Lock()

    def worker() -> int:
        count = 0
        while True:
            with lock:
                if next(places, None) is None:
                    return count
            if not killed(home, url, most):
                return count
            count += 1

    with ThreadPoolExecutor(WORKERS if url else 1) as pool:
        kills = sum(each.result() for each in [pool.submit(worker) for _ in range(WORKERS if url else 1)])
    subprocess.run([sys.executable, str(_CHILD), str(home), url], check=True, stdout=subprocess.DEVNULL)
    return kills, asyncio.run(verdict(home, url))


@contextlib.contextmanager
def new_database(server: str) -> Iterator[str]:
    """The URL of a new database of a Postgres, which is dropped afterwards; empty for an empty ``server``."""
    if not server:
        yield ""
        return
    name = f"mainspring_{uuid.uuid4().hex}"
    asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
    try:
        yield sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(server: str, statement: str) -> None:
    import asyncpg

    url = sa.make_url(server).set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def series(kills: int, most: int, keep: Path | None, server: str = "") -> dict[str, object]:
    """Kill so often over as many homes as that takes; what was found."""
    found: dict[str, object] = {"kills": 0, "wrong": [], **dict.fromkeys(_NAMES, 0)}
    place = None if keep is None else keep / "series.json"
    if place is not None and place.exists():
        found = json.loads(place.read_text(encoding="utf-8"))
    done = 0
    while done < kills:
        with tempfile.TemporaryDirectory(prefix="mainspring-kills-") as home, new_database(server) as url:
            count, seen = one_home(Path(home), url, kills - done, most)
        done += count
        found["kills"] = int(str(found["kills"])) + count
        told = asdict(seen)
        for name in _NAMES:
            found[name] = int(str(found[name])) + told[name]
        found["wrong"] = [*list(found["wrong"]), *seen.wrong]  # type: ignore[call-overload]
        if place is not None:
            place.write_text(json.dumps(found), encoding="utf-8")
    return found


def report_series(name: str, found: dict[str, object]) -> None:
    """Print and report what was found."""
    wrong = found.pop("wrong")
    print(json.dumps(found))
    assert isinstance(wrong, list)
    for each in wrong:
        print(each)
    kills = float(str(found["kills"]))
    count = {name: float(str(found[name])) for name in _NAMES}
    figures = {
        "kills": Figure(kills, "kills", "higher"),
        "runs": Figure(count["runs"], "runs", "higher"),
        "wrong_ends": Figure(
            float(len(wrong)),
            "differences",
            "lower",
            floor=0.0,
            against=f"{kills:.0f} kills; effects, end and replay of each run",
        ),
        "keyed_effects": Figure(count["keyed"], "effects", "higher", against="each exactly once"),
        "unkeyed_effects": Figure(count["unkeyed"], "effects", "higher", against="each known, or decided by a person"),
        "asked": Figure(count["asked"], "calls", "lower", against="unkeyed calls of which nobody knew"),
        "keyed_calls_repeated": Figure(count["repeated_steps"], "calls", "lower", against="under the same key"),
        "model_calls_repeated": Figure(
            count["repeated_models"] / kills, "calls a kill", "lower", floor=2.0, against="two runs are in progress"
        ),
    }
    report(name, figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--most", type=int, default=12, help="calls of models and tools that a process makes at most")
    parser.add_argument("--keep", type=Path, help="add up over several calls, in this folder")
    arguments = parser.parse_args()
    report_series("kill_runs", series(arguments.kills, arguments.most, arguments.keep))


if __name__ == "__main__":
    main()
