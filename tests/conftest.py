"""Fixtures that every room's tests share: the data sets, the handbook, and a real server in its own process."""

from __future__ import annotations

import os

# Before NumPy is there, and for whatever tests start: after each product its other threads wait for more by spinning,
# for some 25 ms of CPU, and most products take less than one.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import gc
import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import pytest

from mainspring.cli.serve import heap
from tests import redis_server, slowness
from tests.command_tree import commands_read_once as commands_read_once
from tests.databases import migrated as migrated
from tests.databases import schemas_made_once as schemas_made_once
from tests.encoders import encoders_compiled_once as encoders_compiled_once
from tests.one_day import one_day as one_day
from tests.surroundings import SMALL, neutral

neutral(os.environ)
# Nothing that is imported and collected is garbage; see ``pytest_collection_finish``.
gc.disable()

# A busy machine must not fail a property by the clock, nor a rare draw a change that has nothing to do with it.
hypothesis.settings.register_profile("mainspring", deadline=None, max_examples=50, derandomize=True)
# Draws anew each time: `make test ARGS=--hypothesis-profile=nightly`
hypothesis.settings.register_profile("nightly", deadline=None, max_examples=1_000)
hypothesis.settings.load_profile("mainspring")

ROOT = Path(__file__).parent.parent
HANDBOOK = ROOT / "samples" / "handbook"
ARMS = {"stable": {"model": "smollm2-135m-instruct"}, "canary": {"model": "smollm2-135m-instruct"}}
"""Of the route ``helper``: both the default model, so that both can answer."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Marks them before ``-m`` chooses, and arranges those that it has chosen."""
    slowness.mark(items)
    yield
    slowness.arrange(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def pytest_collection_finish() -> None:
    """What stands now stands to the end: the garbage collector looks at what comes later only, and as seldom as in a
    server. It took a sixth of the suite's time."""
    heap.started()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of public data sets; docs/reference/benchmarks-data.md says where each comes from."""
    folder = os.environ.get("MAINSPRING_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MAINSPRING_DATA does not name the folder of public data sets (docs/reference/benchmarks-data.md)")
    return Path(folder)


@pytest.fixture
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents are read and cut within the tests' process, without a child."""
    from mainspring.rag.workers import Workers
    from tests.reading import ask_here

    monkeypatch.setattr(Workers, "ask", ask_here)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis server: the one that ``MAINSPRING_STORES__REDIS`` names, or one of the tests' own."""
    if named := os.environ.get("MAINSPRING_STORES__REDIS"):
        # A database of it for each process of tests: some begin by emptying theirs.
        number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
        yield urlsplit(named)._replace(path=f"/{number}").geturl()
        return
    if redis_server.PROGRAM is None:
        pytest.skip(redis_server.MISSING)
    server = redis_server.RedisServer(tmp_path_factory.mktemp("redis"))
    yield server.url
    server.kill()


@dataclass
class Server:
    """A running ``mainspring up``: its address, its first admin key, its process and what it printed."""

    url: str
    key: str
    process: subprocess.Popen[str]
    output: str
    environment: dict[str, str]

    def call(self, method: str, path: str, body: object = None, key: str | None = None) -> tuple[int, dict]:  # type: ignore[type-arg]
        """(status, JSON body) of one request."""
        status, _, content = self.raw(method, path, body, key)
        return status, json.loads(content)

    def raw(
        self,
        method: str,
        path: str,
        body: object = None,
        key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body); a ``bytes`` body is sent as it is."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        sent = {"authorization": f"Bearer {self.key if key is None else key}", "content-type": "application/json"}
        request = urllib.request.Request(self.url + path, data, sent | (headers or {}), method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()


def start_server(home: Path, *arguments: str, **settings: str) -> Server:
    """Start ``mainspring up`` on a free port and wait until it has said its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINSPRING_")}
    environment |= {"MAINSPRING_HOME": str(home), "PYTHONUNBUFFERED": "1", **SMALL, **settings}
    process = subprocess.Popen(
        [sys.executable, "-m", "mainspring", "up", "--port", "0", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    output = ""
    for line in process.stdout:
        output += line
        if "admin key" in line.lower():
            break
    address = re.search(r"serves on (http://\S+)", output)
    assert address, f"the server did not start:\n{output}"
    secret = re.search(r"hashed: (ms-\S+)", output)
    server = Server(address[1], secret[1] if secret else "", process, output, environment)
    try:
        wait_ready(server)
    except BaseException:
        # Nobody else knows of it who could end it.
        stop_server(server)
        raise
    return server


def wait_ready(server: Server, seconds: float = 60.0) -> None:
    """Wait for ``/readyz``."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.raw("GET", "/readyz")[0] == 200:
            return
        time.sleep(0.1)
    raise AssertionError("the server did not become ready")


def stop_server(server: Server) -> int:
    """SIGTERM, and the exit status."""
    server.process.terminate()
    try:
        return server.process.wait(40)
    finally:
        server.process.kill()
        if server.process.stdout is not None:
            server.process.stdout.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real thing with the default models and the sample handbook in it."""
    running = start_server(
        tmp_path_factory.mktemp("home"),
        "--ingest",
        str(HANDBOOK),
        MAINSPRING_SERVING__REQUESTS_PER_MINUTE="100000",
        MAINSPRING_SERVING__TOKENS_PER_MINUTE="100000000",
        # Tests of refusals send more wrong keys than anybody should.
        MAINSPRING_GATEWAY__ADDRESSES__FAILURES_PER_MINUTE="0",
        MAINSPRING_PRICES__MODELS=json.dumps({"all-minilm-l6-v2": {"input": 0.02}}),
        MAINSPRING_SERVING__ROUTES=json.dumps({"helper": {"arms": ARMS}}),
        MAINSPRING_SUPPORT__SHOP="sample",
        MAINSPRING_IMPROVE__EVERY_S="1",
        MAINSPRING_TRIALS__EVERY_S="1",
    )
    yield running
    stop_server(running)
