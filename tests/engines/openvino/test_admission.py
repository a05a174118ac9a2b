from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.engines.openvino.admission import Admission


def push(admission: Admission[str], job: str, *, priority: int = 0, width: int = 1, tokens: int = 10) -> None:
    admission.push(job, place=admission.arrive(), priority=priority, width=width, tokens=tokens)


def test_first_come_first_served_within_a_priority() -> None:
    admission: Admission[str] = Admission(8, 1000)
    for job in ("a", "b"):
        push(admission, job)
    push(admission, "urgent", priority=1)
    assert [admission.pop() for _ in range(4)] == ["urgent", "a", "b", None]


def test_bounds_sequences_and_tokens() -> None:
    admission: Admission[str] = Admission(2, 100)
    push(admission, "wide", width=2, tokens=10)
    push(admission, "long", tokens=95)
    push(admission, "small", tokens=10)
    assert admission.pop() == "wide"
    assert admission.pop() is None
    admission.release(width=2, tokens=10)
    assert admission.pop() == "long"
    # The head is never overtaken, and nothing fits beside the long one.
    assert admission.pop() is None
    assert admission.waiting == 1


def test_impossible_jobs_are_refused() -> None:
    admission: Admission[str] = Admission(2, 100)
    with pytest.raises(ValueError, match="capacity"):
        push(admission, "wide", width=3)
    with pytest.raises(ValueError, match="capacity"):
        push(admission, "long", tokens=101)


def test_withdrawn_jobs_do_not_run() -> None:
    admission: Admission[str] = Admission(1, 100)
    push(admission, "a")
    push(admission, "b")
    assert admission.withdraw("a")
    assert not admission.withdraw("a")
    assert admission.pop() == "b"


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.integers(1, 50)), max_size=30))
def test_everything_runs_and_no_bound_is_passed(jobs: list[tuple[int, int, int]]) -> None:
    admission: Admission[tuple[int, int, int, int]] = Admission(4, 50)
    for number, (priority, width, tokens) in enumerate(jobs):
        job = (number, priority, width, tokens)
        admission.push(job, place=admission.arrive(), priority=priority, width=width, tokens=tokens)
    ran: list[tuple[int, int, int, int]] = []
    running: list[tuple[int, int, int, int]] = []
    while admission.waiting or running:
        while (job_or_none := admission.pop()) is not None:
            running.append(job_or_none)
            assert admission.running <= 4
            assert admission.reserved <= 50
        done = running.pop(0)
        admission.release(width=done[2], tokens=done[3])
        ran.append(done)
    assert sorted(job[0] for job in ran) == list(range(len(jobs)))
    assert (admission.running, admission.reserved) == (0, 0)
