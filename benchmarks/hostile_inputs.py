"""What hostile requests cost a server: the loop thread's CPU, its longest hold, and memory, for bodies of 8 MB.

    python benchmarks/hostile_inputs.py [--only TEXT] [--list]
    python benchmarks/hostile_inputs.py --keep FILE --seconds 200      # in pieces: until it reports

A server with the default model answers a catalogue of requests one by one: every route that takes JSON gets numbers,
objects, empty texts, brackets, one long text, a long unknown name and many unknown names; then come what single rooms
read (schemas, expressions, tools, templates, batches, archives, headers, queries, guards) and what features read
(agents, hosted tools, desk and mail, memory, content, insights, the assistant and support; data sets, judges, evals,
the lake, translation, Smart Compose, and the definitions of all that learns). All of them are of one tenant that may do
everything. Of each it is measured how much CPU the thread of the event loop took, the longest that
one callback kept it (CPU, so others on the machine count little), the longest that another's request waited (a health
check every 20 ms, from a process of its own; what the server itself did in that time counts, so a regular expression on
any thread does), and by how much the server's memory grew at its peak.
What keeps the loop for longer than a fifth of a second is sent again, and the shorter time counts: the first one may
have imported a library, or others may have had the processor's caches.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import struct
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from _hostile import PATIENCE_S, SHAPES, Input, chat, given, rooms, routes
from _hostile_features import SETTINGS, features
from _hostile_newest import newest
from _hostile_parts import parts
from _hostile_texts import texts
from _pulse import Pulse
from _report import Figure, report
from _server import UNLIMITED, Server, serving

_FIGURES = struct.Struct("=dd")
AGAIN_S = 0.2
SETTLED_S = 60.0
LEFT = 499
SETUP = ("consent", "to be asked")
"""How the names of requests end which later ones need, in the same home."""
FOLLOWS = ("ingesting", "starting", "the difference", "a prompt of 60,000 lines (2)", "an agent of slow")
"""How the names of requests begin which use what the one before them left."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of the loop's thread in all and at once, MB at the peak, the status (0: no answer), and the seconds that
    another's request waited."""

    name: str
    status: int
    cpu_s: float
    hold_s: float
    grown_mb: float
    wait_s: float = 0.0

    @property
    def held_s(self) -> float:
        """The longest time that others waited, seen from within or from outside."""
        return max(self.hold_s, self.wait_s)

    @property
    def bad(self) -> bool:
        """Whether it held the loop or others or took memory as none may, or the server failed."""
        return self.held_s > 0.3 or self.grown_mb > 300 or self.failed

    @property
    def failed(self) -> bool:
        """Whether the server failed; 502 is the failure of a server that the request named."""
        return (self.status >= 500 and self.status != 502) or not self.status


class Probe:
    """Reads what the server's process tells of itself."""

    def __init__(self, pid: int, holds: Path, pulse: Pulse) -> None:
        self._pulse = pulse
        self._proc = Path("/proc") / str(pid)
        self._holds = holds / str(pid)
        self._before = self._peak = 0.0
        self._watching = threading.Event()
        self._watcher = threading.Thread()

    def begin(self) -> None:
        """Forget what was."""
        with self._holds.open("rb+") as file:
            file.write(bytes(_FIGURES.size))
        self._before = self._peak = self._memory()
        self._pulse.begin()
        self._watching.set()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def end(self) -> tuple[float, float, float, float]:
        """(longest hold, CPU seconds of the loop's thread, MB that the memory grew by at its peak, the longest wait of
        another) since ``begin``."""
        self._watching.clear()
        self._watcher.join()
        hold, total = _FIGURES.unpack(self._holds.read_bytes())
        return hold, total, self._peak - self._before, self._pulse.longest()

    def _watch(self) -> None:
        while self._watching.is_set():
            self._peak = max(self._peak, self._memory())
            time.sleep(0.005)

    def _memory(self) -> float:
        """MB of the process's own, wherever they are: what the system has put aside and brings back is no growth."""
        told = dict(line.split(":", 1) for line in (self._proc / "status").read_text(encoding="utf-8").splitlines())
        return sum(int(told[name].split()[0]) for name in ("RssAnon", "RssShmem", "VmSwap")) / 1024


def send(server: Server, each: Input) -> int:
    """The status of the answer; 0 where the connection ended without one, ``LEFT`` where this did not wait for it."""
    place = urlsplit(server.url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=each.patience_s)
    try:
        headers = {"authorization": f"Bearer {server.key}", **dict(each.headers)}
        connection.request(each.method, each.path, each.body(), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except TimeoutError:
        return LEFT if each.patience_s < PATIENCE_S else 0
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def settled(server: Server, each: Input) -> None:
    """Wait until the documents are read, at most so long."""
    place, until = urlsplit(server.url), time.monotonic() + SETTLED_S
    while time.monotonic() < until:
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
        connection.request(
            "GET", f"{each.path}?filter=in_progress&limit=1", None, {"authorization": f"Bearer {server.key}"}
        )
        found = json.loads(connection.getresponse().read())
        connection.close()
        if not found.get("data"):
            return
        time.sleep(0.1)


def measured(server: Server, probe: Probe, each: Input) -> Cost:
    probe.begin()
    status = send(server, each)
    time.sleep(0.05)
    if each.name.startswith("ingesting"):
        settled(server, each)
    hold, total, grown, wait = probe.end()
    return Cost(each.name, status, total, hold, grown, wait)


# --- running ----------------------------------------------------------------------------------------------------------


class Catalogue:
    """All inputs over one server, which needs a vector store and remembers the last upload."""

    def __init__(self, server: Server) -> None:
        self._server = server
        made = self._call("POST", "/v1/vector_stores", {"name": "hostile"})
        self._store = str(made["id"])

    def inputs(self) -> Iterator[Input]:
        yield from features()
        yield from newest()
        yield from texts()
        described = self._call("GET", "/openapi.json")
        for method, path, field in sorted(set(routes(described))):
            for shape, body in SHAPES.items():
                yield Input(f"{method} {path}: {shape}", method, path, partial(body, field))
        yield from rooms()
        yield from parts()

    def placed(self, each: Input) -> Input:
        """``each`` with the names of what is there in it."""
        path = each.path.replace("STORE", self._store)
        body = each.body
        if each.name.startswith(("ingesting", "starting")):
            file = self._call("GET", "/v1/files?limit=1&order=desc")["data"][0]["id"]
            body = given(each.body().replace(b"FILE", file.encode()))
        return replace(each, path=path, body=body)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        place = urlsplit(self._server.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
        headers = {"authorization": f"Bearer {self._server.key}", "content-type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        found = answer.read()
        connection.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {found[:300]!r}")
        return json.loads(found)


def figures(costs: list[Cost], idle: Cost) -> dict[str, Figure]:
    most = {
        name: max(costs, key=lambda each: getattr(each, name)) for name in ("hold_s", "wait_s", "cpu_s", "grown_mb")
    }
    count = f"of {len(costs)} hostile requests"
    slow = sum(each.held_s > 0.3 for each in costs)
    large = sum(each.grown_mb > 300 for each in costs)
    failed = sum(each.failed for each in costs)
    return {
        "longest hold of the loop": Figure(
            most["hold_s"].hold_s, "s CPU", "lower", 0.3, 0.1, f"{count}: {most['hold_s'].name}"
        ),
        "longest wait of another's request": Figure(
            most["wait_s"].wait_s, "s CPU", "lower", 0.3, 0.1, f"{count}: {most['wait_s'].name}"
        ),
        "loop's thread, all of a request": Figure(
            most["cpu_s"].cpu_s, "s CPU", "lower", None, None, f"{count}: {most['cpu_s'].name}"
        ),
        "growth of the server at its peak": Figure(
            most["grown_mb"].grown_mb, "MB", "lower", 300, 150, f"{count}: {most['grown_mb'].name}"
        ),
        "holds above .3 s": Figure(slow, "requests", "lower", 0, 0, count),
        "growth above 300 MB": Figure(large, "requests", "lower", 0, 0, count),
        "answers that are failures of the server": Figure(failed, "requests", "lower", 0, 0, count),
        "a plain chat": Figure(idle.hold_s, "s CPU", "lower", None, None, "its longest hold, for comparison"),
    }


def sent(server: Server, holds: Path, arguments: argparse.Namespace) -> list[Cost]:
    """The cost of each chosen request, a plain chat's first; those of earlier runs from ``--keep``."""
    kept = [Cost(**json.loads(line)) for line in _lines(arguments.keep)]
    known = {each.name for each in kept}
    catalogue, began = Catalogue(server), time.monotonic()
    pulse = Pulse(server.url, server.pid)
    probe = Probe(server.pid, holds, pulse)
    plain = Input("a plain chat", "POST", "/v1/chat/completions", chat)
    send(server, plain)
    for each in (plain, *catalogue.inputs()):
        chosen = arguments.only in each.name and not (arguments.rooms and each.name.startswith(("POST /", "PUT /")))
        if each.name in known and each.name.endswith(SETUP):
            send(server, each)
        if each.name in known or not (chosen or each is plain):
            continue
        if arguments.seconds and time.monotonic() - began > arguments.seconds and not each.name.startswith(FOLLOWS):
            raise SystemExit(f"{len(kept)} requests are kept: run it again")
        cost = measured(server, probe, catalogue.placed(each))
        if max(cost.hold_s, cost.wait_s) > AGAIN_S:
            cost = min(
                cost, measured(server, probe, catalogue.placed(each)), key=lambda one: max(one.hold_s, one.wait_s)
            )
        kept.append(cost)
        if arguments.keep:
            with arguments.keep.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(cost)) + "\n")
        if arguments.list or cost.bad:
            print(
                f"{cost.hold_s:7.3f} s {cost.wait_s:7.3f} s {cost.cpu_s:7.3f} s {cost.grown_mb:6.0f} MB "
                f"{cost.status} {cost.name}",
                flush=True,
            )
    pulse.stop()
    return kept


def _lines(path: Path | None) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="requests whose name has this in it; writes no result")
    parser.add_argument(
        "--rooms", action="store_true", help="leave out the nine bodies of every route; writes no result"
    )
    parser.add_argument("--keep", type=Path, help="file of the costs of earlier runs; what it has is not sent again")
    parser.add_argument("--seconds", type=float, default=0.0, help="end the run after so many seconds")
    parser.add_argument("--list", action="store_true", help="print what each request took")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mainspring-") as folder:
        holds = Path(folder) / "holds"
        holds.mkdir()
        watched = {
            "HOLDS": str(holds),
            "PYTHONPATH": os.pathsep.join(
                filter(None, (str(Path(__file__).parent / "_holds"), os.environ.get("PYTHONPATH")))
            ),
        }
        with serving(Path(folder) / "home", settings={**UNLIMITED, **SETTINGS, **watched}) as server:
            idle, *costs = sent(server, holds, arguments)
    if not (arguments.only or arguments.rooms):
        report("hostile_inputs", figures(costs, idle))


if __name__ == "__main__":
    main()
