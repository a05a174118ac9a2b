"""Requests a second and CPU a request through the gateway, against the LiteLLM proxy, before the same stub endpoint.

    python benchmarks/proxy_overhead.py [--pairs 5] [--requests 400] [--litellm PYTHON] [--profile FILE]

Both proxies run as one process, check a stored key and its limits at every request, and write down what it cost. Ours
does more: its keys, call and answer events are commits in SQLite, and input and output guards, traces, redaction, the
log of requests, the answer cache and the watch for drift are on, as by default; beside it the same with these off
(``bare``), which is nearest to what LiteLLM does. LiteLLM keeps keys and spend in Postgres through Prisma, whose
engine is not to be had from package indexes: here its keys come from a table in memory, limits are its own, and spend
is appended to a file, which is less work. Each round sends requests of 32 clients that wait for their answers; the
stub and the client are processes of their own, and cost both sides the same. LiteLLM lives in an environment of its
own below the cache folder, which the first run makes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from _report import Figure, report, skip
from _server import UNLIMITED, cpu_seconds, serving
from _stats import alternate, ratios

ROOT = Path(__file__).parent.parent
PEER = ("litellm[proxy]==1.105.0",)
CLIENTS = 32
KEY = "sk-benchmark"
AUTHENTICATE = """
import json
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth

KEYS = {"sk-benchmark": {"rpm_limit": 100000000, "tpm_limit": 1000000000000}}


async def check(request, api_key):
    found = KEYS.get(api_key)
    if found is None:
        raise Exception("unknown key")
    return UserAPIKeyAuth(api_key=api_key, **found)


class Spend(CustomLogger):
    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        usage = response_obj.usage.model_dump() if response_obj is not None else {}
        line = {"model": kwargs["model"], "usage": usage, "cost": kwargs.get("response_cost"), "at": str(end_time)}
        with open("spend.jsonl", "a") as file:
            file.write(json.dumps(line, default=str) + "\\n")


spend = Spend()
"""


@dataclass(frozen=True, slots=True)
class Round:
    """Requests a second, milliseconds of the proxy's CPU a request."""

    rate: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy under load: base URL, key, process."""

    url: str
    key: str
    pid: int

    def round(self, requests: int, *, stream: bool, seed: int) -> Round:
        """Send so many requests. Raises ``RuntimeError`` where one is not answered."""
        before = cpu_seconds(self.pid)
        arguments = [self.url, self.key, str(requests), str(int(stream)), str(seed)]
        done = subprocess.run(
            [sys.executable, __file__, "--client", *arguments], capture_output=True, text=True, timeout=300, check=False
        )
        if done.returncode:
            raise RuntimeError(f"the load failed: {done.stderr[-1000:]}")
        used = cpu_seconds(self.pid) - before
        return Round(requests / float(done.stdout), 1000 * used / requests)


async def client(url: str, key: str, requests: int, stream: bool, seed: int) -> None:
    """Send ``requests`` by 32 clients and print the seconds that it took."""
    import aiohttp

    numbers = iter(range(requests))
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    async def caller(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            question = f"Number {seed}-{number}: what is the weather like today, and is it a day for a walk?"
            body = {"model": "stub", "messages": [{"role": "user", "content": question}], "max_tokens": 32}
            data = json.dumps(body | ({"stream": True} if stream else {})).encode()
            async with session.post(f"{url}/v1/chat/completions", data=data, headers=headers) as answer:
                text = await answer.read()
                if answer.status != 200 or b"river" not in text:
                    raise RuntimeError(f"{answer.status}: {text[:300]!r}")

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CLIENTS)) as session:
        began = time.perf_counter()
        await asyncio.gather(*(caller(session) for _ in range(CLIENTS)))
        print(time.perf_counter() - began)


@contextmanager
def stub() -> Iterator[str]:
    """The endpoint's base URL."""
    command = [sys.executable, str(Path(__file__).with_name("proxy_stub.py"))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


# All that a proxy can do without, off.
BARE = {
    "MAINSPRING_GUARDS__INJECTION": "off",
    "MAINSPRING_GUARDS__PII_INPUT": "off",
    "MAINSPRING_GUARDS__PII_OUTPUT": "off",
    "MAINSPRING_TELEMETRY__TRACING": "false",
    "MAINSPRING_TELEMETRY__LOG_REQUESTS": "off",
    "MAINSPRING_SERVING__CACHE_RESPONSES": "false",
    "MAINSPRING_MONITOR__DRIFT__ENABLED": "false",
}


@contextmanager
def ours(
    home: Path,
    upstream: str,
    python: Sequence[str] = (),
    changes: Mapping[str, str] | None = None,
    interpreter: str = sys.executable,
) -> Iterator[Proxy]:
    """Our gateway before ``upstream``."""
    settings = {
        **UNLIMITED,
        **(changes or {}),
        "MAINSPRING_MODELS__CHAT": "[]",
        "MAINSPRING_MODELS__REMOTE": json.dumps({"stub": {"url": upstream, "model": "stub", "api_key": "sk-up"}}),
    }
    with serving(home, settings=settings, python=python, interpreter=interpreter) as server:
        yield Proxy(server.url, server.key, server.pid)


@contextmanager
def theirs(folder: Path, upstream: str, python: Path) -> Iterator[Proxy]:
    """LiteLLM's proxy before ``upstream``."""
    parameters = {"model": "openai/stub", "api_base": upstream, "api_key": "sk-up"}
    configuration = {
        "model_list": [{"model_name": "stub", "litellm_params": parameters}],
        "litellm_settings": {"callbacks": "peer.spend"},
        "general_settings": {"custom_auth": "peer.check", "master_key": "sk-the-master-of-this-benchmark"},
    }
    (folder / "config.yaml").write_text(json.dumps(configuration), encoding="utf-8")
    (folder / "peer.py").write_text(AUTHENTICATE, encoding="utf-8")
    port = _free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAINSPRING_")}
    environment |= {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_DOCS": "True"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [str(python.with_name("litellm")), "--config", "config.yaml", "--port", str(port), "--telemetry", "False"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(f"{url}/health/liveliness", process, folder / "log")
            yield Proxy(url, KEY, process.pid)
        finally:
            process.kill()
            process.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
    raise RuntimeError(f"LiteLLM did not start: {log.read_text(encoding='utf-8')[-2000:]}")


def peer_python() -> Path:
    """The Python of LiteLLM's environment, made where it is missing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mainspring" / "peers" / "litellm"
    python = cache / "bin" / "python"
    if not python.exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([str(uv), "venv", "--quiet", str(cache)], check=True)
        installed = subprocess.run([str(uv), "pip", "install", "--quiet", "--python", str(python), *PEER], check=False)
        if installed.returncode:
            skip(f"{PEER[0]} cannot be installed")
    return python


def measure(we: Proxy, bare: Proxy, they: Proxy, requests: int, pairs: int) -> Mapping[str, Figure]:
    """All in turns, whole answers and streams."""
    figures: dict[str, Figure] = {}
    for name, stream in (("whole answers", False), ("streams", True)):
        less: list[Round] = []

        def both(seed: int, stream: bool = stream, less: list[Round] = less) -> Round:
            full = we.round(requests, stream=stream, seed=seed)
            less.append(bare.round(requests, stream=stream, seed=seed))
            return full

        mine, peer = alternate(
            both,
            lambda seed, stream=stream: they.round(max(64, requests // 8), stream=stream, seed=seed),  # type: ignore[misc]
            pairs,
        )
        rate = ratios([each.rate for each in mine], [each.rate for each in peer])
        cpu = ratios([each.cpu_ms for each in peer], [each.cpu_ms for each in mine])
        said = f"LiteLLM 1.105, {statistics.median(each.rate for each in peer):.0f} requests/s; {pairs} pairs, "
        figures[f"requests a second, {name}"] = Figure(
            rate.median, "ratio", "higher", floor=15, aim=30, against=said + rate.text(1)
        )
        figures[f"CPU of a request, {name}"] = Figure(
            cpu.median,
            "ratio",
            "higher",
            against=f"LiteLLM's {statistics.median(each.cpu_ms for each in peer):.1f} ms over ours, "
            f"{statistics.median(each.cpu_ms for each in mine):.2f} ms; {cpu.text(1)}",
        )
        figures[f"bare: requests a second, {name}"] = Figure(
            ratios([each.rate for each in less], [each.rate for each in peer]).median,
            "ratio",
            "higher",
            against=f"LiteLLM; {statistics.median(each.cpu_ms for each in less):.2f} ms of CPU a request are ours",
        )
        figures[f"through the gateway, {name}"] = Figure(
            statistics.median(each.rate for each in mine), "requests/s", "higher"
        )
    return figures


def profile(target: Path, requests: int) -> None:
    """Load our side under cProfile and print what it spent its time on."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        upstream = stack.enter_context(stub())
        proxy = stack.enter_context(ours(home, upstream, ["-m", "cProfile", "-o", str(target.resolve())]))
        proxy.round(requests, stream=False, seed=1)
    statistics_of = pstats.Stats(str(target))
    statistics_of.sort_stats("tottime").print_stats(45)
    statistics_of.sort_stats("cumulative").print_stats(70)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2000, help="of ours a round; LiteLLM gets an eighth")
    parser.add_argument("--litellm", type=Path, help="Python of an environment that has LiteLLM")
    parser.add_argument("--profile", type=Path, help="profile our side into this file instead")
    parser.add_argument("--alone", action="store_true", help="our side only; writes no result")
    parser.add_argument("--client", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client:
        import uvloop

        url, key, requests, stream, seed = options.client
        uvloop.run(client(url, key, int(requests), stream == "1", int(seed)))
        return
    if options.profile:
        profile(options.profile, options.requests)
        return
    with ExitStack() as stack:
        home, second, folder = (Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(3))
        upstream = stack.enter_context(stub())
        we = stack.enter_context(ours(home, upstream))
        we.round(64, stream=False, seed=90)
        if options.alone:
            for stream in (False, True):
                for seed in range(options.pairs):
                    print(stream, we.round(options.requests, stream=stream, seed=seed))
            return
        bare = stack.enter_context(ours(second, upstream, changes=BARE))
        bare.round(64, stream=False, seed=90)
        they = stack.enter_context(theirs(folder, upstream, options.litellm or peer_python()))
        they.round(64, stream=False, seed=91)
        figures = measure(we, bare, they, options.requests, options.pairs)
        if not (folder / "spend.jsonl").exists():
            raise RuntimeError("LiteLLM wrote no spend down")
    report("proxy_overhead", figures)


if __name__ == "__main__":
    main()
