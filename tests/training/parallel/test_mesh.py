"""Many processes come to what one comes to, whatever they share; and a run goes on with another number of them."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from subprocess import PIPE
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.features.train.jobs import tree
from mainspring.training import checkpoints, several
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.parallel.layout import Layout
from mainspring.training.parallel.memory import of_process
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


def run(count: int, tasks: list[dict[str, Any]], module: str = "apart") -> list[dict[str, Any]]:
    """The tasks in ``count`` processes."""
    own = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    command = [sys.executable, "-m", f"tests.training.parallel.{module}", json.dumps(tasks)]
    with TemporaryDirectory() as folder:
        begun = [
            subprocess.Popen(command, stdout=PIPE, stderr=PIPE, text=True, cwd=ROOT, env={**surroundings, **own})
            for surroundings in several.surroundings(folder, count)
        ]
        said = [each.communicate(timeout=500) for each in begun]
    assert not any(each.returncode for each in begun), said[0][1][-4000:]
    return [json.loads(line) for line in said[0][0].splitlines() if line.startswith("{")]


def test_two_processes_equal_one_whatever_they_share(tmp_path: Path) -> None:
    alone = losses(prepare(tmp_path / "one"), Layout(), STEPS)
    assert alone["loss"][-1] < alone["loss"][0] - 0.3
    tasks = [
        {"path": str(prepare(tmp_path / name)), "layout": layout, "steps": STEPS} for name, layout in LAYOUTS.items()
    ]
    for name, found in zip(LAYOUTS, run(2, tasks), strict=True):
        for told in ("loss", "norm", "held_out"):
            assert found[told] == pytest.approx(alone[told], abs=1e-5), (name, told)


HELD: dict[str, dict[str, Any]] = {
    "tensor": {"layout": {"tensor": 2}},
    "tensor, half": {"layout": {"tensor": 2}, "half": True},
    "pipeline": {"layout": {"pipeline": 2}},
    "ZeRO-1": {"layout": {"data": 2, "shard": "optimiser"}},
    "FSDP2": {"layout": {"data": 2, "shard": "weights"}},
}


def test_each_process_holds_what_is_planned() -> None:
    """Embeddings and norms are whole in each process of tensor parallelism and at both ends of a pipeline: in small
    models they are a large part."""
    from tests.training.parallel.held import ROWS, SHAPE

    for (name, task), found in zip(HELD.items(), run(2, [*HELD.values()], "held"), strict=True):
        layout = Layout(**task["layout"])
        plan = of_process(SHAPE, layout, ROWS, SHAPE.length, half=task.get("half", False))
        assert found["weights"] == pytest.approx(plan.weights, rel=0.01), name
        assert found["gradients"] == pytest.approx(plan.gradients, rel=0.01), name
        assert found["optimiser"] == pytest.approx(plan.optimiser, rel=0.05), name
        # Beside DDP and FSDP, autograd keeps weights that are gathered, which are no activations.
        if layout.data == 1:
            assert found["activations"] == pytest.approx(plan.activations, rel=0.1), name


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


def test_processes_of_one_machine_listen_on_the_loopback_alone(tmp_path: Path) -> None:
    """A run of two processes, from its start: no socket of it listens for others."""
    folder = Folder(tmp_path / "run")
    options = {
        "data": 2,
        "width": 32,
        "layers": 1,
        "heads": 2,
        "length": 32,
        "vocabulary": 300,
        "steps": 400,
        "batch": 4,
    }
    folder.create(RunRequest("pretrain", options))
    lines = [
        json.dumps({"text": f"The number {each} comes before {each + 1}, and is even or odd."}) for each in range(200)
    ]
    (folder.data / "train.jsonl").write_text("\n".join(lines))
    (folder.data / "validation.jsonl").write_text("\n".join(lines[:20]))
    own = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    child = [sys.executable, "-m", "mainspring.training.child", str(folder.path)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(child, env=own, stdout=log, stderr=log)
    heard: set[str] = set()
    joined = 0
    try:
        end = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < end and not folder.metrics():
            every = tree.below(process.pid)
            joined = max(joined, len(every))
            heard |= listening(every)
            time.sleep(0.05)
        heard |= listening(tree.below(process.pid))
        assert folder.metrics(), (tmp_path / "log").read_text()[-2000:]
    finally:
        folder.stop()
        process.wait(60)
    assert joined == 3
    assert heard == {"127.0.0.1"}
    assert process.returncode in (0, 3)


def listening(pids: list[int]) -> set[str]:
    """The addresses on which these processes listen."""
    inodes = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for each in Path(f"/proc/{pid}/fd").iterdir():
                with contextlib.suppress(OSError):
                    inodes.add(os.readlink(each).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            parts = line.split()
            if parts[3] == "0A" and parts[9] in inodes:
                address = bytes.fromhex(parts[1].partition(":")[0])
                found.add(str(ipaddress.ip_address(address[::-1])) if len(address) == 4 else address.hex())
    return found


def test_torchrun_on_two_machines_equals_one_process(tmp_path: Path) -> None:
    """Two agents with one process each, as two pods of the job in the guide have them."""
    options = {"width": 32, "layers": 1, "heads": 2, "length": 16, "vocabulary": 300, "steps": 4, "batch": 4}
    lines = "\n".join(json.dumps({"text": f"The number {each} comes before {each + 1}."}) for each in range(60))
    told = {}
    for name, layout in (("one", {}), ("two", {"data": 2, "shard": "weights"})):
        folder = Folder(tmp_path / name)
        folder.create(RunRequest("pretrain", {**options, **layout}))
        for side in ("train", "validation"):
            (folder.data / f"{side}.jsonl").write_text(lines)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            end = f"--rdzv-endpoint=127.0.0.1:{free.getsockname()[1]}"
        agent = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", end]
        command = [sys.executable, *(agent if layout else ()), "-m", "mainspring.training.child", str(folder.path)]
        own = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
        begun = [subprocess.Popen(command, env=own, stderr=PIPE, text=True) for _ in range(2 if layout else 1)]
        said = [each.communicate(timeout=300)[1] for each in begun]
        assert not any(each.returncode for each in begun), said[0][-4000:]
        assert folder.made is not None
        figures = [each["figures"] for each in folder.metrics()]
        told[name] = [each[part] for each in figures for part in ("loss", "held_out") if part in each]
    assert len(told["one"]) > 1
    assert told["two"] == pytest.approx(told["one"], abs=1e-5)


ALONE: tuple[tuple[dict[str, Any], int], ...] = (({}, 0),)
KILLED: tuple[tuple[dict[str, Any], int], ...] = (
    ({"data": 2, "shard": "weights"}, 20),
    ({}, 60),
    ({"data": 2, "shard": "weights"}, 0),
)
"""How many processes train, and the step after whose checkpoint they are killed (0: they reach the end)."""


def test_a_run_that_is_killed_goes_on_with_another_number_of_processes(tmp_path: Path) -> None:
    options = {"width": 32, "layers": 2, "heads": 2, "length": 16, "vocabulary": 300, "steps": 120, "batch": 4}
    options |= {"save": 5, "every": 20, "patience": 0}
    lines = "\n".join(json.dumps({"text": f"The number {each} comes before {each + 1}."}) for each in range(60))
    told = {}
    for name, lives in (("one", ALONE), ("several", KILLED)):
        folder = Folder(tmp_path / name)
        for layout, upto in lives:
            folder.create(RunRequest("pretrain", {**options, **layout}))
            for side in ("train", "validation"):
                (folder.data / f"{side}.jsonl").write_text(lines)
            live(folder, upto)
            assert (folder.made is None) == bool(upto)
        told[name] = {
            each["step"]: each["figures"][part]
            for part in ("loss", "held_out")
            for each in folder.metrics()
            if part in each["figures"]
        }
    assert len(told["one"]) > 10
    assert told["several"] == pytest.approx(told["one"], abs=1e-5)


def live(folder: Folder, upto: int) -> None:
    """Have the processes of a run work until they end, or kill them all after the checkpoint of a step."""
    own = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    child = [sys.executable, "-m", "mainspring.training.child", str(folder.path)]
    process = subprocess.Popen(child, env=own, stderr=PIPE, text=True)
    end = time.monotonic() + 300
    while upto and process.poll() is None and time.monotonic() < end:
        saved = checkpoints.every(folder.checkpoints)
        if saved and checkpoints.step_of(saved[-1]) >= upto:
            for each in tree.below(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            break
        time.sleep(0.002)
    said = process.communicate(timeout=300)[1]
    assert process.returncode == (-signal.SIGKILL if upto else 0), said[-4000:]
