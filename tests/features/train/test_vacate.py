"""Who works in a folder whose server is gone is ended, if it is of this machine's processes; nobody else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.features.train.jobs import process
from mainspring.features.train.jobs.process import ForeignProcess, vacate
from mainspring.training.lock import RunLock
from tests.conftest import ROOT

_HOLDS = (
    "import sys, time, pathlib; from mainspring.training.lock import RunLock;"
    "print(RunLock(pathlib.Path(sys.argv[1])).take(), flush=True); time.sleep(600)"
)


@pytest.fixture
def holder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    monkeypatch.setattr(process, "_KILLED_S", 1.0)
    own = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", _HOLDS, str(tmp_path)]
    made = subprocess.Popen(command, stdout=subprocess.PIPE, env=own, start_new_session=True)
    assert made.stdout is not None
    assert made.stdout.readline() == b"True\n"
    yield made
    made.kill()
    made.wait()
    made.stdout.close()


async def test_a_process_of_this_machine_is_ended(tmp_path: Path, holder: subprocess.Popen[bytes]) -> None:
    found = RunLock(tmp_path).holder()
    assert found is not None
    assert (found.pid, found.here) == (holder.pid, True)
    await vacate(tmp_path, 0.2)
    assert holder.wait(5) == -signal.SIGKILL


@pytest.mark.parametrize("space", ["", "another-boot pid:[1]"])
async def test_the_number_of_a_process_elsewhere_is_nobody_s_here(
    tmp_path: Path, holder: subprocess.Popen[bytes], space: str
) -> None:
    """The lock says the id of a process of this machine, and that it counts in another container."""
    (tmp_path / "lock").write_text(f"{holder.pid} {space}")
    with pytest.raises(ForeignProcess, match="container"):
        await vacate(tmp_path, 0.2)
    assert holder.poll() is None
