"""The checks of one client: each calls the server as the client's documentation says, and looks at what comes back.

Needs the standard library only: it runs in the client's environment. ``run()`` prints one JSON line a check.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.metadata
import inspect
import json
import os
import pwd
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

URL = os.environ.get("CLIENTS_URL", "http://127.0.0.1:8000")
KEY = os.environ.get("CLIENTS_KEY", "")
BASE = URL + "/v1"
ADK = "http://127.0.0.1:18377"
"""Where the server looks for the agent ``adk`` of its configuration, which the checks of google-adk serve."""
SCRIPTED, SMALL, COLLECTION = "scripted", "smollm2-135m-instruct", "handbook"
DRAWING = "drawing"
"""A provider's model that makes images."""
CLAUDE = "claude-sonnet-4-5"
"""A route to ``scripted`` under a name that clients know from Anthropic."""
EMBEDDER, RERANKER = "all-minilm-l6-v2", "late:all-minilm-l6-v2"
QUESTION = "How often should I replace the screens of the Tarn press?"
"""The handbook answers it: every 9 months."""
PARIS = 'CALL get_weather {"city": "Paris"}'
BOTH = PARIS + '\nCALL get_weather {"city": "Rome"}'
"""What the model ``scripted`` takes as one call, and as two."""

_checks: list[tuple[str, Callable[[], Any]]] = []


class Refused(Exception):
    """The server refused by name what it cannot honour, and the client told it as it tells a wrong request."""


class Skipped(Exception):
    """The check needs what this machine does not have."""


def imported(log: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The experiments that `mainspring eval import-log` makes of a log, in a home of their own."""
    root = Path(__file__).resolve().parents[3]
    command = [str(root / ".venv/bin/python"), "-m", "mainspring", "eval", "import-log", os.fspath(log), "--json"]
    with tempfile.TemporaryDirectory() as home:
        # Nothing of the client's environment may be found instead, which has a home of its own.
        environment = {"PATH": os.environ["PATH"], "HOME": pwd.getpwuid(os.getuid()).pw_dir, "MAINSPRING_HOME": home}
        ran = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-600:]
    found: list[dict[str, Any]] = json.loads(ran.stdout)["data"]["experiments"]
    return found


def check(name: str, variants: Mapping[str, Any] | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a check, whose name is ``area.what``; or one for each of ``variants``, which is the area and the
    function's argument."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        if variants is None:
            _checks.append((name, function))
        for area, variant in (variants or {}).items():
            _checks.append((f"{area}.{name}", functools.partial(function, variant)))
        return function

    return register


def refused(named: str, call: Callable[[], Any], error: type[BaseException] | tuple[type[BaseException], ...]) -> None:
    """``call`` must fail with ``error``, and its text must name what was refused. Ends the check."""
    honoured_or_refused(named, call, error)
    raise AssertionError(f"{named} was neither honoured nor refused")


def honoured_or_refused(
    named: str, call: Callable[[], Any], error: type[BaseException] | tuple[type[BaseException], ...]
) -> Any:
    """The answer of ``call``; it may be refused with an ``error`` that names what was refused, which ends the check."""
    try:
        return call()
    except error as caught:
        told = str(caught)
    if named not in told:
        raise AssertionError(f"the refusal does not name {named}: {told}")
    raise Refused(told[:300])


def raises(error: type[BaseException], call: Callable[[], Any]) -> Any:
    """The ``error`` that ``call`` raises."""
    try:
        call()
    except error as caught:
        return caught
    raise AssertionError(f"no {error.__name__} was raised")


def run(client: str, *packages: str) -> None:
    """Run every check (or those whose name begins with an argument of the command line) and tell their outcomes."""
    versions = {package: importlib.metadata.version(package) for package in packages}
    print(json.dumps({"client": client, "versions": versions}), flush=True)
    # One loop for all: clients keep connections of theirs.
    loop = asyncio.new_event_loop()
    for name, function in _checks:
        if len(sys.argv) > 1 and not name.startswith(tuple(sys.argv[1:])):
            continue
        begun, outcome, detail = time.perf_counter(), "passed", ""
        try:
            answer = function()
            if inspect.isawaitable(answer):
                loop.run_until_complete(answer)
        except (Refused, Skipped) as caught:
            outcome, detail = type(caught).__name__.lower(), str(caught)
        except BaseException as caught:
            outcome, detail = "failed", _told(caught)
        took = round(time.perf_counter() - begun, 2)
        print(json.dumps({"call": name, "outcome": outcome, "detail": detail, "seconds": took}), flush=True)
    # Clients leave threads behind that would keep the process.
    sys.stdout.flush()
    os._exit(0)


def _told(error: BaseException) -> str:
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tests/clients/scripts/" in frame.filename]
    where = f" (line {own[-1].lineno}: {own[-1].line})" if own else ""
    return f"{type(error).__name__}: {error}"[:600] + where
