"""A server for the clients: embedded defaults, the small model, the sample handbook, and the models ``scripted`` and
``drawing``, which is a provider's and makes images."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import HANDBOOK, ROOT, Server, start_server, stop_server

# Not ``grounded``: it writes no answers of collections.
SCRIPTED = {"provider": "scripted", "model": "scripted", "context_window": 200_000, "grounded": False}
ADK = "http://127.0.0.1:18377"
"""The same in ``scripts/checks.py``."""
_ENTRY_POINT = "[mainspring.plugins]\nscripted = tests.clients.scripted_model\ntck = tests.clients.peers.a2a_agent\n"
_METADATA = "Metadata-Version: 2.1\nName: mainspring-scripted\nVersion: 0\n"


@contextmanager
def beside(module: str) -> Iterator[str]:
    """A program of the tests in a process of its own, until the block ends; the address that it prints first."""
    own = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-m", module], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=own)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def running(home: Path, **settings: str) -> Iterator[Server]:
    """The server, until the block ends; ``home`` is an empty folder of its own, ``settings`` are further variables."""
    plugin = home / "plugin" / "mainspring_scripted-0.dist-info"
    plugin.mkdir(parents=True)
    (plugin / "entry_points.txt").write_text(_ENTRY_POINT)
    (plugin / "METADATA").write_text(_METADATA)
    own = {
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT), str(plugin.parent)]),
        "MAINSPRING_MODELS__REMOTE": json.dumps({"scripted": SCRIPTED}),
        "MAINSPRING_SERVING__REQUESTS_PER_MINUTE": "100000",
        "MAINSPRING_SERVING__TOKENS_PER_MINUTE": "100000000",
        # Answers are as long as their clients ask for.
        "MAINSPRING_SERVING__DEFAULT_OUTPUT_TOKENS": "null",
        # Harnesses ask for the log-probabilities of prompts, which a prefix cache does not read again.
        "MAINSPRING_ENGINES__PREFIX_CACHE": "false",
        # Checks of refusals send wrong keys.
        "MAINSPRING_GATEWAY__ADDRESSES__FAILURES_PER_MINUTE": "0",
        # Some clients of Anthropic's take its names of models only.
        "MAINSPRING_SERVING__ROUTES": json.dumps({"claude-sonnet-4-5": {"arms": {"all": {"model": "scripted"}}}}),
        "MAINSPRING_A2A__AGENTS": json.dumps({"adk": {"url": ADK, "description": "Repeats."}}),
    }
    with beside("tests.image_provider") as painter:
        drawing = {"url": painter, "model": "paint-1", "operations": ["generations", "edits", "variations"]}
        own["MAINSPRING_IMAGES__MODELS"] = json.dumps({"drawing": drawing | {"usd_per_image": 0.01}})
        server = start_server(home / "home", "--ingest", str(HANDBOOK), **own | settings)
        try:
            yield server
        finally:
            stop_server(server)
