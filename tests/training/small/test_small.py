"""Recipes that need no torch, over rows whose answer is known."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import NothingLearned
from mainspring.engines import builtin
from mainspring.features.variants.values import AnsweringValue, ExamplesValue
from mainspring.rag.answer.evidence.features import NAMES
from mainspring.rag.answer.verbatim.choice_weights import TERMS
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.recipe import Made
from mainspring.training.recipes import find
from mainspring.training.run import Run
from mainspring.training.small.examples import spread
from mainspring.training.small.searched import says, searched
from tests.rag.conftest import WordEmbedder


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    async def embedder(_: object) -> WordEmbedder:
        return WordEmbedder()

    monkeypatch.setattr(builtin, "embedder", embedder)


def ran(path: Path, recipe: str, sides: dict[str, list[dict[str, Any]]], **options: Any) -> Made:
    folder = Folder(path)
    folder.create(RunRequest(recipe, options=options))
    for side, rows in sides.items():
        (folder.data / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Run(find(recipe), folder, folder.asked).do()


def recorded(count: int, seed: int, *, decides: str = "before", noise: float = 0.6) -> list[dict[str, Any]]:
    """Questions whose right sentence has more of one term, and less of what the shipped weights prefer."""
    drawn, rows = random.Random(seed), []
    for _ in range(count):
        found = []
        right = drawn.randrange(4)
        for place in range(4):
            values = dict.fromkeys(TERMS, 0.0)
            values["own"] = drawn.uniform(0, noise)
            values[decides] = drawn.uniform(0.5, 1.0) if place == right else drawn.uniform(0, 0.4)
            found.append({"terms": [values[name] for name in TERMS], "right": place == right})
        answerable = drawn.random() < 0.5
        evidence = dict.fromkeys(NAMES, 0.0) | {"chunk": 0.5, "pairs": drawn.gauss(0.7 if answerable else 0.2, 0.1)}
        rows.append({"candidates": found, "features": evidence, "answerable": answerable})
    return rows


def test_weights_and_evidence_are_fitted_to_what_decides(tmp_path: Path) -> None:
    sides = {"train": recorded(120, 1), "validation": recorded(60, 2), "test": recorded(80, 3)}
    made = ran(tmp_path, "answering", sides)
    value = AnsweringValue.model_validate(made.value)
    assert value.choice() is not None
    assert made.value["weights"]["before"] > 0.35
    assert made.figures["first_right"] > made.before["first_right"] + 0.2
    assert value.calibration is not None
    assert value.calibration.weights["pairs"] > 0
    assert made.figures["judged_right"] > made.before["judged_right"] + 0.2
    assert made.counted == {"first_right": 80, "judged_right": 80}


def test_what_is_no_better_than_the_shipped_is_left_out(tmp_path: Path) -> None:
    """Sentences in which the shipped weights are right already, and questions of one kind."""
    rows = [{**row, "answerable": True} for row in recorded(60, 4, decides="cosine", noise=0.0)]
    with pytest.raises(NothingLearned):
        ran(tmp_path, "answering", {"train": rows, "validation": rows[:20], "test": rows[:20]})


async def test_rows_with_documents_are_searched_as_answers_are() -> None:
    lamp, chair = "Lamp seven weighs 70 grams. It is red.", "Chair seven stands still. It is old."
    row = {"question": "How much does lamp seven weigh?", "documents": [chair, lamp], "answer": "70 grams"}
    found = await searched(row, WordEmbedder())
    assert found is not None
    assert found.terms.shape == (4, len(TERMS))
    assert found.right.tolist() == [True, False, False, False]
    assert found.answerable is True
    assert found.features["covered"] > 0
    missing = await searched({**row, "documents": [chair], "answer": ""}, WordEmbedder())
    assert missing is not None
    assert (missing.answerable, missing.right.any()) == (False, False)
    # What a person wrote may be in no document: that is not answered from them.
    other = await searched({**row, "documents": [chair]}, WordEmbedder())
    assert other is not None
    assert other.answerable is False
    assert await searched({"question": "", "documents": [lamp], "answer": "70 grams"}, WordEmbedder()) is None
    assert await searched({"text": "Nothing is asked."}, WordEmbedder()) is None


def test_examples_are_far_from_each_other_and_name_the_answer_that_they_are_of(tmp_path: Path) -> None:
    def row(question: str, answer: str) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}

    rows = [row(f"Where is order {word}?", f"Order {word} is on its way.") for word in ("one", "two", "three")]
    rows += [row("Who paints whales?", "Nobody paints whales."), row("Who paints whales?", "Twice.")]
    folder = Folder(tmp_path)
    folder.create(RunRequest("examples"))
    lines = "".join(json.dumps({"answers": [f"ans_{number}"]}) + "\n" for number in range(len(rows)))
    (folder.data / "train.lineage.jsonl").write_text(lines)
    made = ran(tmp_path, "examples", {"train": rows, "test": rows[3:4]}, most=2, nearest=1)
    value = ExamplesValue.model_validate(made.value)
    assert {each.question for each in value.examples} >= {"Who paints whales?"}
    assert len(value.examples) == 2
    assert {each.source for each in value.examples} <= {"ans_0", "ans_1", "ans_2", "ans_3"}
    assert made.figures["likeness"] == 1.0
    with pytest.raises(NothingLearned):
        ran(tmp_path / "none", "examples", {"train": []})


def test_what_a_person_wrote_is_recognised_in_a_sentence() -> None:
    assert says("The deposit is £40, due at once.", "£40")
    assert not says("The deposit is £400.", "£40")
    assert not says("It is red.", "")
    edit = "The deposit of forty pounds is due when the boat is collected."
    assert says("A deposit of forty pounds is due when the boat is collected.", edit)
    assert not says("The boat is red and was built when nobody looked.", edit)


def test_equal_questions_are_taken_once() -> None:
    import numpy as np

    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    assert sorted(spread(vectors, 3)) in ([0, 2], [1, 2])
