"""Processes that sync are killed at random: each event is in the lake once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.kills)])
def test_kills_lose_nothing(kills: int) -> None:
    """What ``benchmarks/kill_lake.py`` does a hundred times."""
    script = ROOT / "benchmarks" / "kill_lake.py"
    sizes = ("--trial", "--kills", str(kills), "--events", str(kills * 1000), "--longest", "0.4")
    done = subprocess.run([sys.executable, str(script), *sizes], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "'lost': 0, 'twice': 0" in done.stdout
