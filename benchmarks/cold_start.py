"""How long ``mainspring up`` takes from nothing running to the first token of an answer, and its memory then.

    python benchmarks/cold_start.py [--runs 7] [--larger-runs 3] [--other CHECKOUT/.venv/bin/python]

The clock starts when the process is spawned and stops at the first text of a streamed chat answer over HTTP. The models
are pulled and the page cache is warm: a first start, which makes the home and its admin key, is not counted. The larger
chat model has separate figures if it is on this machine: then both models are served. Memory is that of the server and
its engines after the answer. ``--other`` is the interpreter
of another checkout's environment: both versions start in turns, each in its own home, and a further figure is this
version's time over the other's, pair by pair.
"""

from __future__ import annotations

import argparse
import http.client
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from _report import Figure, report
from _server import chat, memory_mb, serving, spawn, stop
from _stats import Spread, alternate, ratios
from mainspring.core.errors import ModelError
from mainspring.core.settings import Settings
from mainspring.engines.catalogue.pull import Puller

MODEL = "smollm2-135m-instruct"
LARGER = "qwen2.5-coder-1.5b-instruct"
PATIENCE_S = 120.0
OVER_OTHER = "to the first token, over another version"


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the spawn until the server answers at all and until the first text of an answer; MB after it."""

    alive: float
    first_token: float
    memory: float


def start(home: Path, key: str, model: str = MODEL, interpreter: str = sys.executable) -> Start:
    """Start a server, ask ``model`` once, stop it. Raises ``RuntimeError`` when it ends or takes too long."""
    port = _free_port()
    began = time.perf_counter()
    larger = {"MAINSPRING_MODELS__LARGER": LARGER if model == LARGER else ""}
    process = spawn(home, port=port, settings=larger, interpreter=interpreter)
    try:
        connection = _connected(process, port, began + PATIENCE_S)
        alive = time.perf_counter() - began
        first = _first_token(connection, key, model)
        connection.close()
        return Start(alive, first - began, memory_mb(process.pid))
    finally:
        stop(process)


def _connected(process: subprocess.Popen[str], port: int, until: float) -> http.client.HTTPConnection:
    while time.perf_counter() < until and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
        try:
            connection.request("GET", "/healthz")
            response = connection.getresponse()
            response.read()
            if response.status == 200:
                return connection
        except ConnectionError:
            # Often enough to be exact, seldom enough not to take the processor from what starts.
            time.sleep(0.01)
        connection.close()
    raise RuntimeError(f"the server did not answer; exit status {process.poll()}")


def _first_token(connection: http.client.HTTPConnection, key: str, model: str) -> float:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    connection.request("POST", "/v1/chat/completions", chat(model, "Name three rivers.", 8), headers)
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(f"status {response.status}: {response.read().decode()}")
    while line := response.readline():
        if b'"content":"' in line:
            first = time.perf_counter()
            response.read()
            return first
    raise RuntimeError("the answer had no text")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _pulled(name: str) -> bool:
    try:
        Puller(Settings()).local(name)
    except ModelError:
        return False
    return True


def _home(stack: ExitStack, interpreter: str) -> tuple[Path, str]:
    """A home of that version after its first start, and its key."""
    home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    with serving(home, interpreter=interpreter) as server:
        key = server.key
    start(home, key, interpreter=interpreter)
    return home, key


def _started(home: tuple[Path, str], interpreter: str) -> Start:
    return start(*home, interpreter=interpreter)


def _memory(starts: Sequence[Start]) -> Figure:
    spread = Spread.of([each.memory for each in starts])
    return Figure(spread.median, "MB", "lower", against=f"{len(starts)} runs, {spread.text()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--larger-runs", type=int, default=3)
    parser.add_argument("--other", default="", help="the Python of another checkout's environment")
    options = parser.parse_args()
    more: dict[str, Figure] = {}
    with ExitStack() as stack:
        ours = _home(stack, sys.executable)
        if options.other:
            theirs = _home(stack, options.other)
            starts, others = alternate(lambda _: start(*ours), lambda _: _started(theirs, options.other), options.runs)
            spread = ratios([each.first_token for each in starts], [each.first_token for each in others])
            against = f"the other version; {options.runs} pairs, {spread.text()}"
            more[OVER_OTHER] = Figure(spread.median, "ratio", "lower", floor=1.05, against=against)
        else:
            starts = [start(*ours) for _ in range(options.runs)]
        larger = [start(*ours, LARGER) for _ in range(options.larger_runs if _pulled(LARGER) else 0)]
    first = Spread.of([each.first_token for each in starts])
    alive = Spread.of([each.alive for each in starts])
    if larger:
        spread = Spread.of([each.first_token for each in larger])
        label = f"to the first token of {LARGER}"
        more[label] = Figure(spread.median, "s", "lower", against=f"{len(larger)} runs, {spread.text()}")
        more[f"memory, {LARGER} beside the small model"] = _memory(larger)
    report(
        "cold_start",
        {
            **more,
            "to the first token": Figure(
                first.median, "s", "lower", floor=6.0, aim=4.0, against=f"{options.runs} runs, {first.text()}"
            ),
            "to /healthz": Figure(alive.median, "s", "lower", against=f"{options.runs} runs, {alive.text()}"),
            "memory, the small model alone": _memory(starts),
        },
    )


if __name__ == "__main__":
    main()
