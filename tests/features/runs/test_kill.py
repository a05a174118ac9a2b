"""kill -9 of processes that work on runs: a short series of ``benchmarks/kill_runs.py``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.databases import MISSING, named

_PROGRAM = """
import sys, json; from pathlib import Path; import kill_runs
print(json.dumps(kill_runs.series(int(sys.argv[1]), 12, Path(sys.argv[2]), sys.argv[3])))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kills", [3, pytest.param(25, marks=pytest.mark.kills)])
def test_each_effect_happens_once_whenever_the_process_dies(tmp_path: Path, kills: int) -> None:
    check(tmp_path, kills)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [6, pytest.param(40, marks=pytest.mark.kills)])
def test_each_effect_happens_once_on_postgres_where_several_processes_work(tmp_path: Path, kills: int) -> None:
    if not (server := named()):
        pytest.skip(MISSING)
    check(tmp_path, kills, server)


def check(folder: Path, kills: int, server: str = "") -> None:
    """Kill so often, and look at what happened."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(kills), str(folder), server],
        cwd=ROOT / "benchmarks",
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["kills"] >= kills
    assert found["wrong"] == []
    # 7 letters and payments a run that are made in the end, whoever was killed in between.
    assert (found["keyed"], found["unkeyed"]) == (5 * found["runs"], 3 * found["runs"])
