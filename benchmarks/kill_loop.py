"""kill -9 of a server while its loop of improvement works: one promotion, nothing that people said is lost.

    python benchmarks/kill_loop.py --kills 20 [--keep FOLDER] [--seed 1] [--dry]

A server over a small collection of huts runs a campaign of two recipes: the first is refused, the second one goes the
whole way (export, training in a process of its own, comparison, regression list, attacks, a person's word, shadow,
canary, promotion, watch), while people ask and give thumbs. The server is killed again and again: within a tenth of a
second after a transition, at moments drawn at random, and while it starts; and is started again on its home. Campaigns
take turns: one is promoted, one is rolled back by the watch since people come to dislike it, one is refused in its
canary. When a campaign is over, nothing runs, and its home is read: each acknowledged answer, thumb and edit is there
once; the transitions, their events, the changes of what is served, trainings, comparisons and exports are those of one
undisturbed campaign; counts are those of the events; lineage leads from an answer to the edits. Meanwhile it is watched
that no two processes train in one folder, and that what a dead server had started ends. With ``--keep`` the figures of
several calls add up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from _loop_checks import wrong
from _loop_huts import ENDS, NAME, Walkers, policy
from _report import Figure, report
from _server import UNLIMITED, spawn, stop

_OVER = ("promoted", "refused", "rolled back", "stopped")
_STAGE = re.compile(r"campaign (imp_\w+) of \w+: ([a-z ]+): ")
_KEY = re.compile(r"ms-[A-Za-z0-9_-]{20,}")
_START_S, _CAMPAIGN_S, _LEFT_S, _MOST = 180.0, 3_000.0, 30.0, 30
_STARTING, _RANDOM = 0.08, 0.35
"""The shares of deaths while it starts, and (with those) at moments drawn at random; the others follow transitions."""
SETTINGS = {
    **UNLIMITED,
    "MAINSPRING_MODELS__CHAT": "[]",
    # People cut answers down here: a reader would have done it before them.
    "MAINSPRING_MODELS__NEAR_MISSES": "",
    # A dead process's work is taken up after its lease: seconds here, so that a hundred deaths take no day.
    **{f"MAINSPRING_{name}__LEASE_S": "2" for name in ("IMPROVE", "TRAIN", "EXPERIMENTS", "LAKE", "LAKE__EXPORTS")},
    **{f"MAINSPRING_{name}__EVERY_S": "0.5" for name in ("IMPROVE", "TRIALS")},
    "MAINSPRING_TRAIN__STOP_S": "5",
}


@dataclass
class Found:
    """What a series came to. ``stages``: in which stage the campaign was at each death."""

    kills: int = 0
    campaigns: int = 0
    promotions: int = 0
    answers: int = 0
    thumbs: int = 0
    edits: int = 0
    unanswered: int = 0
    twice: int = 0
    left: int = 0
    stages: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


class Watched:
    """Looks at the machine's processes: whether two train in one folder, and what dead servers have left behind."""

    def __init__(self, home: Path) -> None:
        self.most = 0
        self._home = str(home)
        self._below: dict[int, str] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def remember(self, server: int) -> None:
        """Those that a server has started, before it dies."""
        for pid, parent, started in _processes():
            if parent == server or parent in self._below:
                self._below[pid] = started

    def left(self) -> list[int]:
        """Those of dead servers that are still there, after some time to end."""
        end = time.monotonic() + _LEFT_S
        while found := [pid for pid, _, started in _processes() if self._below.get(pid) == started]:
            if time.monotonic() > end:
                return found
            time.sleep(0.2)
        return []

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        training: dict[int, bool] = {}
        before: dict[str, set[int]] = {}
        while not self._over.wait(0.1):
            there = {int(each) for each in os.listdir("/proc") if each.isdigit()}
            training = {pid: training[pid] if pid in training else _trains(pid, self._home) for pid in there}
            now: dict[str, set[int]] = {}
            for pid in (pid for pid, trains in training.items() if trains):
                for folder in _locked_by(pid, self._home):
                    now.setdefault(folder, set()).add(pid)
            # A process that a run starts is its copy until it runs something else.
            now = {folder: {pid for pid in each if _parent(pid) not in each} for folder, each in now.items()}
            # Whoever only tries the lock has its file open for less than a look.
            self.most = max(self.most, *(len(each & before.get(folder, set())) for folder, each in now.items()), 0)
            before = now


def _parent(pid: int) -> int:
    with suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    return 0


def _trains(pid: int, home: str) -> bool:
    with suppress(OSError):
        said = Path(f"/proc/{pid}/cmdline").read_bytes()
        # A process that was forked a moment ago still has its parent's words.
        return home.encode() in said or b"mainspring up" in said.replace(b"\0", b" ")
    return False


def _locked_by(pid: int, home: str) -> list[str]:
    """The folders of runs whose lock a process of training has."""
    with suppress(OSError):
        if b"mainspring.training.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
            files = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
            return [each for each in files if each.startswith(home) and each.endswith("/lock")]
    return []


def _processes() -> list[tuple[int, int, str]]:
    """The id, the parent and the start of each process."""
    found = []
    for each in os.listdir("/proc"):
        if each.isdigit():
            with suppress(OSError, IndexError):
                told = Path(f"/proc/{each}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
                fields = told.split()
                if fields[0] != "Z":
                    found.append((int(each), int(fields[1]), fields[19]))
    return found


class Server:
    """A server that dies and comes back on its port. ``stage`` is what its log last said of the campaign, ``moved`` is
    called at each transition."""

    def __init__(self, home: Path) -> None:
        self.home, self.key, self.stage, self.transitions = home, "", "exporting", 0
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[str] | None = None
        self.log: list[str] = []
        self.took = 5.0

    def begin(self) -> None:
        process = self.process = spawn(self.home, port=self.port, settings=SETTINGS)
        threading.Thread(target=self._read, args=(process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with suppress(ValueError):
            for line in process.stdout:
                self.log.append(line)
                if not self.key and (found := _KEY.search(line)):
                    self.key = found[0]
                if found := _STAGE.search(line):
                    self.stage = found[2]
                    self.transitions += 1

    async def ready(self) -> float:
        """Seconds until it answers. Raises ``RuntimeError`` with the end of its log."""
        began = time.monotonic()
        assert self.process is not None
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while time.monotonic() - began < _START_S and self.process.poll() is None:
                with suppress(aiohttp.ClientError, TimeoutError, OSError):
                    async with session.get(f"{self.url}/readyz") as response:
                        # It may be ready before its first words were read, which have the key.
                        if response.status == 200 and self.key:
                            return time.monotonic() - began
                await asyncio.sleep(0.1)
        raise RuntimeError("the server does not become ready: " + "".join(self.log[-30:]))

    def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    async def life(self, draw: random.Random, over: asyncio.Event) -> bool:
        """Live until the moment at which it is to die; whether the campaign was still under way then."""
        assert self.process is not None
        seen, how = self.transitions, draw.random()
        if how < _STARTING:
            await asyncio.sleep(draw.random() * self.took)
            return not over.is_set()
        with suppress(RuntimeError):
            self.took = await self.ready()
        # A machine that others keep busy starts it slowly, and trains slowly, too.
        at_random = how < _RANDOM
        end = time.monotonic() + (draw.random() * 1.5 if at_random else 8.0) * self.took
        while time.monotonic() < end and not over.is_set() and (at_random or self.transitions == seen):
            await asyncio.sleep(0.002)
        await asyncio.sleep(draw.random() ** 2 * 0.15)
        return not over.is_set()


@asynccontextmanager
async def asked(server: Server, kind: str, seed: int) -> Any:
    timeout = aiohttp.ClientTimeout(total=60)
    headers = {"authorization": f"Bearer {server.key}"}
    async with aiohttp.ClientSession(server.url, headers=headers, timeout=timeout) as session:
        yield Walkers(session, kind, seed)


async def campaign(home: Path, kind: str, kills: int, seed: int, found: Found, logs: Path | None = None) -> None:
    """One campaign in a new home, in which the server dies at most so often; what is wrong then is added."""
    draw, server, watched = random.Random(seed), Server(home), Watched(home)
    try:
        server.begin()
        await server.ready()
        async with asked(server, kind, seed) as walkers:
            await walkers.prepare(seed)
            await walkers.call("PUT", f"/v1/improve/policies/{NAME}", policy(kind))
            made = (await walkers.call("POST", f"/v1/improve/policies/{NAME}/run"))[0]["id"]
            lineage = await _killed(server, walkers, made, kills, draw, watched, found)
        stop(server.process)  # type: ignore[arg-type]
        told = walkers.told
        problems = wrong(home, kind, made, told, lineage)
        if left := watched.left():
            found.left += len(left)
            problems.append(f"processes of dead servers are left: {left}")
        if watched.most > 1:
            found.twice += 1
            problems.append(f"{watched.most} processes trained in one folder at once")
        found.campaigns += 1
        found.promotions += ENDS[kind] != "refused"
        found.answers += len(told.answers)
        found.thumbs += len(told.thumbs)
        found.edits += len(told.edits)
        found.unanswered += told.unanswered
        found.wrong += [f"{kind} (seed {seed}): {each}" for each in problems]
        if problems and logs is not None:
            (logs / f"{kind}-{seed}.log").write_text("".join(server.log), encoding="utf-8")
    finally:
        watched.close()
        if server.process is not None and server.process.poll() is None:
            stop(server.process)


async def _killed(
    server: Server, walkers: Walkers, made: str, kills: int, draw: random.Random, watched: Watched, found: Found
) -> dict[str, Any] | None:
    """Kill and start again until the campaign is over; then the lineage of an answer of its candidate."""
    over, done = asyncio.Event(), 0
    asking = asyncio.create_task(walkers.run())
    looking = asyncio.create_task(_followed(server, walkers, made, over))
    end = time.monotonic() + _CAMPAIGN_S
    try:
        while not over.is_set():
            if time.monotonic() > end:
                raise RuntimeError(f"the campaign is {server.stage}: " + "".join(server.log[-40:]))
            if done >= min(kills, _MOST):
                with suppress(TimeoutError):
                    async with asyncio.timeout(5):
                        await over.wait()
                continue
            if not await server.life(draw, over):
                break
            watched.remember(server.process.pid)  # type: ignore[union-attr]
            server.log.append(f"{time.strftime('%H:%M:%S')} --- killed, {server.stage}\n")
            server.kill()
            done += 1
            found.kills += 1
            found.stages[server.stage] = found.stages.get(server.stage, 0) + 1
            server.begin()
            if server.stage in _OVER:
                break
        await server.ready()
        await asyncio.wait_for(over.wait(), _CAMPAIGN_S)
        # What was asked last is counted, too.
        await asyncio.sleep(3)
    finally:
        walkers.over.set()
        looking.cancel()
        await asyncio.gather(asking, looking, return_exceptions=True)
    await asyncio.sleep(3)
    for answer in reversed([each for each, arm in walkers.told.answers.items() if arm == "candidate"]):
        return (await walkers.call("GET", f"/v1/improve/lineage/answers/{answer}"))[0]
    return None


async def _followed(server: Server, walkers: Walkers, made: str, over: asyncio.Event) -> None:
    """Where the campaign is: from the log at once, and from the server whether it is over."""
    while not over.is_set():
        walkers.stage = server.stage
        await asyncio.sleep(0.5)
        if server.stage in _OVER:
            with suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError):
                if (await walkers.once("GET", f"/v1/improve/campaigns/{made}"))[0]["stage"] in _OVER:
                    over.set()
        else:
            # Its last line may have died with it.
            with suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError):
                server.stage = (await walkers.once("GET", f"/v1/improve/campaigns/{made}"))[0]["stage"]


def series(kills: int, seed: int, folder: Path, keep: Path | None = None, logs: Path | None = None) -> Found:
    """Kill so often, over as many campaigns as that takes."""
    found = Found()
    if keep is not None and keep.exists():
        found = Found(**json.loads(keep.read_text(encoding="utf-8")))
    wanted = found.kills + kills
    while found.kills < wanted:
        kind = tuple(ENDS)[(seed + found.campaigns) % len(ENDS)]
        number = seed * 1_000 + found.campaigns
        with tempfile.TemporaryDirectory(prefix="home-", dir=folder) as home:
            asyncio.run(campaign(Path(home), kind, wanted - found.kills, number, found, logs))
        print(json.dumps(asdict(found)), flush=True)
        if keep is not None:
            keep.write_text(json.dumps(asdict(found)), encoding="utf-8")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="add up over several calls, in this file")
    parser.add_argument(
        "--logs", type=Path, help="keep the server's log of a campaign with a difference in this folder"
    )
    parser.add_argument("--dry", action="store_true", help="write no result")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mainspring-kill-loop-") as folder:
        found = series(given.kills, given.seed, Path(folder), given.keep, given.logs)
    if not given.dry:
        report("kill_loop", figures(found))


def figures(found: Found) -> dict[str, Figure]:
    """Those of a series."""
    at = ", ".join(f"{stage} {count}" for stage, count in sorted(found.stages.items(), key=lambda each: -each[1]))
    said = f"{found.answers} answers, {found.thumbs} thumbs and {found.edits} edits were acknowledged"
    dead = "while the server was dead"
    return {
        "kills": Figure(float(found.kills), "kills", "higher", against=at),
        "campaigns": Figure(float(found.campaigns), "campaigns", "higher", against=f"{found.promotions} promotions"),
        "differences": Figure(float(len(found.wrong)), "differences", "lower", 0.0, against=said),
        "trained twice at once": Figure(float(found.twice), "times", "lower", 0.0, against="ten looks a second"),
        "processes left": Figure(float(found.left), "processes", "lower", 0.0, against=f"after {_LEFT_S:.0f} s"),
        "requests without an answer": Figure(float(found.unanswered), "requests", "lower", against=dead),
    }


if __name__ == "__main__":
    main()
