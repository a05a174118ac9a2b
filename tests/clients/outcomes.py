"""What a client's script tells of its checks, and whose fault a failure is."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tests.clients import known
from tests.clients.environments import Environment
from tests.clients.families import SCRIPTS, Family

LIMIT_S = 600
"""Seconds that a client's script may take."""


@dataclass(frozen=True)
class Outcome:
    """Of one check: ``passed``, ``failed``, ``refused`` (by name, as it must be) or ``skipped``."""

    client: str
    call: str
    outcome: str
    detail: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def fault(self) -> Literal["", "client", "mainspring"]:
        """Whose a failure is: ours, unless ``known.py`` says why not."""
        if self.outcome != "failed":
            return ""
        return "client" if known.reason(self) else "mainspring"


def checked(family: Family, environment: Environment, url: str, key: str, areas: Sequence[str] = ()) -> list[Outcome]:
    """Run a client's script and read what it tells. A script that ends early fails as a check of its own."""
    script = environment.folder / family.script if family.node else SCRIPTS / family.script
    ran = run([*environment.command, str(script), *areas], environment.folder, url, key)
    client: str = family.name
    versions: dict[str, str] = {}
    outcomes: list[Outcome] = []
    for line in ran.stdout.splitlines():
        told = _told(line)
        if "client" in told:
            client, versions = told["client"], told["versions"]
        elif "call" in told:
            outcomes.append(Outcome(client, told["call"], told["outcome"], told["detail"], versions))
    if ran.returncode:
        outcomes.append(Outcome(client, f"{family.script} to its end", "failed", ran.stderr[-600:], versions))
    return outcomes or [Outcome(client, family.script, "failed", f"it told nothing: {ran.stderr[-600:]}")]


def run(command: Sequence[str], folder: Path, url: str, key: str) -> subprocess.CompletedProcess[str]:
    """A client's program in its environment. ``CLIENTS_URL`` and ``CLIENTS_KEY`` are the server's address and key."""
    aside = ("OPENAI_", "ANTHROPIC_", "MAINSPRING_", "VIRTUAL_ENV", "PYTHONPATH", "LLM_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(aside)}
    environment |= {"CLIENTS_URL": url, "CLIENTS_KEY": key, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(folder)}
    environment |= {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
        return subprocess.CompletedProcess(list(command), 124, said, f"it was not done within {LIMIT_S} s")


def _told(line: str) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
