"""What another harness measured is a finished experiment: written whole, once, and comparable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest, NotFound, QuotaExceeded
from mainspring.core.types import Message
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.recorded import EvaluationRecords, RecordedEvaluation, RecordedRow
from tests.features.experiments.world import Lab, lab


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path, experiments={"kept": 3, "max_answers": 50}) as opened:
        yield opened


def evaluation(model: str, scores: Sequence[float], digest: str = "") -> RecordedEvaluation:
    rows = [
        RecordedRow(
            Example(
                f"q{n}", (Message("user", f"Question {n}?"),), ("yes",), group=f"g{n // 2}", tags={"half": f"{n % 2}"}
            ),
            ExampleAnswer("yes" if value else "no", model, completion_tokens=2, duration_s=0.5),
            {"acc": value},
            {"acc": "because"},
        )
        for n, value in enumerate(scores)
    ]
    return RecordedEvaluation(
        "quiz", model, (digest or model).encode().hex().ljust(64, "0"), rows, 1_000.0, {"file": "f"}
    )


async def test_an_evaluation_becomes_a_finished_experiment(home: Lab) -> None:
    assert isinstance(home.experiments, EvaluationRecords)
    name, new = await home.experiments.record(home.who, evaluation("small", [1, 0, 1, 1]), "quiz")
    assert new
    row = await home.experiments.results.get(home.who, name)
    assert (row.state, row.total, row.done, row.ended_at, row.name) == ("completed", 4, 4, 1_000.0, "quiz, small")
    report = await home.experiments.report(home.who, row)
    (small,) = report["responders"]
    assert small["scores"]["acc"]["mean"] == 0.75
    # Four questions, of which two each are alike.
    assert small["scores"]["acc"]["groups"] == 2
    assert "partial" not in report
    examples = await home.data.examples(home.who, "quiz")
    assert [each.id for each in examples] == ["q0", "q1", "q2", "q3"]
    places = await home.experiments.results.places(home.who.tenant, name, 10, -1)
    assert [each.example_id for each in places] == ["q0", "q1", "q2", "q3"]


def one(name: str, question: str = "Where?", seconds: float | None = 0.5, score: float = 1.0) -> RecordedRow:
    answered = ExampleAnswer("yes", "small", error="lost \ud800\0", duration_s=seconds)
    return RecordedRow(Example(name, (Message("user", question),), ("y\0es",), group="g\0"), answered, {"acc": score})


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (one(""), "no id"),
        (one("q0", "Other?"), "the id q0"),
        (one("b", seconds=float("nan")), "seconds"),
        (one("b", seconds=float("inf")), "seconds"),
        (one("b", seconds=-1.0), "seconds"),
        (one("b", score=float("nan")), "score"),
    ],
)
async def test_a_row_that_cannot_be_kept_is_named_before_anything_is(home: Lab, wrong: RecordedRow, told: str) -> None:
    found = evaluation("small", [1])
    with pytest.raises(InvalidRequest, match=f"row 2 has .*{told}"):
        await home.experiments.record(home.who, replace(found, rows=[*found.rows, wrong]), "quiz")
    with pytest.raises(NotFound):
        await home.data.version(home.who, "quiz")


async def test_texts_that_no_store_keeps_are_cleaned(home: Lab) -> None:
    found = evaluation("sm\0all", [1])
    rows = [*found.rows, one("b", "NUL \0 and \ud800?"), one("c\0", "Other?", None)]
    name, new = await home.experiments.record(home.who, replace(found, rows=rows), "quiz")
    assert new
    assert (await home.experiments.results.get(home.who, name)).total == 3
    examples = await home.data.examples(home.who, "quiz")
    assert [each.id for each in examples] == ["q0", "b", "c\N{REPLACEMENT CHARACTER}"]
    # The same questions, asked of another model, are the same version.
    await home.experiments.record(home.who, replace(found, digest="ab" * 32, model="other", rows=rows), "quiz")
    assert (await home.data.version(home.who, "quiz")).number == 1


async def test_the_same_log_is_taken_once(home: Lab) -> None:
    first = await home.experiments.record(home.who, evaluation("small", [1, 0]), "quiz")
    again = await home.experiments.record(home.who, evaluation("small", [1, 0]), "quiz")
    assert (first[1], again[1]) == (True, False)
    assert first[0] == again[0]
    assert (await home.data.version(home.who, "quiz")).number == 1


async def test_two_models_on_the_same_questions_are_compared_in_pairs(home: Lab) -> None:
    old, _ = await home.experiments.record(home.who, evaluation("small", [0, 0, 0, 1, 0, 0, 0, 0]), "quiz")
    new, _ = await home.experiments.record(home.who, evaluation("large", [1, 1, 0, 1, 1, 1, 1, 1]), "quiz")
    assert (await home.data.version(home.who, "quiz")).number == 1
    found = await home.experiments.drift(home.who, old, new, "")
    text = str(found)
    assert "0.75" in text


async def test_other_questions_make_a_version(home: Lab) -> None:
    await home.experiments.record(home.who, evaluation("small", [1, 0]), "quiz")
    await home.experiments.record(home.who, evaluation("large", [1, 0, 1]), "quiz")
    found = await home.data.version(home.who, "quiz")
    assert (found.number, found.examples) == (2, 3)


async def test_bounds_are_reported(home: Lab) -> None:
    with pytest.raises(InvalidRequest, match="51 answers are more"):
        await home.experiments.record(home.who, evaluation("small", [1.0] * 51), "quiz")
    for model in "abc":
        await home.experiments.record(home.who, evaluation(model, [1, 0]), "quiz")
    with pytest.raises(QuotaExceeded, match="3 experiments are kept"):
        await home.experiments.record(home.who, evaluation("d", [1, 0]), "quiz")
