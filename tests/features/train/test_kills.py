"""Servers and the processes of runs are killed at any moment: one version, every step once and in its order."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mainspring.training.lock import RunLock
from tests.conftest import ROOT

pytestmark = pytest.mark.slow
STEPS = 60
SERVER = Path(__file__).with_name("server_of_jobs.py")


def start(home: Path, trace: str = "t") -> subprocess.Popen[str]:
    plugin = os.environ["PYTHONPATH"]
    return subprocess.Popen(
        [sys.executable, str(SERVER), str(home), trace, str(STEPS)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT), plugin))},
        start_new_session=True,
    )


def steps_done(home: Path, job: str) -> list[int]:
    """The steps in the order in which they were logged, those of killed processes among them."""
    path = home / "training" / "jobs" / job / "metrics.jsonl"
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            found.append(json.loads(line)["step"])
        except ValueError:
            continue
    return found


def finish(home: Path) -> tuple[str, str]:
    """Let a server come to the end; the id of the job, and what became of it."""
    server = start(home)
    out, _ = server.communicate(timeout=120)
    job, told = out.strip().splitlines()
    return job, told


def check(home: Path, job: str, told: str, kills: int) -> None:
    assert told.split()[:2] == ["succeeded", "killed@1"], told
    weights = json.loads(next((home / "training" / "versions").glob("*/killed/1/line.json")).read_text())["weights"]
    assert not list((home / "training" / "versions").glob("*/killed/2"))
    done = steps_done(home, job)
    assert set(done) == set(range(1, STEPS + 1))
    # Never two at once: steps follow each other, and go back to a checkpoint once for each kill at most.
    back = [(before, after) for before, after in itertools.pairwise(done) if after != before + 1]
    assert len(back) <= kills, back
    assert all(after <= before for before, after in back), back
    assert weights == pytest.approx(expected(home, job))


def expected(home: Path, job: str) -> list[float]:
    """What an undisturbed run makes of the same rows; they are gone, but not where they came from."""
    rows = [json.loads(line) for line in (home / "kept.jsonl").read_text().splitlines()]
    weights = [0.0, 0.0]
    for _ in range(STEPS):
        gradient = [0.0, 0.0]
        for row in rows:
            error = weights[0] * row["x"] + weights[1] - row["y"]
            gradient[0] += 2 * error * row["x"] / len(rows)
            gradient[1] += 2 * error / len(rows)
        weights = [each - 0.1 * part for each, part in zip(weights, gradient, strict=True)]
    return weights


def keep_rows(home: Path, job: str) -> None:
    """Keep a copy of the training side, which is deleted at the end."""
    path = home / "training" / "jobs" / job / "data" / "train.jsonl"
    if path.exists() and not (home / "kept.jsonl").exists():
        (home / "kept.jsonl").write_text(path.read_text())


def gone(pid: int) -> None:
    """Wait until a killed process writes no more."""
    status = Path("/proc") / str(pid) / "stat"
    while status.exists() and status.read_text().rpartition(")")[2].split()[0] not in "ZX":
        time.sleep(0.01)


@pytest.mark.parametrize("kills", [2, pytest.param(25, marks=pytest.mark.kills)])
def test_a_killed_server_loses_nothing(tmp_path: Path, kills: int) -> None:
    drawn = random.Random(kills)
    for _ in range(kills):
        server = start(tmp_path)
        assert server.stdout is not None
        job = server.stdout.readline().strip()
        if job:
            keep_rows(tmp_path, job)
        time.sleep(drawn.random() * 1.5)
        server.kill()
        server.wait()
        server.stdout.close()
    job, told = finish(tmp_path)
    check(tmp_path, job, told, kills)


@pytest.mark.parametrize("kills", [2, pytest.param(25, marks=pytest.mark.kills)])
def test_a_killed_run_goes_on(tmp_path: Path, kills: int) -> None:
    drawn = random.Random(kills)
    server = start(tmp_path)
    assert server.stdout is not None
    job = server.stdout.readline().strip()
    keep_rows(tmp_path, job)
    lock = RunLock(tmp_path / "training" / "jobs" / job)
    killed = without_a_step = furthest = 0
    end = time.monotonic() + 100
    while killed < kills and server.poll() is None and time.monotonic() < end:
        time.sleep(0.15 + drawn.random() * 0.5)
        if max(steps_done(tmp_path, job), default=0) > furthest:
            without_a_step = 0
        holder = lock.holder()
        # A run that ends five times without a step forward has failed: a slow machine needs longer for one.
        if holder and holder.pid > 1 and without_a_step < 4:
            os.kill(holder.pid, signal.SIGKILL)
            gone(holder.pid)
            killed, without_a_step = killed + 1, without_a_step + 1
            # What it logged up to its end is known to the server, and no step forward of the next one.
            furthest = max(steps_done(tmp_path, job), default=0)
    told = server.stdout.readline().strip()
    server.wait(timeout=60)
    assert killed >= min(kills, 2)
    check(tmp_path, job, told, kills)


def test_what_outlives_its_server_is_ended_before_the_run_goes_on(tmp_path: Path) -> None:
    server = start(tmp_path)
    assert server.stdout is not None
    job = server.stdout.readline().strip()
    keep_rows(tmp_path, job)
    lock = RunLock(tmp_path / "training" / "jobs" / job)
    while not ((holder := lock.holder()) and holder.pid) or len(steps_done(tmp_path, job)) < 3:
        time.sleep(0.05)
    # It cannot hear that its server is gone.
    os.kill(holder.pid, signal.SIGSTOP)
    server.kill()
    server.wait()
    server.stdout.close()
    job, told = finish(tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(holder.pid, 0)
    check(tmp_path, job, told, 1)
