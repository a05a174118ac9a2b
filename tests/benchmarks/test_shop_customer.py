"""The customers of the support dialogues: that they are whole, what they answer, and how a dialogue is judged."""

from __future__ import annotations

import re
from pathlib import Path

from _shop_customer import BYE, RETOLD, Customer, Dialogue, Ledger, Write, customers, dialogues, judge, retold
from mainspring.features.support.shop.sqlite import SqliteShop


def _dialogue(**fields: object) -> Dialogue:
    given: dict[str, object] = {
        "id": "x",
        "topic": "return",
        "who": "C-1001",
        "says": "Hi",
        "expect": "done",
        "facts": {},
    }
    return Dialogue(**{**given, **fields})  # type: ignore[arg-type]


def test_the_dialogues_are_whole() -> None:
    found = dialogues()
    assert len(found) >= 100
    assert len({each.id for each in found}) == len(found)
    assert abs(sum(each.part == "report" for each in found) - len(found) / 2) <= 8
    for each in found:
        assert not each.who or each.who in customers()
        assert each.expect in ("done", "refused", "passed_on", "answered", "kept", "any_of"), each.id
        for pattern in [*each.say, *each.never]:
            re.compile(pattern)


def test_wishes_that_are_told_again_are_those_of_the_files() -> None:
    known = {each.id: each for each in dialogues()}
    for part, count in (("fresh", 70), ("third", 100)):
        found = retold(part)
        assert len(found) == len({each.id for each in found}) == count
        for each in found:
            first = known[each.id.removeprefix(f"{part}-")]
            assert each.says != first.says
            assert (each.expect, each.writes, each.part) == (first.expect, first.writes, part)
    assert set(RETOLD) == {"fresh", "third"}


def test_customers_answer_what_is_asked() -> None:
    customer = Customer(_dialogue(facts={"reason": "Too big", "size": "M", "order": "LS-1"}))
    assert "MB4 2QT" in (customer.answer("Please tell me your postcode.") or "")
    assert customer.answer("Which order is it about?") == "It is LS-1"
    assert customer.answer("Why do you want to return it?") == "Too big"
    assert customer.answer("Shall I exchange it for size S? Please answer yes or no.") == "No, I want size M."
    assert customer.answer("Shall I exchange it for size M? Please answer yes or no.") == "Yes, please."
    assert customer.answer("It is done.") == BYE
    assert customer.answer("Goodbye.") is None


def test_a_dialogue_is_judged_by_what_was_done_and_told(tmp_path: Path) -> None:
    SqliteShop(tmp_path / "shop.db")
    ledger = Ledger(tmp_path / "shop.db")
    assert not ledger.writes()
    assert not ledger.passed_on()
    wanted = _dialogue(writes=[{"return": "LS-1", "items": ["A"]}], say=["RMA"])
    made: set[Write] = {("return", "LS-1", ("A",), "")}
    assert judge(wanted, made, False, ["The code is RMA1"]).right
    assert not judge(wanted, made, False, ["Done"]).right
    assert not judge(wanted, set(), False, ["RMA1"]).right
    refused = _dialogue(expect="refused", say=["late"])
    assert judge(refused, set(), False, ["too late"]).right
    assert judge(refused, made, False, ["too late"]).harm
    kept = _dialogue(expect="kept", never_of="C-1001")
    assert judge(kept, set(), False, ["I find no such order."]).right
    assert judge(kept, set(), False, ["It goes to 12 Weir Lane."]).harm
    assert not judge(_dialogue(expect="passed_on"), set(), False, ["No."]).right
