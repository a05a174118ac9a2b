"""Online metrics count what their definitions say, each user once, on events written by hand."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

import pytest
from scipy import stats

from mainspring.core.facts.opinions import session_name
from mainspring.core.facts.registry import read
from mainspring.core.types import EventRecord
from mainspring.evaluation.online import DAY, Definition, Watch, median

START = 20_000 * DAY
TENANT = "acme"


def event(name: str, at: float, kind: str, subject: str = "", person: str = "", **facts: Any) -> EventRecord:
    return EventRecord(name, START + at, TENANT, "", subject, read(kind, facts), person=person)


def answer(name: str, at: float, person: str = "", session: str = "", **facts: Any) -> EventRecord:
    given = {"status": "completed", "session_id": session or None, "key_id": "key_1", "requested": "shop", **facts}
    return event(name, at, "answer", person=person, **given)


def outcome(at: float, metric: str, value: float, about: str, arms: Mapping[str, str] | None = None) -> EventRecord:
    name = about if about.startswith("ans_") else session_name(TENANT, about)
    return event(f"evt_{at}_{about}_{metric}", at, "outcome", name, metric=metric, value=value, arms=arms)


def watched(records: list[EventRecord], **definition: Any) -> Watch:
    watch = Watch(Definition(**definition))
    for each in sorted(records, key=lambda each: each.at):
        watch.add(each)
    return watch


def test_acceptance_is_the_share_of_suggestions_that_were_taken() -> None:
    records = [answer(f"ans_{n}", n, person=f"p{n % 2}") for n in range(4)]
    records += [outcome(10 + n, "compose_accepted", float(n != 1), f"ans_{n}") for n in range(4)]
    # The latest told value counts.
    records.append(outcome(20, "compose_accepted", 0.0, "ans_0"))
    found = watched(records).figures(START + DAY)["acceptance"][""]
    assert (found.value, found.n) == (0.5, 4)
    assert "acceptance" not in watched(records, accepted=("other",)).figures(START + DAY)


def test_a_user_counts_once_however_often_they_come() -> None:
    many = [answer(f"ans_{n}", n, person="one") for n in range(40)]
    many += [outcome(100 + n, "accepted", 1.0, f"ans_{n}") for n in range(40)]
    apart = [answer(f"ans_{n}", n, person=f"p{n}") for n in range(40)]
    apart += [outcome(100 + n, "accepted", 1.0, f"ans_{n}") for n in range(40)]
    one, all_of_them = (watched(each).figures(START + DAY)["acceptance"][""] for each in (many, apart))
    assert one.value == all_of_them.value == 1.0
    assert one.low < 0.25 < 0.9 < all_of_them.low


def test_thumbs_count_the_latest_of_each_person_and_answer() -> None:
    records = [answer("ans_1", 0, "a"), answer("ans_2", 1, "b")]
    rated = [("ans_1", "a", "down"), ("ans_1", "a", "up"), ("ans_1", "b", "down"), ("ans_2", "b", "up")]
    for at, (about, person, rating) in enumerate(rated):
        facts = {"rating": rating, "person": person, "key_id": "k"}
        records.append(EventRecord(f"evt_{at}", START + 10 + at, TENANT, "", about, read("feedback", facts)))
    records.append(event("evt_9", 30, "feedback", "ans_2", rating=None, comment="hm", key_id="k"))
    found = watched(records).figures(START + DAY)["thumbs"][""]
    assert (found.value, found.n) == pytest.approx((2 / 3, 3))


def test_time_to_complete_is_from_the_first_question_to_the_end_of_the_task() -> None:
    records = []
    for number, seconds in enumerate((60, 90, 120, 40, 300, 80)):
        at = 1_000.0 * number
        # It took five seconds to answer: the task began when it was asked.
        records.append(answer(f"ans_{number}", at + 5, f"p{number}", f"s{number}", duration_s=5.0))
        records.append(answer(f"ans_{number}b", at + 30, f"p{number}", f"s{number}", duration_s=1.0))
        records.append(outcome(at + seconds, "completed", 1.0, f"s{number}"))
    records += [answer("ans_x", 9_000, "x", "sx"), outcome(9_100, "completed", 0.0, "sx")]
    found = watched(records).figures(START + DAY)
    time = found["time_to_complete"][""]
    assert (time.value, time.n) == (85.0, 6)
    assert (time.low, time.high) == (40.0, 300.0)
    assert (found["completion"][""].value, found["completion"][""].n) == pytest.approx((6 / 7, 7))


def test_times_with_and_without_are_beside_each_other() -> None:
    records = [answer("ans_1", 0, "a", "s1"), outcome(50, "completed", 1.0, "s1")]
    records += [outcome(60 + n, "by_hand", 200.0 + n, f"t{n}") for n in range(3)]
    times = watched(records, seconds="by_hand").figures(START + DAY)["time_to_complete"]
    assert times[""].value == 50.0
    assert times["by_hand"].value == 201.0


def test_conversion_is_of_users_who_were_active_by_arm() -> None:
    records = [answer(f"ans_{n}", n, f"p{n}", f"s{n}", arm="new" if n < 4 else "old") for n in range(10)]
    records += [outcome(100 + n, "order", 1.0, f"s{n}") for n in (0, 1, 5)]
    records.append(outcome(200, "order", 0.0, "s6"))
    found = watched(records, converted="order").figures(START + DAY)["conversion"]
    assert {arm: (each.value, each.n) for arm, each in found.items()} == {
        "": (0.3, 10),
        "shop: new": (0.5, 4),
        "shop: old": (pytest.approx(1 / 6), 6),
    }


def test_retention_counts_who_comes_back_in_the_next_whole_period() -> None:
    days = {"a": (0, 8, 15), "b": (1,), "c": (7, 16), "d": (20,)}
    records = [answer(f"ans_{who}{day}", day * DAY + 60, who) for who, of in days.items() for day in of]
    # Three whole weeks: a comes back twice, b not, c once; what comes after the third is not known yet.
    found = watched(records).figures(START + 21 * DAY)
    assert (found["retention"][""].value, found["retention"][""].n) == (0.75, 4)
    # The day after the first of a, b, c and d: d's is not over.
    assert (found["day_1"][""].value, found["day_1"][""].n) == (0.0, 3)
    assert found["day_7"][""].n == 3
    assert "day_28" not in found
    by_key = watched(records, by="key").figures(START + 21 * DAY)
    assert by_key["retention"][""].n == 2


def test_answers_to_nobody_are_distinguished_and_replays_do_not_count() -> None:
    watch = watched([answer("ans_1", 0), event("rep_1", 1, "replay", person="a", status="completed")])
    assert (watch.answers, watch.unnamed) == (1, 1)
    assert watch.figures(START + DAY) == {}


@pytest.mark.parametrize("n", [6, 7, 30, 101])
def test_the_median_s_interval_is_that_of_the_quantile_test(n: int) -> None:
    values = [float(each) ** 1.5 for each in range(n)]
    found = median(values)
    reference = stats.quantile_test(values, q=statistics.median(values), p=0.5).confidence_interval(0.95)
    assert found.value == statistics.median(values)
    assert (found.low, found.high) == (reference.low, reference.high)


def test_few_values_have_no_interval() -> None:
    assert median([1.0, 2.0, 3.0]).high == math.inf
    with pytest.raises(ValueError, match="no values"):
        median([])
