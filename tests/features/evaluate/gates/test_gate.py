"""Gates ask no more than they need, count the cases of one source once, and report what was lost."""

import random

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Message
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.features.evaluate.gates.gate import Ask, gate
from mainspring.features.evaluate.gates.report import markdown
from mainspring.statistics.sequential import Pairs


def cases(count: int, of_source: int = 1) -> list[Example]:
    return [
        Example(
            str(n),
            (Message("user", f"question {n}"),),
            ("right",),
            group=f"s{n // of_source}" if of_source > 1 else "",
        )
        for n in range(count)
    ]


def side(wrong: set[int], asked: list[str] | None = None) -> Ask:
    async def answer(case: Example) -> ExampleAnswer:
        if asked is not None:
            asked.append(case.id)
        return ExampleAnswer("wrong" if int(case.id) in wrong else "right")

    return answer


async def exact(case: Example, answered: ExampleAnswer) -> float:
    return float(answered.text in case.references)


async def test_a_planted_drop_is_found_and_the_rest_is_spared() -> None:
    asked: list[str] = []
    wrong = set(random.Random(2).sample(range(3000), 600))
    found = await gate(cases(3000), side(wrong, asked), side(set()), exact, Pairs(0.03))
    assert found.verdict == "worse"
    assert len(asked) == len(found.judged) == 3000 - found.spared < 200
    assert found.difference.high < 0
    assert found.means["incumbent"] == 1


async def test_a_candidate_with_the_same_answers_passes() -> None:
    found = await gate(cases(3000), side(set()), side(set()), exact, Pairs(0.03))
    assert (found.verdict, found.worst) == ("not worse", [])
    assert found.spared > 2000


async def test_too_few_cases_are_undecided() -> None:
    found = await gate(cases(5), side({1}), side({2}), exact, Pairs(0.03))
    assert (found.verdict, found.spared) == ("undecided", 0)
    assert "Undecided after all 5 cases" in markdown(found, "new", "old", "exact")


async def test_cases_of_one_source_are_one_observation() -> None:
    pairs = Pairs(0.03)
    await gate(cases(40, of_source=10), side({1}), side({2}), exact, pairs)
    assert pairs.pairs == 4


async def test_the_order_depends_on_the_seed_alone() -> None:
    orders: list[list[str]] = []
    for seed in (1, 1, 2):
        asked: list[str] = []
        await gate(cases(30), side(set(), asked), side({3}), exact, Pairs(0.01), seed=seed)
        orders.append(asked)
    assert orders[0] == orders[1] != orders[2]


async def test_the_report_shows_what_was_lost() -> None:
    async def noisy(case: Example) -> ExampleAnswer:
        return ExampleAnswer("a | b\n" + "x" * 500)

    found = await gate(cases(40), noisy, side(set()), exact, Pairs(0.03))
    text = markdown(found, "new", "old", "exact", shown=3)
    assert text.startswith("**new is worse than old.**")
    assert text.count("| -1.00 |") == 3
    assert "a \\| b x" in text


async def test_scores_outside_0_to_1_are_refused() -> None:
    async def seven(_case: Example, _answered: ExampleAnswer) -> float:
        return 7.0

    with pytest.raises(InvalidRequest, match="between 0 and 1"):
        await gate(cases(3), side(set()), side(set()), seven, Pairs(0.03))
    with pytest.raises(InvalidRequest):
        await gate([], side(set()), side(set()), exact, Pairs(0.03))


async def test_cases_without_a_score_are_left_out_and_counted() -> None:
    async def halves(case: Example, answered: ExampleAnswer) -> float | None:
        number = int(case.id)
        if number % 2:
            return None
        return None if number == 0 and answered.text == "wrong" else float(answered.text == "right")

    asked: list[str] = []
    found = await gate(cases(20), side({0}, asked), side(set()), halves, Pairs(0.03), unasked={"no reference": 4})
    assert (len(found.judged), found.spared, len(asked)) == (9, 0, 20)
    reasons = {"no reference": 4, "neither answer has a score": 10, "only the incumbent's answer has a score": 1}
    assert found.left_out == reasons
    text = markdown(found, "new", "old", "halves")
    assert all(f"| left out: {why} | {count} |" in text for why, count in reasons.items())

    async def nothing(_case: Example, _answered: ExampleAnswer) -> None:
        return None

    with pytest.raises(InvalidRequest, match="none of the 5 cases has a score"):
        await gate(cases(5), side(set()), side(set()), nothing, Pairs(0.03))
