"""A server of its own for a benchmark: ``mainspring up`` in an empty home, and what its processes use."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_TICKS = os.sysconf("SC_CLK_TCK")
# The limits of a key would be what is measured.
UNLIMITED = {
    "MAINSPRING_SERVING__REQUESTS_PER_MINUTE": "1000000000",
    "MAINSPRING_SERVING__TOKENS_PER_MINUTE": "1000000000",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: base URL, admin key ("" where the home had one already) and process id."""

    url: str
    key: str
    pid: int


def environment(home: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a server in ``home``: the defaults, but for where the caller's models lie."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MAINSPRING_") or name.startswith("MAINSPRING_MODELS__")
    }
    # The small model is what figures are of, and nothing is pulled beside what is measured.
    small = {"MAINSPRING_MODELS__LARGER": ""}
    return small | kept | {"MAINSPRING_HOME": str(home), "PYTHONUNBUFFERED": "1"} | dict(settings or {})


def spawn(
    home: Path,
    *arguments: str,
    port: int = 0,
    python: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    interpreter: str = sys.executable,
) -> subprocess.Popen[str]:
    """Start ``mainspring up``, which writes to a pipe. ``python`` are arguments before ``-m mainspring``;
    ``interpreter`` may belong to another installation, which is started then."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return subprocess.Popen(
        [interpreter, *python, "-m", "mainspring", "up", "--port", str(port), *arguments],
        env=environment(home, settings),
        # A mainspring.yaml of the caller's folder is not what is measured.
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def serving(
    home: Path,
    *arguments: str,
    python: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
    patience_s: float = 180.0,
    interpreter: str = sys.executable,
) -> Iterator[Server]:
    """A ready server while the block runs. Raises ``RuntimeError`` with its output when it does not start."""
    process = spawn(home, *arguments, python=python, settings=settings, interpreter=interpreter)
    watchdog = threading.Timer(patience_s, process.kill)
    watchdog.start()
    try:
        url, key = _address(process)
        _wait_ready(url, process)
        watchdog.cancel()
        yield Server(url, key, process.pid)
    finally:
        watchdog.cancel()
        stop(process)


def stop(process: subprocess.Popen[str]) -> None:
    """SIGTERM, time to close, SIGKILL."""
    process.terminate()
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def cpu_seconds(pid: int) -> float:
    """CPU seconds that a process and its threads have used, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mb(pid: int) -> float:
    """Memory of a process and of all below it in MB; pages that several share count once among them (PSS)."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # ended while the folder was read
            continue
    family, found = {pid}, 0
    while len(family) > found:
        found = len(family)
        family |= {child for child, parent in parents.items() if parent in family}
    total = 0
    for each in family:
        for line in Path(f"/proc/{each}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1000


def engine_child(pid: int, module: str = "mainspring.engines.openvino.child") -> int:
    """Process id of the engine's process below ``pid``, which runs ``module``. Raises ``LookupError``: none does."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == pid and b"--fd" in command and module.encode() in command:
            return int(entry.name)
    raise LookupError(f"process {pid} has no engine process")


def _address(process: subprocess.Popen[str]) -> tuple[str, str]:
    output, url, pipe = "", "", process.stdout
    assert pipe is not None
    for line in pipe:
        output += line
        if found := re.search(r"serves on (http://\S+)", line):
            url = found[1]
        if url and "admin key" in line.lower():
            threading.Thread(target=_drain, args=(pipe,), daemon=True).start()
            secret = re.search(r"(ms-\S+)", line)
            return url, secret[1] if secret else ""
    raise RuntimeError(f"the server did not start:\n{output}")


def _drain(pipe: IO[str]) -> None:
    try:
        for _ in pipe:
            pass
    except ValueError:
        # It was closed: the server has stopped.
        return


def _wait_ready(url: str, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=10):
                return
        except urllib.error.HTTPError as error:
            error.close()
            time.sleep(0.1)
    raise RuntimeError(f"the server ended with status {process.returncode} before it was ready")


def chat(model: str, prompt: str, max_tokens: int, **more: object) -> bytes:
    """The body of a streamed greedy chat request of a fixed length that no cache may answer."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": max_tokens,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
        "options": {"cache": False},
        **more,
    }
    return json.dumps(body).encode()
