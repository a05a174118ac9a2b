"""How many files, functions, lines and hops of our code one chat request passes in the server's process.

    python benchmarks/request_path.py [--requests 7] [--other CHECKOUT/src]

A server with the default chat model answers the same short question over HTTP, as a whole, and no cache may answer.
The profiler counts the calls of our functions in the tasks of the request and in threads that have its context:
``calls`` (each resumption of a coroutine is one), ``functions``, the ``lines`` of those, ``files``, and ``hops``, the
calls from a function of ours in another file. Background work of the server is not counted. Medians over the requests.
``--other`` is the source of an earlier version, which answers the same with these packages.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import time
import urllib.request
from pathlib import Path

from _report import Figure, report
from _server import UNLIMITED, Server, serving
from _stats import Spread

MODEL = "smollm2-135m-instruct"
HERE = Path(__file__).parent.parent / "src"
MEASURES = ("files", "functions", "lines", "calls", "hops")
# Python imports it at the start of the server, whichever version that is.
HOOK = """
import contextvars, json, os, signal, sys, threading

request = contextvars.ContextVar("request", default=False)
ours = os.environ["REQUEST_PATH_SOURCE"]
seen, on = {}, False

def profile(frame, event, _):
    if not on or event != "call":
        return
    code = frame.f_code
    if code.co_name == "run_asgi":
        # The task of uvicorn that answers: those that it starts have its context.
        request.set(True)
    if not request.get() or not code.co_filename.startswith(ours):
        return
    back = frame.f_back
    while back is not None and not back.f_code.co_filename.startswith(ours):
        back = back.f_back
    calls = seen.setdefault(code, [0, 0])
    calls[0] += 1
    calls[1] += back is not None and back.f_code.co_filename != code.co_filename

def begin(*_):
    global on
    seen.clear()
    on = True
    sys.setprofile(profile)

def end(*_):
    global on
    sys.setprofile(None)
    on = False
    lines = sum(max(line or 0 for *_, line in code.co_lines()) - code.co_firstlineno + 1 for code in list(seen))
    counts = {
        "files": len({code.co_filename for code in seen}), "functions": len(seen), "lines": lines,
        "calls": sum(each[0] for each in seen.values()), "hops": sum(each[1] for each in seen.values()),
    }
    with open(os.environ["REQUEST_PATH_COUNTS"] + ".new", "w") as file:
        json.dump(counts, file)
    os.replace(file.name, os.environ["REQUEST_PATH_COUNTS"])

if sys.argv[0] == "-m" or "mainspring" in " ".join(sys.orig_argv):
    threading.setprofile(profile)
    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
"""


def measured(source: Path, requests: int) -> dict[str, list[int]]:
    """The counts of each request, by measure."""
    with tempfile.TemporaryDirectory() as folder:
        place, counts = Path(folder), Path(folder) / "counts.json"
        (place / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
        settings = {
            **UNLIMITED,
            "PYTHONPATH": os.pathsep.join((folder, str(source))),
            "REQUEST_PATH_SOURCE": str(source),
            "REQUEST_PATH_COUNTS": str(counts),
        }
        found: dict[str, list[int]] = {name: [] for name in MEASURES}
        with serving(place / "home", settings=settings) as server:
            for number in range(requests + 3):
                one = counted(server, counts, number)
                # The first ones fill caches.
                for name in MEASURES if number >= 3 else ():
                    found[name].append(one[name])
        return found


def counted(server: Server, counts: Path, number: int) -> dict[str, int]:
    """The counts of one request."""
    os.kill(server.pid, signal.SIGUSR1)
    time.sleep(0.2)
    ask(server, number)
    time.sleep(0.3)
    os.kill(server.pid, signal.SIGUSR2)
    while not counts.exists():
        time.sleep(0.05)
    found: dict[str, int] = json.loads(counts.read_text(encoding="utf-8"))
    counts.unlink()
    return found


def ask(server: Server, number: int) -> None:
    """A chat request of eight tokens."""
    messages = [{"role": "user", "content": f"Name a river, please, number {number}."}]
    body = {"model": MODEL, "messages": messages, "max_tokens": 8, "temperature": 0, "options": {"cache": False}}
    headers = {"authorization": f"Bearer {server.key}", "content-type": "application/json"}
    asked = urllib.request.Request(f"{server.url}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(asked, timeout=120) as answer:
        answer.read()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=7)
    parser.add_argument("--other", type=Path, help="the source of an earlier version")
    options = parser.parse_args()
    mine = measured(HERE, options.requests)
    theirs = measured(options.other.resolve(), options.requests) if options.other else None
    figures = {}
    for name in MEASURES:
        spread = Spread.of([float(each) for each in mine[name]])
        against = f"{options.requests} requests, {spread.text()}"
        if theirs is not None:
            against += f"; the earlier version {Spread.of([float(each) for each in theirs[name]]).text()}"
        figures[name] = Figure(round(spread.median), "a request", "lower", against=against)
    report("request_path", figures)


if __name__ == "__main__":
    main()
