"""Metrics: the guide's worked examples as corrected, and what happens at the edges."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.ranking import DEFAULT, ranked, score

TOP_5 = {"q": ["A", "B", "C", "D", "E"]}
ALL = ("hit@5", "recall@5", "precision@5", "mrr", "map", "ndcg@5")


def one(judged: dict[str, int], ranking: list[str], metric: str) -> float:
    return score({"q": judged}, {"q": ranking}, [metric]).values[metric]["q"]


@pytest.mark.parametrize(("place", "expected"), [(1, 1.0), (3, 1 / 3), (10, 0.1)])
def test_reciprocal_rank_of_the_worked_example(place: int, expected: float) -> None:
    ranking = [f"d{number}" for number in range(1, 11)]
    assert one({f"d{place}": 1}, ranking, "mrr") == pytest.approx(expected)


def test_one_relevant_document_at_place_three() -> None:
    found = {name: one({"C": 1}, TOP_5["q"], name) for name in ALL}
    # nDCG: 1 / log2(3 + 1), the ideal being 1.
    assert found == pytest.approx(
        {"hit@5": 1, "recall@5": 1, "precision@5": 0.2, "mrr": 1 / 3, "map": 1 / 3, "ndcg@5": 0.5}
    )


def test_two_relevant_of_five() -> None:
    assert one({"C": 1, "D": 1}, TOP_5["q"], "precision@5") == pytest.approx(0.4)
    assert one({"C": 1, "D": 1}, TOP_5["q"], "map") == pytest.approx((1 / 3 + 2 / 4) / 2)


def test_hit_rate_is_not_recall_with_more_than_one_relevant_document() -> None:
    judged = {"C": 1, "X": 1, "Y": 1, "Z": 1}
    assert one(judged, TOP_5["q"], "hit@5") == 1
    assert one(judged, TOP_5["q"], "recall@5") == pytest.approx(0.25)


def test_hit_rate_of_the_worked_example_and_of_a_miss() -> None:
    assert one({"C": 1}, TOP_5["q"], "hit@5") == 1
    assert one({"C": 1}, TOP_5["q"], "hit@2") == 0
    assert one({"F": 1}, [*TOP_5["q"], "F"], "hit@5") == 0
    assert one({"F": 1}, [*TOP_5["q"], "F"], "recall@5") == 0


def test_the_mean_reciprocal_rank_of_the_three_worked_places() -> None:
    ranking = [f"d{number}" for number in range(1, 11)]
    scores = score({f"q{n}": {f"d{n}": 1} for n in (1, 3, 10)}, {f"q{n}": ranking for n in (1, 3, 10)}, ["mrr"])
    assert scores.mean("mrr") == pytest.approx((1 + 1 / 3 + 1 / 10) / 3)


def test_grades_of_the_guide_from_0_to_3() -> None:
    judged = {"A": 3, "B": 2, "C": 1, "D": 0}
    assert one(judged, ["A", "B", "C", "D"], "ndcg@4") == pytest.approx(1)
    assert one(judged, ["A", "C", "B", "D"], "ndcg@4") < 1
    ideal = 3 + 2 / math.log2(3) + 1 / 2
    assert one(judged, ["D", "C", "B", "A"], "ndcg@4") == pytest.approx(
        (1 / math.log2(3) + 2 / 2 + 3 / math.log2(5)) / ideal
    )


@given(
    judged=st.dictionaries(st.sampled_from("ABCDEFGH"), st.integers(0, 3), min_size=1),
    ranking=st.permutations("ABCDEFGHIJ").flatmap(lambda names: st.integers(1, 10).map(lambda n: list(names[:n]))),
    k=st.integers(1, 12),
)
def test_every_metric_is_its_definition(judged: dict[str, int], ranking: list[str], k: int) -> None:
    assume(any(judged.values()))
    relevant = {name for name, gain in judged.items() if gain > 0}
    found = [name in relevant for name in ranking]
    ideal = sorted(judged.values(), reverse=True)[:k]
    precisions = [sum(found[: place + 1]) / (place + 1) for place, hit in enumerate(found) if hit]
    expected = {
        f"hit@{k}": float(any(found[:k])),
        f"recall@{k}": sum(found[:k]) / len(relevant),
        f"precision@{k}": sum(found[:k]) / k,
        "mrr": 1 / (found.index(True) + 1) if any(found) else 0.0,
        "map": sum(precisions) / len(relevant),
        f"ndcg@{k}": sum(judged.get(name, 0) / math.log2(place + 2) for place, name in enumerate(ranking[:k]))
        / sum(gain / math.log2(place + 2) for place, gain in enumerate(ideal)),
    }
    assert {name: one(judged, ranking, name) for name in expected} == pytest.approx(expected, abs=1e-4)


def test_graded_gains_are_taken_as_they_are() -> None:
    judged = {"A": 1, "B": 3, "X": 2}
    ideal = 3 + 2 / math.log2(3) + 1 / math.log2(4)
    assert one(judged, ["A", "B"], "ndcg@10") == pytest.approx((1 + 3 / math.log2(3)) / ideal)
    assert one(judged, ["B", "X", "A"], "ndcg@10") == pytest.approx(1)


def test_the_mean_counts_queries_without_a_ranking_as_nothing_found() -> None:
    scores = score({"q": {"A": 1}, "r": {"A": 1}, "s": {"A": 1}}, {"q": ["A"], "r": []}, ALL)
    for name in ALL:
        assert scores.values[name]["r"] == scores.values[name]["s"] == 0
    assert scores.mean("mrr") == pytest.approx(1 / 3)


def test_without_any_ranking_everything_is_zero() -> None:
    assert score({"q": {"A": 1}}, {}).values == {name: {"q": 0.0} for name in DEFAULT}


def test_queries_without_a_relevant_document_are_left_out_and_named() -> None:
    scores = score({"q": {"A": 1}, "none": {}, "zero": {"A": 0}}, {"q": ["A"], "zero": ["A"]}, ["mrr"])
    assert scores.values["mrr"] == {"q": 1.0}
    assert scores.unjudged == ("none", "zero")
    with pytest.raises(InvalidRequest, match="no query has a relevant document"):
        score({"none": {}}, {}, ["mrr"]).mean("mrr")


def test_a_document_listed_twice_counts_where_it_stands_first() -> None:
    assert one({"B": 1}, ["A", "A", "A", "B"], "mrr") == pytest.approx(0.5)
    assert one({"A": 1}, ["A", "A"], "precision@2") == pytest.approx(0.5)


def test_documents_without_a_judgement_and_with_gain_zero_are_not_relevant() -> None:
    assert one({"B": 1, "A": 0}, ["A", "unknown", "B"], "mrr") == pytest.approx(1 / 3)


def test_a_long_ranking_keeps_its_order() -> None:
    ranking = [f"{number:05}" for number in range(20_000)]
    assert one({"19999": 1}, ranking, "mrr") == pytest.approx(1 / 20_000)


def test_equal_scores_are_put_in_the_order_of_their_ids() -> None:
    assert ranked({"b": 1.0, "a": 1.0, "c": 2.0, "d": 0.5}) == ["c", "a", "b", "d"]


@pytest.mark.parametrize("name", ["recall", "hit@0", "ndgc@10", "mrr@", "precision"])
def test_an_unknown_metric_is_refused_with_those_that_exist(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"there is no metric .*\. Use hit@k"):
        score({"q": {"A": 1}}, {"q": ["A"]}, [name])
