"""Agent Assist: what is made for a case, from what it is made, and what people do with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio
from fastapi import Request

from mainspring import stores
from mainspring.agents.runs import CalledTool
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.path import replay
from mainspring.core.settings import Settings
from mainspring.core.types import (
    ChatRequest,
    Citation,
    Context,
    Event,
    Finish,
    Head,
    Message,
    Principal,
    Response,
    Text,
)
from mainspring.features.desk.assist import summary
from mainspring.features.desk.assist.facts import facts_of, told
from mainspring.features.desk.service import SupportDesk
from mainspring.features.desk.store.assists import Assistance
from mainspring.features.desk.store.cases import CaseFilter
from mainspring.features.desk.store.records import Case
from mainspring.features.desk.streams import bodies
from mainspring.features.desk.transcripts import TranscriptLine
from mainspring.serving.memory.layer import stored_name
from mainspring.stores import Stores
from mainspring.stores.sessions.turns import SessionTurn
from tests.features.desk.desk_world import ADA, BEN, SHOP, case, keyed, made, tool

RULE = "Refunds above 100 euros are approved by a manager within two days."
TALK = [
    Message("user", "I want a refund for order C-1042, it cost 129 euros."),
    Message("assistant", "I cannot refund more than 100 euros."),
]


class Around:
    """Knowledge of one collection, and a model that writes summaries."""

    def __init__(self, summary: str = "The customer wants a refund for C-1042.") -> None:
        self.summary = summary
        self.asked: list[ChatRequest] = []
        self.callers: list[Principal] = []
        self.path = SimpleNamespace(chat={"writer": object()}, registry=self)
        self.library = SimpleNamespace(search=self)
        self.responder = self

    async def models(self, principal: Principal) -> list[Any]:
        return [SimpleNamespace(name="handbook", kind="collection"), SimpleNamespace(name="writer", kind="chat")]

    async def search(self, context: Context, name: str, wanted: Any) -> Any:
        self.callers.append(context.principal)
        hit = SimpleNamespace(source="refunds.md", heading="Refunds", text=RULE, score=0.9)
        return SimpleNamespace(hits=[SimpleNamespace(hit=hit)])

    async def respond(self, request: ChatRequest, context: Context) -> Response:
        self.asked.append(request)
        said: list[Event] = [Text(self.summary)]
        if request.model == "handbook":
            said = [Text(f"{RULE} [1]"), Citation(1, "doc", "refunds.md", RULE, 0, len(RULE))]
        return Response(Head(request.model), replay([*said, Finish("stop")]))


class Tools:
    async def called_tools(self, principal: Principal, run_id: str) -> Sequence[CalledTool]:
        assert (principal.tenant, run_id) == ("acme", "run_1")
        order = {"order": {"id": "C-1042", "status": "delivered"}, "card": "4111 1111 1111 1111"}
        return [CalledTool("find_order", {"id": "C-1042"}, order)]


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        await keyed(found, SHOP)
        yield found


async def whole(service: SupportDesk, of: Case) -> Assistance:
    """The last of what is made, which has all."""
    *_, last = [each async for each in service.assist.stages(of)]
    return last


async def helped(opened: Stores, around: Around, **desk: Any) -> tuple[SupportDesk, str]:
    """A desk with a case about a conversation, whose assistance is made."""
    service = made(opened, assist=True, around=around, **desk)
    service.assist.tools = Tools()
    opened.events.heard.append(service.heard)
    turn = SessionTurn("acme", stored_name(SHOP, "talk"), tuple(TALK), "earlier", 5.0)
    await opened.events.settle([], [turn])
    number = (await service.open_case(case(references={"order": "C-1042"}), tool("k"))).number
    await service.view(Context(ADA), number)
    await service.assist.idle()
    return service, number


async def test_a_case_comes_with_what_helps_to_answer_it(opened: Stores) -> None:
    service, number = await helped(opened, Around(), summary_model="writer")
    found = (await service.view(Context(ADA), number)).assistance
    assert found is not None
    assert (found.summary, found.method) == ("The customer wants a refund for C-1042.", "writer")
    assert [each["source"] for each in found.hints] == ["refunds.md"]
    facts = {each["name"]: each["value"] for each in found.facts}
    assert facts == {
        "order": "C-1042",
        "order id": "C-1042",
        "order status": "delivered",
        "card": "[CREDIT_CARD]",
    }
    sources = {each.source: each for each in found.suggestions}
    assert sources.keys() == {"knowledge", "tools", "greeting"}
    # No mark of a source reaches a customer, and the person sees what it rests on.
    assert sources["knowledge"].text == RULE
    assert sources["knowledge"].citations[0]["source"] == "refunds.md"
    assert "status: delivered" in sources["tools"].text


class Slow(Around):
    """Knowledge and models that answer when they are let to."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = {name: asyncio.Event() for name in ("search", "handbook", "writer")}
        self.reached = {name: asyncio.Event() for name in self.steps}

    async def search(self, context: Context, name: str, wanted: Any) -> Any:
        await self._let("search")
        return await super().search(context, name, wanted)

    async def respond(self, request: ChatRequest, context: Context) -> Response:
        await self._let(request.model)
        return await super().respond(request, context)

    async def _let(self, step: str) -> None:
        self.reached[step].set()
        await self.steps[step].wait()


async def test_what_is_at_hand_waits_for_no_search_and_no_model(opened: Stores) -> None:
    around = Slow()
    service = made(opened, assist=True, around=around, summary_model="writer")
    service.assist.tools = Tools()
    opened.events.heard.append(service.heard)
    await opened.events.settle([], [SessionTurn("acme", stored_name(SHOP, "talk"), tuple(TALK), "earlier", 5.0)])
    number = (await service.open_case(case(references={"order": "C-1042"}), tool("k"))).number
    await service.view(Context(ADA), number)
    seen = []
    for step in around.steps:
        await around.reached[step].wait()
        found = (await service.view(Context(ADA), number)).assistance
        assert found is not None
        assert found.preparing
        assert "I want a refund for order C-1042" in found.summary
        seen.append(([each.source for each in found.suggestions], len(found.hints), len(found.facts)))
        around.steps[step].set()
    assert seen == [
        (["tools", "greeting"], 0, 4),
        (["tools", "greeting"], 1, 4),
        (["tools", "greeting", "knowledge"], 1, 4),
    ]
    await service.assist.idle()
    last = (await service.view(Context(ADA), number)).assistance
    assert last is not None
    assert (last.preparing, last.method, last.summary) == (False, "writer", around.summary)
    # Who has chosen one by its number still means the same one.
    assert [each.source for each in last.suggestions] == ["tools", "greeting", "knowledge"]


async def test_what_a_stopped_server_left_unfinished_is_made_when_somebody_looks(opened: Stores) -> None:
    around = Slow()
    service = made(opened, assist=True, around=around, summary_model="writer")
    number = (await service.open_case(case(), tool("k"))).number
    await service.view(Context(ADA), number)
    await around.reached["search"].wait()
    await service.assist.close()
    again = made(opened, assist=True, around=Around(), summary_model="writer")
    left = (await again.view(Context(ADA), number)).assistance
    assert left is not None
    assert left.preparing
    await again.assist.idle()
    found = (await again.view(Context(ADA), number)).assistance
    assert found is not None
    assert (found.preparing, found.method) == (False, "writer")


@pytest.mark.parametrize(
    ("called", "words"),
    [
        (CalledTool("track", {}, {"say": "It is on its way.", "state": "shipped"}), "It is on its way."),
        (CalledTool("track", {}, {"state": "shipped"}), "state: shipped."),
    ],
)
def test_a_tool_that_has_words_for_the_customer_is_quoted_with_them(called: CalledTool, words: str) -> None:
    opening = CalledTool("escalate", {}, {"say": "Your case is CS-7.", "ticket": "CS-7", "escalated": True})
    of = cast(Case, SimpleNamespace(number="CS-7", customer="", references={}))
    found = told(of, [called, opening])
    assert found is not None
    assert found.text == f"I have looked this up for you. {words}"
    assert facts_of(of, [called, opening]) == [{"name": "state", "value": "shipped", "from": "track"}]
    # That the case was opened is no news to whoever reads it.
    assert told(of, [opening]) is None


async def test_a_summary_with_numbers_that_nobody_said_is_not_shown(opened: Stores) -> None:
    service, number = await helped(opened, Around("The customer wants 500 euros for C-9999."), summary_model="writer")
    found = (await service.view(Context(ADA), number)).assistance
    assert found is not None
    assert found.method == "extractive"
    assert "C-9999" not in found.summary
    assert "I want a refund for order C-1042" in found.summary


async def test_each_message_of_the_customer_brings_other_suggestions(opened: Stores) -> None:
    around = Around()
    service, number = await helped(opened, around)
    before = (await service.view(Context(ADA), number)).assistance
    await service.say(Context(ADA), number, "I am looking.")
    request = ChatRequest(
        "support", (Message("user", "How long does a manager take to approve it?"),), session_id="talk"
    )
    await service.take(request, Context(SHOP))
    await service.assist.idle()
    after = (await service.view(Context(ADA), number)).assistance
    assert before is not None
    assert after is not None
    assert before.basis != after.basis
    assert {each.id for each in before.suggestions}.isdisjoint(each.id for each in after.suggestions)
    assert around.asked[-1].messages[-1].content == "How long does a manager take to approve it?"
    # A person has greeted already.
    assert [each.source for each in after.suggestions] == ["tools", "knowledge"]


@pytest.mark.parametrize(
    "wish", ["I want to speak to a person about it.", "Can you put me through to someone, please?"]
)
async def test_knowledge_is_searched_for_what_was_asked_before_a_person_was_wanted(opened: Stores, wish: str) -> None:
    around = Around()
    service, _ = await helped(opened, around)
    request = ChatRequest("support", (Message("user", wish),), session_id="talk")
    await service.take(request, Context(SHOP))
    await service.assist.idle()
    assert around.asked[-1].messages[-1].content == TALK[0].content


async def test_suggestions_stay_while_somebody_looks_at_them(opened: Stores) -> None:
    around = Around()
    service = made(opened, assist=True, around=around)
    number = (await service.open_case(case(), tool("k"))).number
    for _ in range(3):
        # Looked at again and again while it is made.
        await service.view(Context(ADA), number)
    await service.assist.idle()
    asked = len(around.asked)
    before = (await service.view(Context(ADA), number)).assistance
    assert before is not None
    assert before.suggestions
    # Another process makes it again: what is the same keeps its id.
    [found] = await service.store.queue(ADA, CaseFilter(), 1)
    await service.assist.store.put(found, await whole(service, found))
    after = (await service.view(Context(ADA), number)).assistance
    assert after is not None
    assert [each.id for each in after.suggestions] == [each.id for each in before.suggestions]
    await service.reject(Context(ADA), number, before.suggestions[0].id)
    await service.assist.store.put(found, await whole(service, found))
    again = (await service.view(Context(ADA), number)).assistance
    assert again is not None
    assert [each.decision for each in again.suggestions].count("rejected") == 1
    assert len(again.suggestions) == len(before.suggestions)
    assert asked == 1


@pytest.mark.parametrize(("sent", "decision"), [(RULE, "accepted"), (f"Hi. {RULE}", "edited"), ("", "rejected")])
async def test_what_becomes_of_a_suggestion_is_an_event(opened: Stores, sent: str, decision: str) -> None:
    service, number = await helped(opened, Around())
    view = await service.view(Context(ADA), number)
    assert view.assistance is not None
    suggestion = next(each.id for each in view.assistance.suggestions if each.source == "knowledge")
    if sent:
        await service.say(Context(ADA), number, sent, suggestion=suggestion)
    else:
        await service.reject(Context(ADA), number, suggestion)
    [event] = [
        each
        for each in await opened.events.find("acme", kind="case")
        if each.facts.plain().get("suggestion") is not None
    ]
    assert event.facts.plain()["action"] == decision
    assert json.loads(cast(str, event.content)) == {"suggestion": RULE, "sent": sent or None}
    with pytest.raises(Conflict):
        await service.reject(Context(ADA), number, suggestion)
    with pytest.raises(NotFound):
        await service.reject(Context(ADA), number, "suggest_other")


async def test_an_answer_whose_suggestion_is_unknown_is_not_sent(opened: Stores) -> None:
    service, number = await helped(opened, Around())
    with pytest.raises(NotFound):
        await service.say(Context(BEN), number, "Hello", suggestion="suggest_other")
    view = await service.view(Context(ADA), number)
    assert view.case.status == "open"
    assert [each.author for each in view.lines] == ["customer", "agent"]


async def test_watchers_see_each_change_at_once(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever misses a beat would look again after an hour.
    monkeypatch.setattr("mainspring.features.desk.service.LOOK_S", 3600.0)
    service, number = await helped(opened, Around())
    watching = service.watch(Context(ADA), number)
    assert (await anext(watching)).case.status == "open"
    await service.take_case(Context(ADA), number)
    async with asyncio.timeout(20):
        assert (await anext(watching)).case.status == "taken"
    await watching.aclose()


async def test_streams_end_when_the_server_stops() -> None:
    async def silence() -> AsyncIterator[dict[str, Any]]:
        yield {"a": 1}
        await asyncio.sleep(3600)

    stopping = asyncio.Event()
    http = cast(Request, SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(stopping=stopping))))
    frames = bodies("case", cast(Any, silence()), http)
    assert await anext(frames) == b'event: case\ndata: {"a":1}\n\n'
    stopping.set()
    async with asyncio.timeout(10):
        assert [each async for each in frames] == []


async def test_assistance_has_the_rights_that_the_key_has_now(opened: Stores) -> None:
    around = Around()
    service, _ = await helped(opened, around, summary_model="writer")
    assert [each.key_id for each in around.callers] == ["key_shop"]
    # The key was replaced by one that reaches one collection.
    await opened.keys.revoke("acme", "key_shop")
    shop = Principal("acme", "key_later", frozenset({"chat"}))
    reach = {"collections": '["handbook"]', "tier": "slow", "lineage": '["key_shop"]'}
    await keyed(opened, shop, **reach, created_at=2.0, identity="key_shop")
    [found] = await service.store.queue(ADA, CaseFilter(), 1)
    await whole(service, found)
    caller = around.callers[-1]
    assert (caller.key_id, caller.tier, caller.lineage) == ("key_later", "slow", ("key_shop",))
    assert caller.reach.collections == {"handbook"}
    # Once nobody has the key, no knowledge is searched and no model is asked.
    await opened.keys.revoke("acme", "key_later")
    service.assist._holders._believed.clear()
    before = len(around.callers), len(around.asked)
    assisted = await whole(service, found)
    assert (len(around.callers), len(around.asked)) == before
    assert (assisted.method, assisted.hints) == ("extractive", ())


def test_what_is_taken_from_a_conversation_says_nothing_twice_and_has_no_marks_of_sources() -> None:
    said = "I would rather speak to a person."
    of = cast(Case, SimpleNamespace(subject=f"A person is wanted: {said}", reason=f"A person is wanted: {said}"))
    lines = [
        TranscriptLine("1", "customer", "How long do I have to return a stove?", 1.0),
        TranscriptLine("2", "agent", "Stoves go back within 28 days [1].", 2.0),
        TranscriptLine("3", "customer", said, 3.0),
    ]
    told = summary.extracted(of, lines)
    assert told.count(said) == 1
    assert "Answered: Stoves go back within 28 days." in told
