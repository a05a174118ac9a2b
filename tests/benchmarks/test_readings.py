"""What readers say of answers, and how far two of them agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from _readings import Reading, agreement, mean, read
from mainspring.core.errors import InvalidRequest


def readings(*grades: int) -> dict[str, Reading]:
    return {f"q{number}": Reading(grade) for number, grade in enumerate(grades)}


def test_readings_are_read_by_question(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text('{"id": "q1", "readable": 2}\n\n{"id": "q2", "readable": 0, "false": true, "note": "57 for 79"}\n')
    assert read(path) == {"q1": Reading(2), "q2": Reading(0, True, "57 for 79")}


@pytest.mark.parametrize(
    "line", ["{", '{"id": "q1"}', '{"id": "q1", "readable": 3}', '{"id": "q", "readable": true}', "[]"]
)
def test_a_line_that_is_no_reading_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text('{"id": "q1", "readable": 2}\n' + line)
    with pytest.raises(InvalidRequest, match=r"one\.jsonl line 2"):
        read(path)


def test_two_readers_agree_by_weighted_kappa() -> None:
    assert agreement(readings(0, 1, 2), readings(0, 1, 2)).kappa == 1.0
    # By hand: squared differences (0, 1, 1, 0), of chance those of every grade with every other.
    found = agreement(readings(0, 1, 2, 2), readings(0, 2, 1, 2))
    assert (found.n, found.same) == (4, 0.5)
    assert found.kappa == pytest.approx(1 - 0.5 / 1.375)
    assert agreement(readings(2, 2), readings(2, 2)).kappa is None
    with pytest.raises(InvalidRequest, match="in common"):
        agreement({"a": Reading(1)}, {"b": Reading(1)})


def test_the_mean_is_of_the_grades() -> None:
    assert mean(readings(2, 1, 0, 2)) == 1.25
    with pytest.raises(InvalidRequest):
        mean({})
