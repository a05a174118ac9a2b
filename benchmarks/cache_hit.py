"""How long an answer from the cache takes over HTTP, and what the server spends on it.

    python benchmarks/cache_hit.py [--hits 300]

One answer is generated and asked for again and again over one connection: by the same question (exact; kept in memory
and a file, or in a Redis of the benchmark's own where ``redis-server`` is installed), and by the question in other
words (semantic: one embedding, the search and the rules). Times are absolute: they mean something on a quiet machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from _report import Figure, report
from _server import UNLIMITED, Server, cpu_seconds, serving

MODEL = "smollm2-135m-instruct"
ASKED, AGAIN = "How do I return a grinder?", "How can I return the grinder?"


class Client:
    """One connection to a server."""

    def __init__(self, server: Server) -> None:
        parts = urlsplit(server.url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)
        self._headers = {"authorization": f"Bearer {server.key}", "content-type": "application/json"}

    def ask(self, question: str) -> tuple[float, str]:
        """(seconds to the whole answer, the ``x-cache`` header)"""
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": question}],
            "temperature": 0,
            "max_tokens": 200,
            "stop": ["."],
        }
        began = time.perf_counter()
        self._connection.request("POST", "/v1/chat/completions", json.dumps(body), self._headers)
        response = self._connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"status {response.status}")
        return time.perf_counter() - began, str(response.headers["x-cache"])


def measure(server: Server, question: str, outcome: str, hits: int) -> tuple[float, float, float]:
    """(p50, p95) in milliseconds of answers that say ``outcome``, and the server's CPU milliseconds an answer."""
    client = Client(server)
    client.ask(ASKED)
    time.sleep(0.5)
    for _ in range(10):
        client.ask(question)
    before = cpu_seconds(server.pid)
    found = [client.ask(question) for _ in range(hits)]
    cpu = (cpu_seconds(server.pid) - before) / hits
    if {cache for _, cache in found} != {outcome}:
        raise RuntimeError(f"not all answers were {outcome}: {sorted({cache for _, cache in found})}")
    times = sorted(seconds for seconds, _ in found)
    return 1000 * statistics.median(times), 1000 * times[int(0.95 * len(times))], 1000 * cpu


@contextmanager
def redis(folder: Path) -> Iterator[str | None]:
    """The address of a Redis server; None where none is installed."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def main(hits: int) -> None:
    figures: dict[str, Figure] = {}

    def add(label: str, measured: tuple[float, float, float], *, floor: float | None, aim: float | None) -> None:
        p50, p95, cpu = measured
        figures[f"{label}: p50"] = Figure(
            p50, "ms", "lower", floor=floor, aim=aim, against=f"{hits} answers, one connection"
        )
        figures[f"{label}: p95"] = Figure(p95, "ms", "lower")
        figures[f"{label}: server CPU"] = Figure(cpu, "ms", "lower", against="an answer")

    settings = {**UNLIMITED, "MAINSPRING_SERVING__SEMANTIC_CACHE": "true"}
    with tempfile.TemporaryDirectory() as folder:
        for name in ("plain", "semantic", "redis", "store"):
            (Path(folder) / name).mkdir()
        with serving(Path(folder) / "plain", settings=UNLIMITED) as server:
            add("exact hit", measure(server, ASKED, "hit", hits), floor=3, aim=1.5)
        with serving(Path(folder) / "semantic", settings=settings) as server:
            add("semantic hit", measure(server, AGAIN, "semantic", hits), floor=None, aim=None)
        with redis(Path(folder) / "store") as url:
            if url is not None:
                shared = {**UNLIMITED, "MAINSPRING_STORES__REDIS": url, "MAINSPRING_STORES__CACHE": "redis"}
                with serving(Path(folder) / "redis", settings=shared) as server:
                    add("exact hit in Redis", measure(server, ASKED, "hit", hits), floor=None, aim=None)
    report("cache_hit", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hits", type=int, default=300)
    main(parser.parse_args().hits)
