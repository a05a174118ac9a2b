"""Cases: opened once, in the right queue, seen by the right people, worked on by one at a time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, Message, Principal
from mainspring.features.desk.holdings import DeskCases
from mainspring.features.desk.store.cases import CaseFilter
from mainspring.features.desk.tables import desk_cases, desk_messages
from mainspring.serving.memory.layer import stored_name
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.sql.pages import Page
from tests.features.desk.desk_world import ADA, BEN, SHOP, STRANGER, case, made, tool


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def count(opened: Stores, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return int(await opened.database.read(lambda connection: connection.execute(query).scalar_one()))


async def test_a_case_is_opened_once_for_each_key(opened: Stores) -> None:
    desk = made(opened)
    first = await desk.open_case(case(), tool("k1"))
    assert (first.number, first.queue, first.status) == ("CS-1001", "general", "open")
    assert await desk.open_case(case(), tool("k1")) == first
    assert (await desk.open_case(case(), tool("k2"))).number == "CS-1002"
    # The same key of another tenant is another case, with numbers of its own.
    other = await desk.open_case(case(), tool("k1", who=Principal("other", "key_x")))
    assert other.number == "CS-1001"
    assert len(await opened.events.find("acme", kind="case")) == 2


async def test_the_first_fitting_rule_names_the_queue(opened: Stores) -> None:
    rules = [
        {"queue": "vip", "priorities": ["urgent"], "topics": ["refund"]},
        {"queue": "returns", "topics": ["refund", "return"]},
    ]
    desk = made(opened, rules=rules, queue="front")
    assert (await desk.open_case(case(priority="urgent"), tool("a"))).queue == "vip"
    assert (await desk.open_case(case(), tool("b"))).queue == "returns"
    assert (await desk.open_case(case(topic="invoice"), tool("c"))).queue == "front"


async def test_a_case_is_for_its_customer_and_its_tenant(opened: Stores) -> None:
    desk = made(opened)
    number = (await desk.open_case(case(customer="cust_7"), tool("a"))).number
    assert (await desk.find_case(number, "cust_7", tool(""))).number == number
    for who, customer in ((SHOP, "cust_8"), (SHOP, ""), (STRANGER, "cust_7")):
        with pytest.raises(NotFound):
            await desk.find_case(number, customer, tool("", who=who))
    with pytest.raises(NotFound):
        await desk.view(Context(STRANGER), number)
    assert not (await desk.store.page(STRANGER, Page(), CaseFilter())).rows


async def test_only_people_in_the_groups_of_a_conversation_work_on_it(opened: Stores) -> None:
    desk = made(opened)
    closed = Principal("acme", "key_hr", groups=frozenset({"hr"}))
    number = (await desk.open_case(case(), tool("a", who=closed))).number
    with pytest.raises(NotFound):
        await desk.take_case(Context(ADA), number)
    assert await desk.next_case(Context(ADA), ()) is None
    assert not (await desk.store.page(ADA, Page(), CaseFilter())).rows
    assert await desk.store.counts(ADA) == []
    ann = Principal("acme", "key_ann", groups=frozenset({"hr", "staff"}))
    assert (await desk.take_case(Context(ann), number)).status == "taken"


async def test_the_oldest_of_the_highest_priority_is_next(opened: Stores) -> None:
    desk = made(opened)
    for subject, priority in (("first", "normal"), ("second", "high"), ("third", "high"), ("fourth", "low")):
        await desk.open_case(case(subject, priority=priority), tool(subject))
    taken = [await desk.next_case(Context(ADA), ()) for _ in range(5)]
    assert [each and each.subject for each in taken] == ["second", "third", "first", "fourth", None]


async def test_a_person_gets_cases_of_the_own_queues(opened: Stores) -> None:
    desk = made(opened, rules=[{"queue": "returns", "topics": ["refund"]}])
    await desk.open_case(case("a refund", priority="urgent"), tool("a"))
    await desk.open_case(case("an invoice", topic="invoice"), tool("b"))
    await desk.people.put(BEN, "Ben", ("general",))
    found = await desk.next_case(Context(BEN), ())
    assert found is not None
    assert (found.subject, found.assignee_name) == ("an invoice", "Ben")
    assert await desk.next_case(Context(BEN), ()) is None


async def test_one_person_at_a_time_works_on_a_case(opened: Stores) -> None:
    desk = made(opened)
    number = (await desk.open_case(case(), tool("a"))).number
    await desk.take_case(Context(ADA), number)
    await desk.take_case(Context(ADA), number)
    for act in (desk.take_case(Context(BEN), number), desk.say(Context(BEN), number, "Hello")):
        with pytest.raises(Conflict):
            await act
    await desk.assign(Context(ADA), number, "", "")
    assert (await desk.take_case(Context(BEN), number)).assignee == "key_ben"
    passed = await desk.assign(Context(BEN), number, "key_ada", "second-level")
    assert (passed.assignee, passed.queue) == ("key_ada", "second-level")


async def test_a_conversation_goes_through_the_person_until_the_case_is_closed(opened: Stores) -> None:
    desk = made(opened)
    number = (await desk.open_case(case(), tool("a"))).number
    request = ChatRequest("support", (Message("user", "Is anybody there?"),), session_id="talk")
    asking = Context(SHOP)
    attended = await desk.take(request, asking)
    assert attended is not None
    assert number in attended.notice
    done = await desk.say(Context(ADA), number, "I am. The refund is on its way.")
    assert (done.case.status, done.case.due_at, done.case.assignee) == ("waiting", None, "key_ada")
    # The answer is a message of the session, which the customer reads.
    said = await opened.sessions.all_messages("acme", stored_name(SHOP, "talk"))
    assert [(each.message.role, each.message.content) for each in said] == [
        ("assistant", "I am. The refund is on its way.")
    ]
    await desk.say(Context(BEN), number, "Ask for the receipt.", "note")
    lines = (await desk.view(Context(ADA), number)).lines
    assert [(each.author, each.text) for each in lines] == [
        ("customer", "Is anybody there?"),
        ("person", "I am. The refund is on its way."),
        ("note", "Ask for the receipt."),
    ]
    # Another session, and another tenant's of that name, are not touched.
    assert await desk.take(ChatRequest("support", request.messages, session_id="other"), Context(SHOP)) is None
    assert await desk.take(request, Context(STRANGER)) is None
    closed = await desk.close_case(Context(ADA), number, resolution="solved")
    assert (closed.status, closed.resolution) == ("closed", "solved")
    assert await desk.take(request, Context(SHOP)) is None
    with pytest.raises(Conflict):
        await desk.say(Context(ADA), number, "One more thing")
    assert (await desk.reopen(Context(BEN), number)).status == "open"
    actions = [each.facts.plain()["action"] for each in await opened.events.find("acme", kind="case")]
    assert actions == ["opened", "asked", "taken", "answered", "noted", "closed", "reopened"]


async def test_a_ticket_leaves_the_agent_on_the_conversation(opened: Stores) -> None:
    desk = made(opened)
    number = (await desk.open_case(case(kind="ticket"), tool("a"))).number
    request = ChatRequest("support", (Message("user", "And my invoice?"),), session_id="talk")
    assert await desk.take(request, Context(SHOP)) is None
    await desk.take_case(Context(ADA), number, attend=True)
    assert await desk.take(request, Context(SHOP)) is not None
    await desk.close_case(Context(ADA), number, hand_back=True)
    assert await desk.take(request, Context(SHOP)) is None
    assert (await desk.view(Context(ADA), number)).case.status == "taken"


async def test_customers_who_wait_too_long_are_counted_once(opened: Stores) -> None:
    desk = made(opened)
    number = (await desk.open_case(case(priority="urgent"), tool("a"))).number
    await desk.sweep()
    late = sa.update(desk_cases).values(due_at=time.time() - 1)
    await opened.database.write(lambda connection: connection.execute(late))
    for _ in range(2):
        await desk.sweep()
    registry = desk._rooms.telemetry.metrics.registry
    assert registry.get_sample_value("mainspring_desk_overdue", {"queue": "general"}) == 1
    assert registry.get_sample_value("mainspring_desk_actions_total", {"queue": "general", "action": "overdue"}) == 1
    assert [each.number for each in (await desk.store.page(ADA, Page(), CaseFilter(late=True))).rows] == [number]
    await desk.say(Context(ADA), number, "Sorry.")
    await desk.sweep()
    assert registry.get_sample_value("mainspring_desk_overdue", {"queue": "general"}) == 0
    assert registry.get_sample_value("mainspring_desk_wait_seconds_count", {"queue": "general"}) == 1


async def test_the_audit_log_says_who_read_and_answered(opened: Stores) -> None:
    desk = made(opened)
    number = (await desk.open_case(case(), tool("a"))).number
    for _ in range(2):
        await desk.view(Context(BEN), number)
    await desk.say(Context(ADA), number, "Hello")
    found = [(each.action, each.actor) for each in await opened.audit.after("acme", 0)]
    told = [each for each in found if each[0].startswith("desk.")]
    assert told == [("desk.case_read", "key_ben"), ("desk.case_taken", "key_ada"), ("desk.case_answered", "key_ada")]


async def test_wrong_cases_name_what_is_wrong(opened: Stores) -> None:
    desk = made(opened, max_open=1)
    for new, param in ((case(""), "subject"), (case(body="x" * 20_001), "body"), (case(priority="max"), "priority")):
        with pytest.raises(InvalidRequest) as caught:
            await desk.open_case(new, tool("a"))
        assert caught.value.param == param
    await desk.open_case(case(), tool("a"))
    with pytest.raises(QuotaExceeded):
        await desk.open_case(case(), tool("b"))


@pytest.mark.parametrize(
    "subject", [Subject("acme", "user", "ann"), Subject("acme", "user", "cust_7"), Subject("acme", "session", "talk")]
)
async def test_cases_are_shown_to_their_subject_and_erased(opened: Stores, subject: Subject) -> None:
    desk = made(opened)
    number = (await desk.open_case(case(customer="cust_7"), tool("a", user="ann"))).number
    await desk.open_case(case(), tool("b", "other"))
    await desk.say(Context(ADA), number, "Hello Ann")
    holding = DeskCases(opened.database, opened.blobs)
    [shown] = await holding.find(subject, SubjectData(), time.time())
    assert (shown["number"], shown["messages"][0]["text"]) == (number, "Hello Ann")
    assert await holding.erase(subject, SubjectData(), time.time()) == 1
    assert not await holding.find(subject, SubjectData(), time.time())
    for table, left in ((desk_cases, 1), (desk_messages, 0)):
        assert await count(opened, table) == left
    # Their events say nothing personal any more.
    about = await opened.events.find("acme", kind="case", subject=shown["id"])
    assert about
    assert not any(each.person or each.facts.plain().get("session_id") for each in about)


async def test_closed_cases_go_after_their_time(opened: Stores) -> None:
    desk = made(opened, retention_days=30)
    number = (await desk.open_case(case(), tool("a"))).number
    await desk.open_case(case(), tool("b"))
    await desk.close_case(Context(ADA), number)
    await desk.sweep()
    assert len((await desk.store.page(ADA, Page(), CaseFilter())).rows) == 2
    old = sa.update(desk_cases).where(desk_cases.c.number == number).values(closed_at=time.time() - 31 * 86_400)
    await opened.database.write(lambda connection: connection.execute(old))
    await desk.sweep()
    assert [each.number for each in (await desk.store.page(ADA, Page(), CaseFilter())).rows] == ["CS-1002"]
