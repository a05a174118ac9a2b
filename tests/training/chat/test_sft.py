"""Supervised fine-tuning on a tiny model: what it learns, what it leaves behind, and that it goes on exactly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import NothingLearned, Unsupported
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.lora import Adapter
from mainspring.engines.catalogue.reference_forward import Reference
from mainspring.training import checkpoints
from mainspring.training.recipe import Interrupted
from tests.training.chat.conftest import Start, talk, talks

pytestmark = pytest.mark.torch
OPTIONS: dict[str, Any] = {
    "batch": 4,
    "accumulation": 1,
    "steps": 12,
    "learning_rate": 0.02,
    "length": 64,
    "precision": "fp32",
    "evaluate_every": 4,
    "samples": 1,
    "answer_tokens": 24,
}
SIDES = (talks(24), talks(4, 30), talks(4, 40))


def test_what_is_learned_is_written_as_the_catalogue_merges_it(start: Start, base: Path) -> None:
    options = {**OPTIONS, "steps": 30, "scorers": [{"name": "contains"}], "tested": 4}
    run = start("sft", options, *SIDES)
    made = run.do()

    assert made.makes == "adapter"
    assert made.figures["loss"] < made.before["loss"] / 2
    assert made.intervals["loss-change"][1] < 0
    assert (made.before["contains"], made.figures["contains"]) == (0.0, 1.0)
    assert made.counted["loss"] == 4
    texts = [(each["step"] > 0, "the mill is at the river" in each["text"]) for each in run.folder.samples()]
    assert texts == [(False, False), (True, True)]
    assert {"loss", "validation_loss"} <= {name for each in run.folder.metrics() for name in each["figures"]}

    # Merged by numpy into the file, it is the model that torch has.
    adapter = Adapter.load(run.output / made.entry["adapter"]["weights"]["name"], made.entry["adapter"]["alpha"])
    weights = GgufWeights(base / "model.gguf")
    adapter.check(weights)
    parity = [json.loads(line) for line in (run.output / "parity.jsonl").read_text().splitlines()]
    # Four rows alone would be too few tokens for a gate.
    assert sum(each["tokens"] for each in parity) > 300
    scores = json.loads((run.output / "scores.json").read_text())
    assert [each["scores"] for each in scores["rows"]] == [{"contains": 1.0}] * 4
    assert scores["rows"][0]["references"] == ["the mill is at the river"]
    assert (scores["tokens"], [each["name"] for each in scores["scorers"]]) == (24, ["contains"])
    assert {"parity.jsonl", "scores.json"} <= set(made.files)
    told = parity[0]
    tokenizer = weights.tokenizer()
    assert tokenizer is not None
    ids = tokenizer.encode(told["text"]).ids
    import math

    assert math.log(Reference(weights, adapter).perplexity(ids)) == pytest.approx(told["loss"], abs=0.02)
    assert math.log(Reference(weights).perplexity(ids)) > told["loss"] + 1


def weights_of(output: Path) -> bytes:
    return (output / "adapter_model.safetensors").read_bytes()


def test_a_run_that_was_killed_or_stopped_goes_on_exactly(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    from mainspring.training.chat import loop

    options = {**OPTIONS, "save_every": 3}
    whole = start("sft", options, *SIDES, name="whole")
    whole.do()

    class Killed(BaseException):
        pass

    plain = loop.Watch.on_step_end

    def killed(self: Any, args: Any, state: Any, control: Any, **more: Any) -> Any:
        if state.global_step == 5:
            raise Killed
        return plain(self, args, state, control, **more)

    monkeypatch.setattr(loop.Watch, "on_step_end", killed)
    with pytest.raises(Killed):
        start("sft", options, *SIDES, name="killed").do()
    monkeypatch.setattr(loop.Watch, "on_step_end", plain)
    again = start("sft", options, name="killed")
    assert checkpoints.latest(again.checkpoints) == again.checkpoints / "step-3"

    asked = iter([False] * 9 + [True] * 9)
    monkeypatch.setattr(again, "stopping", lambda: next(asked))
    with pytest.raises(Interrupted):
        again.do()
    last = start("sft", options, name="killed")
    assert checkpoints.latest(last.checkpoints) != last.checkpoints / "step-3"
    last.do()
    assert weights_of(last.output) == weights_of(whole.output)
    assert [each["step"] for each in last.folder.metrics()] == [each["step"] for each in whole.folder.metrics()]


def test_it_stops_early_and_keeps_the_best(start: Start) -> None:
    # What is learned is wrong on validation, so that the first evaluation is the best one.
    wrong = [talk("what is 1 of it", "zebra quilt")]
    made = start("sft", {**OPTIONS, "evaluate_every": 1, "patience": 2, "steps": 40}, SIDES[0], wrong).do()
    assert any("brought no better loss" in note for note in made.notes)
    step = int(next(note for note in made.notes if note.startswith("weights of step")).rsplit(" ", 1)[1])
    assert step < 38


def test_packed_rows_do_not_see_each_other(start: Start) -> None:
    from mainspring.training.chat.recipes import sft
    from mainspring.training.chat.tuning import Tuning

    losses = {}
    for packing in (False, True):
        run = start("sft", {**OPTIONS, "batch": 1, "packing": packing}, *SIDES, name=f"packing-{packing}")
        tuning = Tuning(run, run.options)  # type: ignore[arg-type]
        learning = sft.prepared(run, tuning, "train")[:4]
        trainer = sft.make(run, tuning, learning, [], ordered=True)
        sums = [0.0, 0.0]
        tuning.model.eval()
        import torch

        for batch in trainer.get_train_dataloader():
            with torch.no_grad():
                # Without the count of all tokens the loss is the mean of a batch.
                loss = float(trainer.compute_loss(tuning.model, dict(batch)))
            # Of each row the first token is predicted from nothing.
            count = int((batch["labels"] != -100).sum())
            sums = [sums[0] + loss * count, sums[1] + count]
        losses[packing] = sums[0] / sums[1]
    assert losses[True] == pytest.approx(losses[False], rel=1e-4)


def test_all_weights_become_a_file_that_is_a_base_again(start: Start) -> None:
    options = {**OPTIONS, "method": "full", "learning_rate": 0.003, "steps": 20}
    run = start("sft", options, *SIDES)
    made = run.do()
    assert made.makes == "chat"
    assert made.entry["files"] == [{"name": "model.gguf"}]
    assert made.figures["loss"] < made.before["loss"] / 2
    again = start("sft", {**OPTIONS, "steps": 1}, *SIDES, name="again", on=run.output).do()
    assert again.before["loss"] == pytest.approx(made.figures["loss"], abs=0.05)


def test_what_the_machine_cannot_do_is_reported(start: Start) -> None:
    with pytest.raises(Unsupported, match="qlora needs"):
        start("sft", {**OPTIONS, "method": "qlora"}, *SIDES).do()
    with pytest.raises(Unsupported, match="fp16 needs a GPU"):
        start("sft", {**OPTIONS, "precision": "fp16"}, *SIDES, name="half").do()
    with pytest.raises(NothingLearned, match="at most 16 tokens"):
        start("sft", {**OPTIONS, "length": 16}, *SIDES, name="short").do()
