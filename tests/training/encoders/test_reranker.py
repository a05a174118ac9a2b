"""The recipe ``reranker`` on a tiny encoder: it learns, resumes exactly, and the engine serves what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import InvalidRequest, NothingLearned, Unsupported
from mainspring.training.encoders.options import EncoderOptions
from mainspring.training.folder import Folder
from mainspring.training.recipe import Interrupted, Made
from tests.training.encoders import tiny

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def _two_threads() -> None:
    pytest.importorskip("torch").set_num_threads(1)


SIDES = {"train": tiny.rerank_rows(240, 1), "validation": tiny.rerank_rows(30, 2), "test": tiny.rerank_rows(90, 3)}
OPTIONS: dict[str, Any] = {"epochs": 3, "learning_rate": 3e-3, "batch": 12, "evaluate_every": 20, "dropout": 0.1}


def _made(folder: Path, source: Path, **options: Any) -> Made:
    return tiny.run(folder, "reranker", source, SIDES, **{**OPTIONS, **options}).do()


def test_it_learns_and_says_so_with_intervals(tmp_path: Path) -> None:
    made = _made(tmp_path / "run", tiny.base(tmp_path / "base", head=1))
    assert made.figures["auroc"] > 0.95 > made.before["auroc"]
    low, high = made.intervals["auroc"]
    assert low <= made.figures["auroc"] <= high
    assert made.counted["auroc"] == 90
    assert {"ndcg@10", "mrr", "hit@1"} <= set(made.figures)
    losses = [each["figures"]["loss"] for each in Folder(tmp_path / "run").metrics() if "loss" in each["figures"]]
    assert losses[-1] < losses[0] / 2


def test_what_it_writes_is_what_the_engine_serves(tmp_path: Path) -> None:
    import openvino as ov

    from mainspring.engines.encode import bert

    made = _made(tmp_path / "run", tiny.base(tmp_path / "base", head=1), epochs=1)
    output = Folder(tmp_path / "run").output
    encoder = bert.load(output)
    assert encoder.weights["encoder.layer.0.output.dense.weight"].dtype == np.int8
    graph = ov.Core().compile_model(
        bert.build(encoder, "score"), "CPU", {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0"}
    )
    from mainspring.engines.encode.tokens import plain_tokenizer

    tokenizer = plain_tokenizer(str(output / "tokenizer.json"))
    lines = (output / "parity.jsonl").read_text(encoding="utf-8").splitlines()
    assert "parity.jsonl" in made.files
    for line in lines[:8]:
        row = json.loads(line)
        both = tokenizer.encode(row["query"], row["passage"])
        inputs = [np.array([each], np.int64) for each in (both.ids, both.attention_mask, both.type_ids)]
        assert float(graph(inputs)[0][0, 0]) == pytest.approx(row["score"], abs=1e-3)
        assert float(bert.reference(encoder, "score", both.ids, both.type_ids)[0]) == pytest.approx(
            row["score"], abs=1e-3
        )


class _Stops:
    """Says after some questions that the run should stop."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("after", [1, 7, 33])
def test_a_stopped_run_ends_with_the_same_weights(tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tiny.base(tmp_path / "base", head=1)
    _made(tmp_path / "whole", source, epochs=2)
    run = tiny.run(tmp_path / "parts", "reranker", source, SIDES, **{**OPTIONS, "epochs": 2})
    monkeypatch.setattr(run, "stopping", _Stops(after))
    with pytest.raises(Interrupted):
        run.do()
    _made(tmp_path / "parts", source, epochs=2)
    whole, parts = (Folder(tmp_path / each).output / "model.safetensors" for each in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()


class _Killed(BaseException):
    """Nothing is saved when it comes."""


def test_a_run_that_dies_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tiny.base(tmp_path / "base", head=1)
    _made(tmp_path / "whole", source, epochs=2)
    run = tiny.run(tmp_path / "parts", "reranker", source, SIDES, **{**OPTIONS, "epochs": 2, "save_every_s": 0.05})
    log = run.log

    def dying(step: int, **figures: float) -> None:
        log(step, **figures)
        if step == 20:
            raise _Killed

    monkeypatch.setattr(run, "log", dying)
    with pytest.raises(_Killed):
        run.do()
    saved = sorted(each.name for each in run.checkpoints.iterdir())
    assert saved
    assert "step-20" not in saved
    _made(tmp_path / "parts", source, epochs=2)
    whole, parts = (Folder(tmp_path / each).output / "model.safetensors" for each in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()


def test_accumulated_batches_are_one_step(tmp_path: Path) -> None:
    source = tiny.base(tmp_path / "base", head=1)
    once = _made(tmp_path / "once", source, dropout=0.0, epochs=1, accumulate=2)
    assert "10 steps" in " ".join(once.notes)


def test_it_stops_early_and_keeps_the_best(tmp_path: Path) -> None:
    source = tiny.base(tmp_path / "base", head=1)
    made = _made(tmp_path / "run", source, learning_rate=0.5, epochs=20, evaluate_every=5, patience=2)
    steps = int(made.notes[-1].split()[0])
    assert steps < 400


def test_layers_stay_frozen(tmp_path: Path) -> None:
    from mainspring.training.encoders import weights

    source = tiny.base(tmp_path / "base", head=1)
    _made(tmp_path / "run", source, freeze=1, epochs=1, int8=False)
    before, after = weights.read(source), weights.read(Folder(tmp_path / "run").output)
    kept, moved = (f"encoder.layer.{layer}.output.dense.weight" for layer in (0, 1))
    assert np.array_equal(before.weights[kept], after.weights[kept])
    assert not np.array_equal(before.weights[moved], after.weights[moved])


def test_the_plan_counts_the_weights_that_there_are_and_that_learn(tmp_path: Path) -> None:
    from mainspring.training.encoders import memory, models, weights

    base = weights.read(tiny.base(tmp_path / "base", head=1))
    for pooler, freeze in ((True, 0), (False, 0), (True, 1)):
        options = EncoderOptions(freeze=freeze, length=32)
        model = models.body(base, options, pooler=pooler)
        models.freeze(model, freeze)
        found = memory.sizes(base.folder, pooler=pooler)
        every = list(model.parameters())
        assert found.parameters == sum(each.numel() for each in every)
        learned = sum(each.numel() for each in every if each.requires_grad)
        assert memory.trained(found, options) == learned
        assert memory.of_run(found, options).gradients == 4 * learned


def test_refusals_name_what_to_change(tmp_path: Path) -> None:
    source = tiny.base(tmp_path / "base", head=1)
    with pytest.raises(InvalidRequest, match="2 layers"):
        _made(tmp_path / "a", source, freeze=2)
    with pytest.raises(InvalidRequest, match="64 tokens"):
        _made(tmp_path / "b", source, length=100)
    with pytest.raises(NothingLearned, match="no training rows"):
        tiny.run(tmp_path / "c", "reranker", source, {}).do()
    one = {"train": [{"query": "a", "passage": "the cat", "label": 1}] * 4}
    with pytest.raises(NothingLearned, match="same label"):
        tiny.run(tmp_path / "d", "reranker", source, one).do()
    with pytest.raises(Unsupported, match="fp16"):
        _made(tmp_path / "e", source, precision="fp16")
