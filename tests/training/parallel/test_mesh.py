"""Many processes come to what one comes to, whatever they share; and a run goes on with another number of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.training.parallel.layout import Layout
from tests.conftest import ROOT
from tests.training.parallel.apart import losses, prepare

pytestmark = pytest.mark.torch
STEPS = 10
LAYOUTS: dict[str, dict[str, Any]] = {
    "DDP": {"data": 2},
    "ZeRO-1": {"data": 2, "shard": "optimiser"},
    "ZeRO-2": {"data": 2, "shard": "gradients"},
    "FSDP2": {"data": 2, "shard": "weights"},
    "tensor": {"tensor": 2},
    "pipeline": {"pipeline": 2},
}


def run(count: int, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tasks in ``count`` processes."""
    own = {"OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    started = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count))
    done = subprocess.run(
        [sys.executable, *started, "-m", "tests.training.parallel.apart", json.dumps(tasks)],
        capture_output=True,
        text=True,
        timeout=150,
        cwd=ROOT,
        env={**os.environ, **own},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def test_two_processes_equal_one_whatever_they_share(tmp_path: Path) -> None:
    alone = losses(prepare(tmp_path / "one"), Layout(), STEPS)
    assert alone["loss"][-1] < alone["loss"][0] - 0.3
    tasks = [
        {"path": str(prepare(tmp_path / name)), "layout": layout, "steps": STEPS} for name, layout in LAYOUTS.items()
    ]
    for name, found in zip(LAYOUTS, run(2, tasks), strict=True):
        for told in ("loss", "norm", "held_out"):
            assert found[told] == pytest.approx(alone[told], abs=1e-5), (name, told)


def test_a_run_goes_on_in_another_world(tmp_path: Path) -> None:
    """Two processes that share weights, then one, then two that share matrices."""
    alone = losses(prepare(tmp_path / "one"), Layout(), STEPS)
    path = prepare(tmp_path / "several")
    run(2, [{"path": str(path), "layout": LAYOUTS["FSDP2"], "steps": STEPS, "stop": 3}])
    losses(path, Layout(), STEPS, stop=5)
    run(2, [{"path": str(path), "layout": LAYOUTS["pipeline"], "steps": STEPS, "stop": 7}])
    (found,) = run(2, [{"path": str(path), "layout": LAYOUTS["tensor"], "steps": STEPS}])
    assert found["loss"] == pytest.approx(alone["loss"][7:], abs=1e-5)
    assert found["held_out"] == pytest.approx(alone["held_out"][1:], abs=1e-5)


def test_as_many_processes_must_run_as_the_layout_has(monkeypatch: pytest.MonkeyPatch) -> None:
    from mainspring.training.parallel.mesh import processes

    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(InvalidRequest, match="nproc-per-node 2"), processes(Layout(data=2)):
        pass


@pytest.mark.kills
def test_three_dimensions_equal_one_process(tmp_path: Path) -> None:
    """Eight processes: one of the long tests, where torch is installed."""
    pytest.importorskip("torch")
    alone = losses(prepare(tmp_path / "one"), Layout(), STEPS)
    layout = {"data": 2, "tensor": 2, "pipeline": 2, "shard": "weights"}
    (found,) = run(8, [{"path": str(prepare(tmp_path / "eight")), "layout": layout, "steps": STEPS}])
    assert found["loss"] == pytest.approx(alone["loss"], abs=1e-5)
    assert found["norm"] == pytest.approx(alone["norm"], abs=1e-4)
