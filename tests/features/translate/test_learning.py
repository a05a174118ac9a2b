"""The recipe `translate`: it learns, goes on from a checkpoint as if it had not stopped, and is served."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.features.translate.engine.translator import Translator
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.recipe import Interrupted
from mainspring.training.recipes import find
from mainspring.training.run import Run

pytestmark = pytest.mark.torch
WORDS = {"red": "rouge", "blue": "bleu", "old": "vieux", "new": "neuf", "house": "toit", "car": "char", "dog": "chien"}
OPTIONS: dict[str, Any] = {
    "vocabulary": 200, "width": 32, "inner": 64, "heads": 2, "encoder_layers": 1, "decoder_layers": 1,
    "pretrain_steps": 5, "steps": 450, "warmup": 10, "batch_tokens": 512, "rate": 5e-3, "precision": "fp32",
    "beam": 2, "weights": "int8", "masked": 0.5,
}  # fmt: skip


@pytest.fixture(autouse=True)
def few_threads() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("sacrebleu")
    torch.set_num_threads(1)


def rows(count: int, seed: int) -> list[dict[str, str]]:
    drawn = random.Random(seed)
    made = []
    for _ in range(count):
        words = [drawn.choice(list(WORDS)) for _ in range(drawn.randint(2, 5))]
        name = drawn.choice(("Tom", "Ann", "Bob"))
        made.append(
            {
                "source": f"{name} {' '.join(words)}.", "target": f"{name} {' '.join(WORDS[each] for each in words)}.",
                "from": "en", "to": "fr", "domain": "words",
            }
        )  # fmt: skip
    return made


def folder(place: Path, **options: Any) -> Folder:
    made = Folder(place)
    made.create(RunRequest("translate", {**OPTIONS, **options}, threads=1))
    for side, found in (("train", rows(400, 1)), ("validation", rows(20, 2)), ("test", rows(60, 3))):
        text = "".join(json.dumps(row) + "\n" for row in found)
        (made.data / f"{side}.jsonl").write_text(text, encoding="utf-8")
    return made


class Stopping(Run):
    """Stops after so many steps."""

    left = 10**9

    def stopping(self) -> bool:
        self.left -= 1
        return self.left <= 0


def run(made: Folder, steps: int = 10**9) -> Any:
    found = Stopping(find("translate"), made, made.asked)
    found.left = steps
    return found.do()


def test_it_learns_what_words_mean_and_keeps_marks(tmp_path: Path) -> None:
    place = folder(tmp_path / "run")
    made = run(place)
    assert made.makes == "translator"
    assert made.figures["bleu.words.en-fr"] > 60, made.figures
    assert made.figures["bleu.words.fr-en"] > 60
    assert made.counted["bleu.words.en-fr"] == 60
    low, high = made.intervals["bleu.words.en-fr"]
    assert low <= made.figures["bleu.words.en-fr"] <= high
    # The words stand in the same order here: so good is a dictionary, too.
    assert made.before["bleu.words.en-fr"] > 80
    translator = Translator(place.output / "translator")
    assert translator.card.pairs == ("en-fr", "fr-en")
    said = translator.translated([f"<p{number}> old red house." for number in range(3)], "en", "fr")
    assert sum(f"<p{number}>" in each.text for number, each in enumerate(said)) >= 2, said


def test_a_run_that_stopped_goes_on_as_if_it_had_not(tmp_path: Path) -> None:
    whole, parted = (folder(tmp_path / name, steps=24, tested=4) for name in ("whole", "parted"))
    run(whole)
    # Pieces that are equally likely are learned in any order: the vocabulary is made once for a run.
    shutil.copy(whole.checkpoints / "tokenizer.json", parted.checkpoints)
    for steps in (4, 9):
        with pytest.raises(Interrupted):
            run(parted, steps)
    run(parted)
    figures = [
        [each["figures"]["loss"] for each in one.metrics() if "loss" in each["figures"]] for one in (whole, parted)
    ]
    assert figures[0] == figures[1] != []
    weights = [(one.output / "translator" / "model.bin").read_bytes() for one in (whole, parted)]
    assert weights[0] == weights[1]


def test_data_without_pairs_is_refused(tmp_path: Path) -> None:
    place = folder(tmp_path / "run")
    (place.data / "train.jsonl").write_text('{"source": "a", "target": ""}\n', encoding="utf-8")
    with pytest.raises(InvalidRequest, match="line 1: a pair has source"):
        run(place)


def test_one_pair_alone_is_learned_one_way(tmp_path: Path) -> None:
    place = folder(tmp_path / "run", steps=3, both=False, pairs=["en-fr"], tested=2)
    assert set(run(place).counted) == {f"{each}.words.en-fr" for each in ("bleu", "chrf", "meteor", "copied")}


def learning_on(place: Path, start: Path, rows_: list[dict[str, str]], **options: Any) -> Folder:
    """A run from a version in the folder ``start``, with a few rows and other sizes, which do not count."""
    made = Folder(place)
    asked = {**OPTIONS, "pretrain_steps": 0, "width": 48, "heads": 3, "encoder_layers": 2, "rate": 1e-3, **options}
    made.create(RunRequest("translate", asked, threads=1, given={"start": str(start)}))
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows_)
    (made.data / "train.jsonl").write_text(text, encoding="utf-8")
    for side, count in (("validation", 10), ("test", 60)):
        text = "".join(json.dumps(row) + "\n" for row in rows(count, 3))
        (made.data / f"{side}.jsonl").write_text(text, encoding="utf-8")
    return made


def test_it_learns_on_from_a_version_and_forgets_nothing_that_was_not_edited(tmp_path: Path) -> None:
    first = folder(tmp_path / "first")
    before = run(first).figures["bleu.words.en-fr"]
    # People want another word for one of seven.
    edits = [{**each, "target": each["target"].replace("chien", "toutou")} for each in rows(60, 5)]
    again = learning_on(tmp_path / "again", first.path, edits, steps=60)
    made = run(again)
    told = [each["figures"]["loss"] for each in again.metrics() if "loss" in each["figures"]]
    begun = [each["figures"]["loss"] for each in first.metrics() if "loss" in each["figures"]]
    assert told[0] < begun[0] - 0.5
    assert made.figures["bleu.words.en-fr"] > before / 2
    # What it is compared with is the translator that it learned on from.
    assert made.before["bleu.words.en-fr"] == pytest.approx(before)
    assert any("learned on from" in each for each in made.notes)
    assert {each["step"] for each in again.samples()} >= {0, 60}
    translator = Translator(again.output / "translator")
    assert "vieux" in translator.translated(["Tom old dog."], "en", "fr")[0].text
    # It can be started from again, and knows nothing of languages that the first one has no mark for.
    with pytest.raises(InvalidRequest, match="does not know the language 'de'"):
        run(learning_on(tmp_path / "german", again.path, [{**each, "to": "de"} for each in edits], steps=1))


def test_a_version_without_sizes_is_no_start(tmp_path: Path) -> None:
    (tmp_path / "old" / "translator").mkdir(parents=True)
    with pytest.raises(InvalidRequest, match="nothing can learn on from it"):
        run(learning_on(tmp_path / "run", tmp_path / "old", rows(20, 1), steps=1))
