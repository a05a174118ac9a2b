"""Kappa and alpha equal the published examples, and the reference implementation of alpha (krippendorff 0.8)."""

import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.agreement import Level, alpha, alpha_interval, kappa

# Four observers of twelve units: Krippendorff (2011), section C.
_OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)
RATINGS = {
    f"observer {number}": {f"unit {place}": label for place, label in enumerate(labels) if label is not None}
    for number, labels in enumerate(_OBSERVERS)
}


@pytest.mark.parametrize(
    ("level", "value"), [("nominal", 0.743421052631579), ("ordinal", 0.8153875037548814), ("interval", 0.84910714)]
)
def test_alpha_of_the_published_example(level: Level, value: float) -> None:
    assert alpha(RATINGS, level) == pytest.approx(value, abs=1e-8)


def test_an_interval_of_alpha_holds_it() -> None:
    found = alpha_interval(RATINGS)
    assert 0 < found.low < found.value < found.high <= 1
    # The unit of one observer says nothing.
    assert found.n == 11


def test_labels_that_are_all_equal_agree() -> None:
    assert alpha({"a": {"x": "good", "y": "good"}, "b": {"x": "good", "y": "good"}}) == 1


def test_opposite_labels_are_worse_than_chance() -> None:
    assert alpha({"a": {"x": "good", "y": "bad"}, "b": {"x": "bad", "y": "good"}}) < 0


def test_kappa_of_a_worked_example() -> None:
    # Cohen's table of 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no.
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    found = kappa(first, second)
    assert (found.agreement, found.by_chance) == pytest.approx((0.7, 0.5))
    assert found.kappa == pytest.approx(0.4)
    assert found.base_rate == pytest.approx(0.6)


def test_a_judge_that_always_says_the_common_label_has_no_kappa_to_show() -> None:
    people = [True] * 95 + [False] * 5
    found = kappa([True] * 100, people)
    assert found.agreement == pytest.approx(0.95)
    assert found.kappa == pytest.approx(0)
    assert kappa([True] * 3, [True] * 3).kappa is None


@pytest.mark.parametrize(
    ("ratings", "level"),
    [({"a": {"x": 1}, "b": {"y": 2}}, "nominal"), ({"a": {"x": "good"}, "b": {"x": "bad"}}, "ordinal")],
)
def test_what_cannot_be_compared_is_refused(ratings: dict[str, dict[str, float | str]], level: Level) -> None:
    with pytest.raises(InvalidRequest):
        alpha(ratings, level)


def test_raters_of_different_items_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        kappa([1, 2], [1])
