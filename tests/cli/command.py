"""Runs the ``mainspring`` command as people do: in its own process, in an empty place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.surroundings import SMALL


def data(text: str) -> Any:
    """What stands in the envelope that a command which succeeded prints with ``--json``."""
    envelope = json.loads(text)
    assert envelope["ok"], envelope
    return envelope["data"]


@dataclass
class Command:
    """``command("ask", ...)`` in the folder ``place`` with its own home; ``settings`` are environment variables."""

    place: Path
    settings: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINSPRING_")}
        environment |= {"MAINSPRING_HOME": str(self.place / "home"), **SMALL, **self.settings, **settings}
        return subprocess.run(
            [sys.executable, "-m", "mainspring", *map(str, arguments)],
            env=environment,
            cwd=self.place,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )

    def said(self, *arguments: str | Path, **settings: str) -> str:
        """What a command that succeeds prints on stdout."""
        done = self(*arguments, **settings)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def failure(self, *arguments: str | Path, status: int = 1, **settings: str) -> str:
        """The one line that a command which fails with ``status`` prints on stderr."""
        done = self(*arguments, **settings)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("mainspring: ")
        return lines[0]
