"""From texts to a model: the recipes as a run does them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.own.models.config import shape_of
from mainspring.training.own.recipe_list import RECIPES
from mainspring.training.recipe import Made
from mainspring.training.run import Run

pytestmark = pytest.mark.torch

DRINKS, SIZES = ("latte", "mocha", "tea", "espresso"), ("small", "large", "medium")
TEXTS = [f"I would like a {size} {drink}, please. One {size} {drink} it is." for drink in DRINKS for size in SIZES]
SIZE: dict[str, Any] = {
    "width": 32,
    "layers": 2,
    "heads": 2,
    "kv_heads": 1,
    "length": 32,
    "rate": 5e-3,
    "warmup": 5,
    "batch": 8,
}
STEPS: dict[str, Any] = {"steps": 60, "every": 20, "save": 30, "rate": 5e-3, "batch": 8}


def run(path: Path, name: str, rows: list[dict[str, Any]], base: Path | None = None, **options: Any) -> Made:
    pytest.importorskip("torch").set_num_threads(1)
    folder = Folder(path)
    folder.create(RunRequest(name, options, base=str(base or "")))
    for side in ("train", "validation", "test"):
        chosen = rows if side == "train" else rows[:4]
        (folder.data / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chosen))
    recipe = next(each for each in RECIPES if each.name == name)
    made = Run(recipe, folder, folder.asked).do()
    assert all((folder.output / each).exists() for each in made.files)
    return made


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Made]:
    path = tmp_path_factory.mktemp("pretrained")
    rows = [{"text": text} for text in TEXTS * 4]
    return path, run(path, "pretrain", rows, vocabulary=320, prompts=["I would like a large"], **SIZE | STEPS)


def test_a_model_learns_what_its_texts_say(pretrained: tuple[Path, Made]) -> None:
    path, made = pretrained
    assert made.makes == "language-model"
    assert made.figures["perplexity"] < 4 < made.figures["perplexity_by_frequency"] < made.before["perplexity"]
    assert made.counted["perplexity"] == 4
    low, high = made.intervals["bits_per_character"]
    assert low <= made.figures["bits_per_character"] <= high
    before, after = Folder(path).samples()
    assert before["text"] != after["text"]
    assert "please" in after["text"]


def test_others_read_it_with_its_tokenizer(pretrained: tuple[Path, Made]) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizer = transformers.AutoTokenizer.from_pretrained(pretrained[0] / "output")
    model = transformers.AutoModelForCausalLM.from_pretrained(pretrained[0] / "output")
    ids = tokenizer("<s>I would like a large", return_tensors="pt").input_ids
    written = tokenizer.decode(model.generate(ids, max_new_tokens=30, do_sample=False)[0], skip_special_tokens=True)
    ours = Folder(pretrained[0]).samples()[-1]["text"]
    assert written == f"I would like a large{ours}"
    turns = [{"role": "user", "content": "hi"}]
    asked = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert asked == "<s><|user|>hi</s><|assistant|>"


@pytest.mark.parametrize("objective", ["masked", "span"])
def test_other_objectives_are_learned_with_a_tokenizer_that_is_given(
    pretrained: tuple[Path, Made], tmp_path: Path, objective: str
) -> None:
    rows = [{"text": text} for text in TEXTS * 4]
    if objective == "span":
        with pytest.raises(InvalidRequest, match="sentinels"):
            run(tmp_path, "pretrain-with", rows, pretrained[0] / "output", objective=objective, **SIZE | STEPS)
        made = run(tmp_path / "span", "pretrain", rows, objective=objective, vocabulary=320, **SIZE | STEPS)
    else:
        made = run(tmp_path, "pretrain-with", rows, pretrained[0] / "output", objective=objective, **SIZE | STEPS)
    assert made.figures["perplexity"] < made.before["perplexity"] / 5


def test_the_second_stage_learns_to_answer(pretrained: tuple[Path, Made], tmp_path: Path) -> None:
    rows = [
        {"prompt": f"{size} {drink}", "completion": f"One {size} {drink} it is."} for drink in DRINKS for size in SIZES
    ] * 4
    base = pretrained[0] / "output"
    made = run(tmp_path, "finetune-own", rows, base, prompts=["large tea"], **STEPS)

    assert made.makes == "chat"
    assert made.figures["perplexity"] < 2 < made.before["perplexity"]
    assert Folder(tmp_path).samples()[-1]["text"].startswith("One ")
    assert shape_of(tmp_path / "output") == shape_of(base)
    assert made.entry["files"] == [{"name": "model.gguf"}]
    told = [json.loads(line) for line in (tmp_path / "output" / "parity.jsonl").read_text().splitlines()]
    assert [each["text"] for each in told][:2] == ["small latte", "One small latte it is."]
    assert all(0 < each["loss"] < 10 for each in told)


def test_pairs_are_learned_by_an_encoder_with_decoder(tmp_path: Path) -> None:
    rows = [{"text": text} for text in TEXTS * 4]
    run(tmp_path / "base", "pretrain", rows, objective="span", vocabulary=320, **SIZE | STEPS | {"steps": 20})
    pairs = [{"source": f"{size} {drink}", "target": f"{drink} {size}"} for drink in DRINKS for size in SIZES]
    made = run(tmp_path / "tuned", "finetune-own", pairs * 4, tmp_path / "base" / "output", **STEPS | {"steps": 100})
    assert made.figures["perplexity"] < made.before["perplexity"] / 5
    with pytest.raises(InvalidRequest, match="is not a pair"):
        run(tmp_path / "texts", "finetune-own", rows, tmp_path / "base" / "output", **STEPS)


def test_a_base_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no tokenizer") as caught:
        run(tmp_path, "pretrain-with", [{"text": "a"}], tmp_path)
    assert caught.value.param == "base"
