from __future__ import annotations

from mainspring.engines.openvino.admission import Admission
from mainspring.engines.openvino.slots import SlotCapacity, spare_of


def fill(room: SlotCapacity, tenant: str, tokens: int) -> int:
    """Take as much as fits for ``tenant``, one after the other; how many."""
    taken = 0
    while room.fits(tenant, 1, tokens):
        room.take(tenant, 1, tokens)
        taken += 1
    return taken


def test_one_tenant_alone_has_all_slots_but_the_spare_ones() -> None:
    room = SlotCapacity(32, 65_536, spare=spare_of(32))
    assert fill(room, "a", 100) == 32
    assert fill(room, "b", 100) == 4
    assert (room.slots, room.tokens) == (36, 3600)
    for _ in range(32):
        room.give("a", 1, 100)
    # What is kept is for whoever holds less than its share, whoever that is.
    assert fill(room, "b", 100) == 28
    assert fill(room, "a", 100) == 4


def test_long_answers_leave_an_eighth_of_the_cache() -> None:
    room = SlotCapacity(32, 65_536, spare=4)
    assert fill(room, "a", 2100) * 2100 <= 65_536 * 7 / 8
    assert room.fits("b", 1, 8000)
    # One that holds nothing may have what is there, and one that is alone everything.
    assert SlotCapacity(32, 65_536, spare=4).fits("a", 1, 65_536)


def test_shares_go_by_weight() -> None:
    room = SlotCapacity(12, 1200, spare=4, weigh=lambda tenant: 3.0 if tenant == "gold" else 1.0)
    assert fill(room, "tin", 1) == 12
    assert fill(room, "gold", 1) == 4
    for _ in range(8):
        room.give("tin", 1, 1)
    assert fill(room, "gold", 1) == 5
    assert room.held["gold"].slots == 3 / 4 * 12


def test_without_spare_slots_everything_is_for_everybody() -> None:
    room = SlotCapacity(2, 100)
    assert fill(room, "a", 50) == 2
    assert not room.fits("b", 1, 1)


def test_in_the_line_of_an_engine_a_tenant_below_its_share_passes_one_above() -> None:
    admission: Admission[str] = Admission(4, 1000, spare=1)
    jobs = [f"a{number}" for number in range(6)]
    for job in jobs:
        admission.push(job, place=admission.arrive(), priority=0, width=1, tokens=100, tenant="a")
    admission.push("b", place=admission.arrive(), priority=0, width=1, tokens=100, tenant="b")
    assert [admission.pop() for _ in range(6)] == ["a0", "a1", "a2", "a3", "b", None]
    admission.release(width=1, tokens=100, tenant="b")
    assert admission.pop() is None
    admission.release(width=1, tokens=100, tenant="a")
    assert admission.pop() == "a4"
    assert admission.withdraw(jobs[5])
    assert admission.waiting == 0
