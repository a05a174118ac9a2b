"""What every SQL database must do for events, and for the texts that are erased from them."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from mainspring.core.errors import Conflict, InvalidRequest, NotFound
from mainspring.core.types import Message
from mainspring.stores import Stores
from mainspring.stores.documents.catalogue import About
from mainspring.stores.events.feed import Feed
from mainspring.stores.sql.pages import Page
from tests.conformance.stored import SECRET, event, followed, turn
from tests.databases import opened, settings

__all__ = ["opened", "settings"]


async def test_find_filters_and_pages(opened: Stores) -> None:
    records = [event(subject=f"s{n % 2}", kind="call" if n < 2 else "answer", trace_id=f"t{n}") for n in range(4)]
    await opened.events.append(*records)
    await opened.events.append(event("b"))
    find = opened.events.find
    assert await find("a") == records
    assert await find("a", kind="call") == records[:2]
    assert await find("a", subject="s1", kind="answer") == [records[3]]
    assert await find("a", trace_id="t2") == [records[2]]
    assert await find("a", after=records[1].id, limit=1) == [records[2]]


async def test_tenants_do_not_see_each_others_events(opened: Stores) -> None:
    mine = event("a", content=SECRET)
    await opened.events.append(mine)
    await opened.events.append(dataclasses.replace(mine, tenant="b", content=None))
    assert await opened.events.get("a", mine.id) == mine
    assert (await opened.events.get("b", mine.id)).content is None
    with pytest.raises(NotFound):
        await opened.events.get("c", mine.id)


async def test_a_settlement_is_whole_or_absent(opened: Stores) -> None:
    taken = event()
    await opened.events.append(taken)
    fresh = event(content="never")
    with pytest.raises(Conflict):
        await opened.events.settle([fresh, taken], [turn(Message("user", "never"))])
    assert await opened.events.find("a") == [taken]
    assert await opened.sessions.history("a", "chat", 10) == []


async def test_one_bad_settlement_does_not_take_its_neighbours_down(opened: Stores) -> None:
    taken = event()
    await opened.events.append(taken)
    good = [event(content=f"text {n}") for n in range(20)]
    settling = [opened.events.append(each) for each in (*good[:10], taken, *good[10:])]
    results = await asyncio.gather(*settling, return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [Conflict]
    assert len(await opened.events.find("a")) == 21


async def test_a_cancelled_caller_harms_nobody(opened: Stores) -> None:
    tasks = [asyncio.create_task(opened.events.append(event(content="x"))) for _ in range(30)]
    await asyncio.sleep(0)
    for task in tasks[::3]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await opened.events.append(event())
    assert len(await opened.events.find("a")) >= 21


@pytest.mark.parametrize("text", ["", "line\nline", "caf\u00e9 \U0001f600", "nul\0nul", "lone \ud800 half"])
async def test_any_text_can_be_recorded(opened: Stores, text: str) -> None:
    record = event(content=text, facts={"said": text}, subject=text or "s")
    await opened.events.settle([record], [turn(Message("user", text), session=text or "s")])
    (found,) = await opened.events.find("a", subject=text or "s")
    assert found.content is not None
    assert len(found.content) == len(text)
    assert len(await opened.sessions.history("a", text or "s", 5)) == 1


async def test_facts_that_are_not_json_are_refused(opened: Stores) -> None:
    with pytest.raises(TypeError):
        await opened.events.append(event(facts={"what": object()}))


async def test_erasure_takes_the_texts_of_a_subject_and_leaves_a_fact(opened: Stores) -> None:
    answer = event(content=SECRET, subject="answer-1", trace_id="t1")
    call = event(content="prompt " + SECRET, subject="call-1", kind="call", trace_id="t1")
    edit = event(content="edited " + SECRET, subject="answer-1", kind="feedback", trace_id="t9")
    other = event(content=SECRET, subject="answer-2", trace_id="t2")
    await opened.events.settle([answer, call, edit, other], [turn(Message("user", "my " + SECRET))])
    erased = await opened.events.erase("a", "answer-1")
    assert (erased.kind, erased.facts.plain()) == ("erased", {"events": 3, "messages": 1, "texts": 2})
    found = {record.id: record for record in await opened.events.find("a")}
    assert [found[each.id].content for each in (answer, call, edit)] == [None] * 3
    assert found[answer.id].facts == answer.facts
    assert found[other.id].content == SECRET
    assert found[erased.id] == erased
    assert await opened.sessions.history("a", "chat", 10) == []


async def test_erasure_stops_at_the_tenant(opened: Stores) -> None:
    await opened.events.append(event("a", content=SECRET), event("b", content=SECRET))
    await opened.events.erase("a", "s1")
    (kept,) = await opened.events.find("b")
    assert kept.content == SECRET


async def test_settling_while_erasing_never_loses_a_text(opened: Stores) -> None:
    async def settle(n: int) -> None:
        for k in range(10):
            await opened.events.append(event(content=SECRET, subject=f"keep-{n}-{k}", trace_id=f"k{n}-{k}"))

    async def erase() -> None:
        for k in range(10):
            await opened.events.append(event(content=SECRET, subject=f"go-{k}", trace_id=f"g{k}"))
            await opened.events.erase("a", f"go-{k}")

    await asyncio.gather(settle(0), settle(1), erase())
    found = [each for each in await opened.events.find("a", limit=1000) if each.subject.startswith("keep")]
    assert [each.content for each in found] == [SECRET] * 20


async def test_events_are_as_restricted_as_what_the_answer_was_made_of(opened: Stores) -> None:
    hr = frozenset({"hr"})
    secret = await opened.collections.create("a", "secret", hr, embedder="e")
    public = await opened.collections.create("a", "public", embedder="e")
    documents = {
        name: (await opened.collections.begin(home, name, "s", name, None, About(groups=groups))).document_id
        for name, home, groups in (
            ("in secret", secret, frozenset[str]()),
            ("in public", public, frozenset[str]()),
            ("for hr", public, hr),
        )
    }
    key, _ = await opened.keys.create("k", tenant="a", scopes=frozenset({"chat"}), groups=hr)

    async def answered(name: str, homes: list[str], hits: list[str], **facts: object) -> None:
        told = {"collections": homes, "hits": [{"document_id": each, "score": 0.5} for each in hits]}
        said = {"status": "completed", "cache": "miss", "key_id": key.id, "user": "\0", **facts}
        await opened.events.append(
            event(id=f"evt-{name}", kind="retrieval", subject=name, facts=told),
            event(id=name, kind="answer", subject=name, facts=said, content=SECRET),
            event(id=f"judged-{name}", kind="feedback", subject=name, facts={}, content=SECRET),
        )

    shown = {"public": ([public.id], [documents["in public"]]), "nothing": ([], [])}
    restricted = {
        "store": ([secret.id], [documents["in secret"]]),
        "both": ([secret.id, public.id], [documents["in public"]]),
        "document": ([public.id], [documents["for hr"]]),
        "store gone": (["vs_gone"], []),
        "document gone": ([public.id], ["doc_gone"]),
    }
    for name, (homes, hits) in {**shown, **restricted}.items():
        await answered(name, homes, hits)
    untold: list[dict[str, object]] = [{"cache": "hit"}, {"session_id": "s"}, {"status": "failed"}]
    for number, facts in enumerate(untold):
        await answered(f"untold {number}", [], [], **facts)
        await answered(f"untold {number} of nobody", [], [], **facts, key_id="key_without_groups")

    async def subjects(groups: frozenset[str]) -> set[str]:
        page = await opened.events.page("a", Page(limit=100), groups=groups)
        found = [each.subject for each in page.rows]
        assert all(found.count(each) == 3 for each in found)
        return set(found)

    free = {*shown, *(f"untold {number} of nobody" for number in range(3))}
    assert await subjects(frozenset()) == free
    assert await subjects(frozenset({"sales"})) == free
    assert await subjects(hr | {"sales"}) == {*free, *restricted, *(f"untold {number}" for number in range(3))}
    with pytest.raises(InvalidRequest):
        await opened.events.page("a", Page(after="store"), groups=frozenset())


async def test_events_are_paged_by_time_across_kinds(opened: Stores) -> None:
    records = [event(id=f"{'ans' if n % 2 else 'evt'}_{n}", kind="call", at=float(n), subject="") for n in range(5)]
    await opened.events.append(*records)
    first = await opened.events.page("a", Page(limit=3), groups=frozenset())
    assert ([each.at for each in first.rows], first.more) == ([4.0, 3.0, 2.0], True)
    rest = await opened.events.page("a", Page(limit=3, after="evt_2"), groups=frozenset(), kind="call")
    assert ([each.at for each in rest.rows], rest.more) == ([1.0, 0.0], False)


async def test_events_of_one_commit_are_read_in_the_order_in_which_they_happened(opened: Stores) -> None:
    late, first = (dataclasses.replace(event(kind="answer"), at=at) for at in (200.0, 100.0))
    await opened.events.settle([late, first], [])
    await followed(opened)
    assert [each.id for each in await Feed(opened.database).after(0, ["answer"], 10)] == [first.id, late.id]
