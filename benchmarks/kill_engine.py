"""The engine killed every three seconds for two minutes: how long until it answers again after the last.

    python benchmarks/kill_engine.py [--seconds 120] [--every 3] [--dry]

A server with the default model, asked all the time by one client. The results are the seconds from the last kill to the
first whole answer, and the outcomes of the requests in between. Before that it is killed three times and left to come
back: what one restart takes on this machine, which is told beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import aiohttp

from _report import Figure, report
from _server import UNLIMITED, Server, engine_child, serving
from _storm import SMALL

PATIENCE_S = 30.0
RESTARTS = 3


async def ask(session: aiohttp.ClientSession, number: int) -> int:
    """The status of one short chat; 0 where there was none."""
    said = [{"role": "user", "content": f"Say {number}."}]
    body = {"model": SMALL, "messages": said, "max_tokens": 4, "options": {"cache": False}}
    try:
        async with session.post("/v1/chat/completions", json=body) as response:
            await response.read()
            return response.status
    except (aiohttp.ClientError, OSError, TimeoutError):
        return 0


async def restart(server: Server, session: aiohttp.ClientSession) -> float:
    """Seconds from one kill of an engine that serves to the first answer of the next."""
    while await ask(session, -2) != 200:
        await asyncio.sleep(0.2)
    began = time.monotonic()
    os.kill(engine_child(server.pid), signal.SIGKILL)
    await asyncio.sleep(0.1)
    while await ask(session, -3) != 200:
        await asyncio.sleep(0.2)
    return time.monotonic() - began


async def run(server: Server, seconds: float, every: float) -> tuple[int, float, dict[int, int], list[float]]:
    """(kills, seconds from the last to the first answer, statuses meanwhile, seconds of undisturbed restarts)."""
    headers = {"authorization": f"Bearer {server.key}", "x-request-timeout": "20"}
    seen: collections.Counter[int] = collections.Counter()
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(server.url, headers=headers, timeout=timeout) as session:
        undisturbed = [await restart(server, session) for _ in range(RESTARTS)]
        killing = True

        async def load() -> None:
            number = 0
            while killing:
                number += 1
                seen[await ask(session, number)] += 1
                await asyncio.sleep(0.1)

        task = asyncio.create_task(load())
        kills, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(LookupError, ProcessLookupError):
                os.kill(engine_child(server.pid), signal.SIGKILL)
                kills += 1
            await asyncio.sleep(every)
        last = time.monotonic()
        killing = False
        await task
        while await ask(session, -1) != 200:
            if time.monotonic() - last > 4 * PATIENCE_S:
                break
            await asyncio.sleep(0.2)
        return kills, time.monotonic() - last + every, dict(seen), undisturbed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--every", type=float, default=3.0)
    parser.add_argument("--dry", action="store_true", help="write no result")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home, serving(Path(home), settings=UNLIMITED) as server:
        kills, seconds, seen, undisturbed = asyncio.run(run(server, options.seconds, options.every))
    told = f"{kills} kills in {options.seconds:g} s; statuses meanwhile: {dict(sorted(seen.items()))}"
    told += f"; one restart {', '.join(f'{each:.1f}' for each in sorted(undisturbed))} s"
    print(f"an answer {seconds:.1f} s after the last kill; {told}")
    if not options.dry:
        figure = Figure(round(seconds, 1), "s", "lower", floor=PATIENCE_S, against=told)
        middle = Figure(round(median(undisturbed), 1), "s", "lower", against=f"n {len(undisturbed)}")
        report("kill_engine", {"from the last kill to an answer": figure, "from a single kill to an answer": middle})
    sys.exit(seconds > PATIENCE_S)


if __name__ == "__main__":
    main()
