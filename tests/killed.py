"""Children that report each step as a line on stdout, and are killed in the middle of the next step."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

from tests.conftest import ROOT


def run_and_kill(program: str, *arguments: str, after: int, within_s: float) -> list[str]:
    """Run ``program`` until it has told ``after`` things, and at most ``within_s`` more; what it told, whole lines."""
    child = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'benchmarks'}"},
        start_new_session=True,
    )
    assert child.stdout is not None
    told = []
    for line in child.stdout:
        told.append(line)
        if len(told) == after:
            time.sleep(random.random() * within_s)
            os.killpg(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    return [line.strip() for line in told if line.endswith("\n")]
