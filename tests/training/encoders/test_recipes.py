"""The recipes ``reader``, ``nli``, ``classifier`` and ``embedder`` on a tiny encoder: each learns what a rule says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import NothingLearned
from mainspring.training.encoders import weights
from mainspring.training.folder import Folder
from mainspring.training.recipe import Interrupted, Made
from mainspring.training.run import Run
from tests.training.encoders import tiny

pytestmark = pytest.mark.torch

FAST: dict[str, Any] = {"learning_rate": 3e-3, "batch": 12, "evaluate_every": 20, "dropout": 0.0}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    pytest.importorskip("torch").set_num_threads(1)


def _readings(count: int, seed: int) -> list[dict[str, Any]]:
    """The answer is the colour, if there is one."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        thing, colour = random.choice(tiny.THINGS), random.choice(tiny.COLOURS)
        answerable = bool(random.random() < 0.6)
        said = colour if answerable else random.choice(["seven", "nine"])
        passage = f"the price of the {thing} is {said}"
        rows.append({"question": f"what is the {thing}", "passage": passage, "answer": colour if answerable else None})
    return rows


def _classes(count: int, seed: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        thing = random.choice(tiny.THINGS[:3])
        rows.append({"text": f"{random.choice(tiny.COLOURS)} {thing} {number % 7}", "label": str(thing)})
    return rows


def _nli(count: int, seed: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        colour = str(random.choice(tiny.COLOURS))
        label = {"red": "entailment", "blue": "neutral", "green": "contradiction"}[colour]
        rows.append({"premise": f"the {random.choice(tiny.THINGS)}", "hypothesis": f"it is {colour}", "label": label})
    return rows


def _triplets(count: int, seed: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed)
    pairs = [(thing, colour) for thing in tiny.THINGS for colour in tiny.COLOURS]
    rows = []
    for place in random.integers(0, len(pairs), count).tolist():
        thing, colour = pairs[place]
        rows.append({"anchor": f"what {colour} {thing}", "positive": f"price of the {thing} {colour} in the house"})
    return rows


def _run(folder: Path, recipe: str, make: Any, **options: Any) -> Run:
    sides = {"train": make(240, 1), "validation": make(40, 2), "test": make(60, 3)}
    if recipe == "classifier":
        sides["test"] = sides["test"] + [{"text": "seven eight nine time", "label": "none"}] * 20
    return tiny.run(folder, recipe, tiny.base(folder.parent / "base"), sides, **{**FAST, **options})


def test_a_reader_says_whether_and_where(tmp_path: Path) -> None:
    made: Made = _run(tmp_path / "run", "reader", _readings, epochs=3).do()
    assert made.makes == "reader"
    assert made.figures["auroc"] > 0.95
    assert made.figures["exact"] > 0.9 > made.before["exact"]
    assert made.counted["exact"] < made.counted["auroc"] == 60
    assert "span.weight" in weights.read(Folder(tmp_path / "run").output).weights


def test_a_reader_goes_on_from_a_reader(tmp_path: Path) -> None:
    first: Made = _run(tmp_path / "run", "reader", _readings, epochs=3).do()
    sides = {"train": _readings(40, 4), "validation": _readings(20, 5), "test": _readings(60, 3)}
    source = Folder(tmp_path / "run").output
    made: Made = tiny.run(
        tmp_path / "again", "reader", source, sides, **{**FAST, "steps": 1, "learning_rate": 1e-6}
    ).do()
    # Both heads are those of the base: nothing has to be learned again.
    assert min(made.before["auroc"], made.before["exact"], made.figures["exact"]) > 0.9
    assert first.before["exact"] < 0.9
    assert "drawn at random" not in " ".join(made.notes)


def test_a_reader_is_a_cross_encoder_of_its_head(tmp_path: Path) -> None:
    from mainspring.training.encoders.models import Reader, Scorer, Texts, padded
    from mainspring.training.encoders.options import ReaderOptions

    base = weights.read(tiny.base(tmp_path / "base", head=1))
    options = ReaderOptions(length=32)
    inputs = padded(Texts(base, 32).pairs(["what is the cat"], ["the cat is red"]))
    reader, scorer = Reader(base, options, 1).eval(), Scorer(base, 1, options, 1).eval()
    assert float(reader.read(inputs)[0][0].detach()) == pytest.approx(float(scorer(inputs)[0, 0].detach()), abs=1e-5)


def test_a_support_check_knows_three_labels(tmp_path: Path) -> None:
    made = _run(tmp_path / "run", "nli", _nli, epochs=4).do()
    assert made.figures["accuracy"] > 0.9
    assert made.figures["auroc"] > 0.95
    assert "drawn at random" in " ".join(made.notes)


def test_a_classifier_sorts_and_measures_what_is_outside(tmp_path: Path) -> None:
    made = _run(tmp_path / "run", "classifier", _classes, epochs=4, outside="none").do()
    assert made.figures["accuracy"] > 0.95 > made.before["accuracy"]
    assert made.counted == {"accuracy": 60, "calibration_error": 60, "auroc_outside": 80}
    labels = json.loads((Folder(tmp_path / "run").output / "labels.json").read_text(encoding="utf-8"))
    assert labels == made.value["labels"] == sorted(tiny.THINGS[:3])


def test_small_logits_are_outside() -> None:
    from mainspring.training.encoders.classifier import measured
    from mainspring.training.encoders.data.rows import Labelled

    test = [Labelled("a", "x"), Labelled("b", "y"), Labelled("c", "none")]
    found = measured([[5, 0], [5, 0], [0.1, 0.2]], ["x", "y"], test, "none")
    assert found.values["accuracy"] == 0.5
    assert found.values["auroc_outside"] == 1


def test_an_embedder_ranks_better_than_before(tmp_path: Path) -> None:
    made = _run(tmp_path / "run", "embedder", _triplets, epochs=4).do()
    assert made.figures["ndcg@10"] > made.before["ndcg@10"] + 0.1
    assert made.entry["dimensions"] == tiny.HIDDEN
    rows = (Folder(tmp_path / "run").output / "parity.jsonl").read_text(encoding="utf-8").splitlines()
    assert np.linalg.norm(json.loads(rows[0])["vector"]) == pytest.approx(1)


@pytest.mark.parametrize(
    ("recipe", "make"), [("reader", _readings), ("nli", _nli), ("classifier", _classes), ("embedder", _triplets)]
)
def test_stopped_runs_end_with_the_same_weights(
    tmp_path: Path, recipe: str, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"epochs": 1, "dropout": 0.1, "evaluate_every": 8}
    _run(tmp_path / "whole", recipe, make, **few).do()
    run = _run(tmp_path / "parts", recipe, make, **few)
    left = iter([False] * 10 + [True])
    monkeypatch.setattr(run, "stopping", lambda: next(left))
    with pytest.raises(Interrupted):
        run.do()
    _run(tmp_path / "parts", recipe, make, **few).do()
    whole, parts = (Folder(tmp_path / each).output / "model.safetensors" for each in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()


def test_what_cannot_be_learned_is_refused(tmp_path: Path) -> None:
    source = tiny.base(tmp_path / "base")
    one: dict[str, list[dict[str, Any]]] = {
        "classifier": [{"text": "a", "label": "x"}] * 3,
        "nli": [{"premise": "a", "hypothesis": "b", "label": 0}] * 3,
    }
    for recipe, rows in one.items():
        with pytest.raises(NothingLearned):
            tiny.run(tmp_path / recipe, recipe, source, {"train": rows}).do()
