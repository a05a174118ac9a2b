"""The loop: it is exact."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, NothingLearned, Unsupported
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.recipe import Interrupted, Recipe, RecipeOptions
from mainspring.training.run import Run
from tests.conftest import ROOT

pytestmark = pytest.mark.torch

SCRIPT = """
import sys
from pathlib import Path
from tests.training.own.test_loop import trained
trained(Path(sys.argv[1]), pace=float(sys.argv[2]))
"""


def _run(path: Path) -> Run:
    folder = Folder(path)
    if not (path / "job.json").exists():
        folder.create(RunRequest("none"))
    return Run(Recipe("none", "", "language-model", RecipeOptions, "none:none", ("text",)), folder, folder.asked)


def trained(path: Path, *, pace: float = 0.0, model: Any = None, **given: Any) -> Any:
    """Thirty steps on rows that are drawn, with dropout."""
    import numpy as np
    import torch

    from mainspring.training.own.feed import Shuffled
    from mainspring.training.own.loop import Plan, fit
    from mainspring.training.own.models.model_files import build
    from mainspring.training.own.models.shape import Shape

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = model or build(Shape("decoder", 40, width=32, layers=2, length=16, dropout=given.pop("dropout", 0.1)))
    rows = np.random.default_rng(0).integers(5, 40, (60, 13)) // 3 * 3

    def collate(chosen: list[Any], generators: list[np.random.Generator]) -> dict[str, Any]:
        assert len(chosen) == len(generators)
        if pace:
            time.sleep(pace)
        ids = torch.tensor(np.stack(chosen))
        return {"ids": ids[:, :-1], "targets": ids[:, 1:]}

    feed = Shuffled(list(rows[:52]), collate, size=8, seed=3)
    held_out = [collate(list(rows[52:]), [None] * 8)]  # type: ignore[list-item]
    plan = Plan(**({"steps": 30, "batch": 8, "rate": 3e-3, "warmup": 5, "every": 10, "save": 4, "log": 1} | given))
    return fit(_run(path), model, feed, plan, held_out=held_out), model


def losses(path: Path) -> dict[int, dict[str, float]]:
    kept = ("loss", "held_out", "gradient_norm", "rate")
    return {
        each["step"]: {name: figure for name, figure in each["figures"].items() if name in kept}
        for each in Folder(path).metrics()
    }


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[int, dict[str, float]], Any]:
    """The losses and the model of a training that nobody disturbed."""
    pytest.importorskip("torch")
    path = tmp_path_factory.mktemp("straight")
    _, model = trained(path)
    return losses(path), model


def test_a_training_learns_and_ends_with_its_best_weights(straight: Any, tmp_path: Path) -> None:
    from mainspring.training.own.loop import Plan, rate_at

    figures, _ = straight
    assert sorted(figures) == list(range(1, 31))
    assert figures[30]["loss"] < figures[1]["loss"] - 0.5
    assert figures[30]["held_out"] < 3.5
    plan = Plan(30, rate=3e-3, warmup=5)
    assert rate_at(plan, 0) == pytest.approx(6e-4)
    assert rate_at(plan, 5) == pytest.approx(3e-3)
    assert rate_at(plan, 30) == pytest.approx(3e-4)
    fitted, _ = trained(tmp_path)
    assert fitted.best == min(each["held_out"] for each in figures.values() if "held_out" in each)


def test_a_kill_at_any_moment_changes_nothing(straight: Any, tmp_path: Path) -> None:
    """Bit by bit, in losses, norms and weights."""
    import torch

    figures, model = straight
    script, chance, kills = tmp_path / "script.py", random.Random(5), 0
    script.write_text(SCRIPT)
    while kills < 2:
        child = subprocess.Popen([sys.executable, str(script), str(tmp_path), ".03"], cwd=ROOT, env=_environment())
        seen = len(losses(tmp_path)) if (tmp_path / "metrics.jsonl").exists() else 0
        until = seen + chance.randint(2, 7)
        while (child.poll() is None and not (tmp_path / "metrics.jsonl").exists()) or len(losses(tmp_path)) < until:
            assert child.poll() in (None, 0)
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        kills += 1
    _, again = trained(tmp_path)

    assert losses(tmp_path) == figures
    for one, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_training_that_is_asked_to_stop_goes_on_later(straight: Any, tmp_path: Path) -> None:
    _run(tmp_path).folder.stop()
    with pytest.raises(Interrupted):
        trained(tmp_path)
    assert len(losses(tmp_path)) == 1
    (tmp_path / "stop").unlink()
    trained(tmp_path)
    assert losses(tmp_path) == straight[0]


def test_a_checkpoint_without_generators_would_show(straight: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """The comparison can fail: dropout draws other numbers then."""
    from mainspring.training.own import loop

    _run(tmp_path).folder.stop()
    with pytest.raises(Interrupted):
        trained(tmp_path)
    (tmp_path / "stop").unlink()
    monkeypatch.setattr(loop, "_set_generators", lambda kept: None)
    trained(tmp_path)
    assert losses(tmp_path) != straight[0]


@pytest.mark.parametrize("given", [{"micro": 3}, {"micro": 1}, {"checkpointing": True}])
def test_parts_and_checkpointing_change_only_memory(tmp_path: Path, given: dict[str, Any]) -> None:
    pytest.importorskip("torch")
    trained(tmp_path / "whole", dropout=0.0)
    trained(tmp_path / "parts", dropout=0.0, **given)
    whole, parts = losses(tmp_path / "whole"), losses(tmp_path / "parts")
    for step, figures in whole.items():
        assert parts[step] == pytest.approx(figures, abs=2e-4)


def test_bfloat16_learns_as_well(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    trained(tmp_path / "float32", dropout=0.0)
    trained(tmp_path / "bfloat16", dropout=0.0, precision="bfloat16")
    ours, theirs = losses(tmp_path / "bfloat16")[30], losses(tmp_path / "float32")[30]
    assert ours != theirs
    assert ours["loss"] == pytest.approx(theirs["loss"], abs=0.05)


def test_float16_needs_a_gpu(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with pytest.raises(Unsupported, match="needs a GPU") as caught:
        trained(tmp_path, precision="float16")
    assert caught.value.param == "options.precision"


def test_a_training_that_gets_no_better_ends(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    fitted, _ = trained(tmp_path, rate=1e-9, every=2, patience=3, dropout=0.0)
    best = {step: each["held_out"] for step, each in losses(tmp_path).items() if "held_out" in each}
    assert fitted.steps < 30
    assert fitted.best == min(best.values())


def test_a_loss_that_is_no_number_is_reported(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from mainspring.training.own.models.model_files import build
    from mainspring.training.own.models.shape import Shape

    model: Any = build(Shape("decoder", 40, width=32, layers=1))
    model.embedding.tokens.weight.data.fill_(torch.nan)
    with pytest.raises(NothingLearned, match="step 1"):
        trained(tmp_path, model=model)


def test_a_feed_gives_each_example_once_an_epoch_whatever_the_shares() -> None:
    pytest.importorskip("torch")
    import torch

    from mainspring.training.own.feed import Shuffled

    def collate(chosen: list[int], generators: list[Any]) -> dict[str, Any]:
        return {"ids": torch.tensor(chosen), "drawn": torch.tensor([each.random() for each in generators])}

    feed = Shuffled(list(range(12)), collate, size=4, seed=1)
    whole = [feed.batch(step, 0, 4) for step in range(6)]
    for epoch in (whole[:3], whole[3:]):
        assert sorted(torch.cat([each["ids"] for each in epoch]).tolist()) == list(range(12))
    assert whole[0]["ids"].tolist() != whole[3]["ids"].tolist()
    shares = [feed.batch(4, 0, 2), feed.batch(4, 2, 4)]
    for name in ("ids", "drawn"):
        assert torch.equal(torch.cat([each[name] for each in shares]), whole[4][name])
    with pytest.raises(NothingLearned):
        Shuffled([], collate, size=4, seed=1)


def test_a_batch_that_cannot_be_shared_is_named(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from mainspring.training.own.loop import Fit, Plan
    from mainspring.training.own.models.model_files import build
    from mainspring.training.own.models.shape import Shape
    from mainspring.training.own.world import Alone

    class Three(Alone):
        size = 3

    model = build(Shape("decoder", 40, width=32, layers=1))
    with pytest.raises(InvalidRequest, match="shared by 3"):
        Fit(_run(tmp_path), model, None, Plan(2, batch=8), world=Three()).step(0)  # type: ignore[arg-type]


def _environment() -> dict[str, str]:
    import os

    return os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}


def test_logs_are_lines_that_others_read(straight: Any, tmp_path: Path) -> None:
    del straight
    trained(tmp_path)
    line = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[0])
    assert set(line["figures"]) == {"loss", "rate", "gradient_norm", "tokens_per_second"}


def test_a_training_whose_time_is_up_ends_with_its_best_weights(tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(Run, "finishing", lambda self: len(losses(tmp_path)) >= 12)
    fitted, _ = trained(tmp_path)
    assert fitted.steps == 12
    assert fitted.best_step == 10
