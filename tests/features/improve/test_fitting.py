"""The recipe ``answers-shown``: what it chooses, what it keeps of a killed run, and what it refuses."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mainspring.core.errors import InvalidRequest, NothingLearned
from mainspring.core.settings import RagSettings
from mainspring.features.improve import fitting
from mainspring.features.improve.recipes import RECIPES
from mainspring.rag.library import Library
from mainspring.training import recipes
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.recipe import Interrupted
from mainspring.training.run import Run
from tests.rag.conftest import WordEmbedder, furnish
from tests.rag.shelf import put

LONG = "Yes it takes ten days. Ask at the desk. We open at eight. Bring a receipt."
SHORT = "Yes it takes ten days."


class Shortened:
    """Answers are short from ``near`` .2 on, and say nothing at 0."""

    def __init__(self) -> None:
        self.asked: list[dict[str, float]] = []

    @classmethod
    async def open(cls, stack: AsyncExitStack, tenant: str, name: str) -> Shortened:
        assert (tenant, name) == ("acme", "handbook")
        return ANSWERS[0]

    async def scores(self, given: Mapping[str, float], pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
        self.asked.append(dict(given))
        near = given.get("near", 0.4)
        text = LONG if near > 0.2 else SHORT if near > 0 else "No."
        return [fitting._score(text, kept) for _, kept in pairs]


ANSWERS: list[Shortened] = []


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Shortened:
    ANSWERS[:] = [Shortened()]
    monkeypatch.setattr(fitting, "_Answers", Shortened)
    return ANSWERS[0]


def run(tmp_path: Path, rows: int = 10, **options: Any) -> Run:
    folder = Folder(tmp_path / "job")
    asked = RunRequest("answers-shown", {"collection": "handbook", **options}, tenant="acme")
    folder.create(asked)
    said = [
        {"messages": [{"role": "user", "content": f"Q{n}?"}, {"role": "assistant", "content": f"{SHORT} [1]"}]}
        for n in range(rows)
    ]
    for side in ("train", "test"):
        (folder.data / f"{side}.jsonl").write_text("\n".join(json.dumps(each) for each in said))
    return Run(RECIPES[0], folder, asked)


def test_it_is_listed_and_needs_no_torch() -> None:
    assert recipes.find("answers-shown").needs == ()


def test_the_weights_are_those_whose_answers_are_like_what_people_kept(answers: Shortened, tmp_path: Path) -> None:
    made = run(tmp_path).do()
    assert (made.makes, made.value) == ("answering", {"weights": {"near": 0.2}})
    assert made.before["f1"] < made.figures["f1"] == 1.0
    assert made.counted["f1"] == 10


def test_what_loses_what_people_kept_is_not_chosen_however_short(answers: Shortened, tmp_path: Path) -> None:
    with pytest.raises(NothingLearned, match="no other weights are better"):
        run(tmp_path, tried={"near": [0.0]}).do()
    assert run(tmp_path / "2", tried={"near": [0.0]}, lost=1.0, gain=-1.0).do().value == {"weights": {"near": 0.0}}


def test_a_killed_run_tries_nothing_twice(answers: Shortened, tmp_path: Path) -> None:
    first = run(tmp_path)
    first.folder.stop()
    with pytest.raises(Interrupted):
        first.do()
    assert answers.asked == [{}]
    (first.folder.path / "stop").unlink()
    Run(RECIPES[0], first.folder, first.folder.asked).do()
    assert answers.asked.count({}) == 2  # of train, and of test


def test_too_few_rows_teach_nothing_and_a_wrong_option_is_named(answers: Shortened, tmp_path: Path) -> None:
    with pytest.raises(NothingLearned, match="3 rows"):
        run(tmp_path, rows=3).do()
    with pytest.raises(InvalidRequest) as found:
        run(tmp_path / "2", questions=1)
    assert found.value.param == "options.questions"


async def test_a_verbatim_answer_takes_the_question_as_the_run_asks_it(tmp_path: Path, read_here: None) -> None:
    words = RagSettings(refuse_below=0.05)
    async with contextlib.asynccontextmanager(furnish)(tmp_path / "home", WordEmbedder(), words) as room:
        await put(room, "loans.md", "A tent loan lasts ten days.\n\nThe tent desk opens at eight.")
        library = SimpleNamespace(answering=lambda _, variation: room.answerer(choice=variation.choice))
        answers = fitting._Answers(cast(Library, library), room.collection)
        pairs = [("How many days does a tent loan last?", "A tent loan lasts ten days.")]
        ((shipped, kept),), ((near, _),) = await answers.scores({}, pairs), await answers.scores({"near": 0.0}, pairs)
    assert kept == 1.0
    assert 0 < shipped <= near
