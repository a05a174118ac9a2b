"""What every SQL database must do for the stores: SQLite always, Postgres where one is named."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.errors import Conflict, InvalidRequest, NotFound, StoreError, Unauthenticated
from mainspring.settings import Settings
from mainspring.stores import Stores, ids
from mainspring.stores import keys as keys_store
from mainspring.stores.audit import By
from mainspring.stores.batches import KIND
from mainspring.stores.collections import Collection
from mainspring.stores.documents import About, Publication
from mainspring.stores.files import ANSWERS, FileInfo
from mainspring.stores.keys import SCOPES
from mainspring.stores.pages import Page
from mainspring.stores.sessions import SessionTurn, Summary
from mainspring.types import EventRecord, Message, Principal, ToolCall
from tests.databases import opened, settings, unmigrated

__all__ = ["opened", "settings", "unmigrated"]

SECRET = "the launch code is 7-4-1"


def event(tenant: str = "a", *, content: str | None = None, **changes: object) -> EventRecord:
    record = EventRecord(ids.new("event-"), time.time(), tenant, "t1", "answer", "s1", {"tokens": 3}, content)
    return dataclasses.replace(record, **changes)  # type: ignore[arg-type]


def turn(*messages: Message, tenant: str = "a", session: str = "chat", trace_id: str = "t1") -> SessionTurn:
    return SessionTurn(tenant, session, messages, trace_id, time.time())


async def publish(opened: Stores, collection: Collection, source: str, text: str) -> tuple[str, int]:
    """Ingest ``text``; (document id, generation)."""
    begun = await opened.collections.begin(collection, source, hashlib.sha256(text.encode()).hexdigest(), source)
    blob = await opened.blobs.put(text.encode())
    await opened.collections.publish(
        collection, begun.document_id, begun.generation, chars=len(text), chunks=1, parser="text", text_blob=blob
    )
    return begun.document_id, begun.generation


# --- opening --------------------------------------------------------------------------------------------------


async def test_everything_is_there_after_reopening(settings: Settings) -> None:
    record = event(content=SECRET)
    async with stores.open(settings) as first:
        await first.events.settle([record], [turn(Message("user", "hello"))])
        _, secret = await first.keys.create("cli", scopes=frozenset({"chat"}))
        file = await first.files.add("a", "notes.txt", b"notes", "assistants")
        collection = await first.collections.create("a", "handbook", embedder="mini")
        document = await publish(first, collection, "a.txt", "text of a")
    async with stores.open(settings) as second:
        assert await second.events.get("a", record.id) == record
        assert await second.sessions.history("a", "chat", 10) == [Message("user", "hello")]
        assert (await second.keys.authenticate(secret)).tenant == "default"
        assert await second.files.content("a", file.id) == b"notes"
        assert await second.collections.current(collection, None) == dict([document])


async def test_two_openings_at_once_migrate_once(unmigrated: Settings) -> None:
    async def use() -> str:
        async with stores.open(unmigrated) as each:
            return (await each.keys.create("k", scopes=frozenset({"admin"})))[1]

    secrets = await asyncio.gather(*(use() for _ in range(4)))
    async with stores.open(unmigrated) as each:
        assert len({(await each.keys.authenticate(secret)).key_id for secret in secrets}) == 4


async def test_a_database_of_a_newer_schema_is_refused(settings: Settings) -> None:
    async with stores.open(settings) as each:
        await each.database.write(lambda c: c.execute(sa.text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(StoreError, match=r"9999.*Upgrade mainspring"):
        async with stores.open(settings):
            pass


async def test_migrations_build_the_schema(opened: Stores) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from mainspring.stores.schema import metadata

    def difference(connection: sa.Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    assert await opened.database.write(difference) == []


async def test_reads_cannot_write(opened: Stores) -> None:
    with pytest.raises(StoreError):
        await opened.database.read(lambda connection: connection.execute(sa.text("DELETE FROM events")))


# --- events ---------------------------------------------------------------------------------------------------


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


async def test_the_outbox_empties(opened: Stores) -> None:
    records = [event(at=float(n)) for n in range(5)]
    await opened.events.append(*records)
    assert await opened.events.pending(3) == records[:3]
    await opened.events.mark_published(records[:3])
    assert await opened.events.pending(10) == records[3:]


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


# --- erasure --------------------------------------------------------------------------------------------------


async def test_erasure_takes_the_texts_of_a_subject_and_leaves_a_fact(opened: Stores) -> None:
    answer = event(content=SECRET, subject="answer-1", trace_id="t1")
    call = event(content="prompt " + SECRET, subject="call-1", kind="call", trace_id="t1")
    edit = event(content="edited " + SECRET, subject="answer-1", kind="feedback", trace_id="t9")
    other = event(content=SECRET, subject="answer-2", trace_id="t2")
    await opened.events.settle([answer, call, edit, other], [turn(Message("user", "my " + SECRET))])
    erased = await opened.events.erase("a", "answer-1")
    assert (erased.kind, erased.facts) == ("erased", {"events": 3, "messages": 1, "texts": 2})
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


# --- sessions -------------------------------------------------------------------------------------------------


async def test_history_gives_the_last_messages_in_order(opened: Stores) -> None:
    call = ToolCall("c1", "search", '{"q": 1}')
    said = [
        Message("user", "one"),
        Message("assistant", "", tool_calls=(call,)),
        Message("tool", "found", tool_call_id="c1"),
        Message("assistant", "two", name="helper"),
    ]
    await opened.events.settle([], [turn(*said[:2])])
    await opened.events.settle([], [turn(*said[2:])])
    assert await opened.sessions.history("a", "chat", 10) == said
    assert await opened.sessions.history("a", "chat", 3) == said[1:]
    assert await opened.sessions.history("b", "chat", 10) == []


async def test_a_deleted_session_is_gone(opened: Stores) -> None:
    await opened.events.settle([event(content="kept")], [turn(Message("user", "kept"), Message("user", "gone"))])
    await opened.events.settle([], [turn(Message("user", "other"), session="other")])
    assert await opened.sessions.delete("a", "chat") == 2
    assert await opened.sessions.history("a", "chat", 10) == []
    assert await opened.sessions.history("a", "other", 10) == [Message("user", "other")]
    count = sa.text("SELECT count(*) FROM contents WHERE text IN ('kept', 'gone')")
    assert await opened.database.read(lambda c: c.execute(count).scalar()) == 1


async def test_sessions_are_listed_by_owner_in_pages(opened: Stores) -> None:
    for number in range(5):
        said = turn(Message("user", f"m{number}"), session=f"us:s:{number}", trace_id=f"t{number}")
        await opened.events.settle([], [dataclasses.replace(said, at=float(number), spent=number)])
    await opened.events.settle([], [turn(Message("user", "x"), session="them:s:0")])
    await opened.events.settle([], [turn(Message("user", "x"), session="us:s:0", tenant="b")])
    page = await opened.sessions.page("a", "us", Page(2))
    assert [(each.name, each.spent, each.turns, each.messages) for each in page.rows] == [
        ("s:4", 4, 1, 1),
        ("s:3", 3, 1, 1),
    ]
    assert page.more
    rest = await opened.sessions.page("a", "us", Page(9, after="s:3"))
    assert [each.name for each in rest.rows] == ["s:2", "s:1", "s:0"]
    with pytest.raises(InvalidRequest):
        await opened.sessions.page("a", "us", Page(2, after="t"))
    with pytest.raises(NotFound):
        await opened.sessions.get("a", "them:s:1")


async def test_a_session_is_read_from_both_ends(opened: Stores) -> None:
    for number in range(6):
        said = [Message("system", "Be brief.")] * (number == 1) + [Message("user", f"m{number}")]
        await opened.events.settle([], [turn(*said, session="us:s")])
    assert (await opened.sessions.read("a", "us:t", limit=9)).revision is None
    read = await opened.sessions.read("a", "us:s", limit=2, first=3)
    assert [each.message.content for each in read.recent] == ["m4", "m5"]
    assert [each.message.content for each in read.first] == ["m0", "Be brief.", "m1"]
    assert (read.turns, read.instructions) == (6, (Message("system", "Be brief."),))
    page = await opened.sessions.messages("a", "us:s", Page(3, "asc", after=f"{read.first[0].turn}:0"))
    assert [each.message.content for each in page.rows] == ["Be brief.", "m1", "m2"]


async def test_what_is_derived_goes_with_its_turns(opened: Stores) -> None:
    memory = opened.memory
    for number in range(4):
        await opened.events.settle([], [turn(Message("user", f"m{number}"), session="us:s", trace_id=f"t{number}")])
    missing = await memory.unembedded("a", "us:s", "mini", 10)
    assert missing.revision == 0
    vectors = {(each.turn, each.position): [float(n), 0.5] for n, each in enumerate(missing.said)}
    assert await memory.embed("a", "us:s", "mini", vectors, 0)
    assert await memory.embed("a", "us:s", "mini", vectors, 0), "twice is no error"
    assert (await memory.unembedded("a", "us:s", "mini", 10)).said == ()
    upto = missing.said[2].turn
    assert await memory.summarise("a", "us:s", Summary(upto, 3, "extractive", "{}", 1.0), 0)
    assert not await memory.summarise("a", "us:s", Summary(upto, 3, "extractive", "other", 1.0), 0)
    older = await memory.older("a", "us:s", "mini", before=missing.said[3].turn, limit=2)
    assert [(each.said.message.content, each.vector.tolist()) for each in older] == [("m1", [1, 0.5]), ("m2", [2, 0.5])]
    fork = await opened.sessions.fork("a", "us:s", "us:f", upto=upto)
    assert (fork.turns, fork.forked_from, fork.summarised) == (3, "s", upto)
    await opened.events.append(event(subject="ans", trace_id="t1"))
    await opened.events.erase("a", "ans")
    for session, turns in (("us:s", 3), ("us:f", 2)):
        read = await opened.sessions.read("a", session, limit=9, summary=True)
        assert (read.turns, read.revision, read.summary) == (turns, 1, None)
        assert not await memory.summarise("a", session, Summary(upto, 3, "extractive", "late", 1.0), 0)
        assert not await memory.embed("a", session, "mini", vectors, 0)
    await opened.sessions.delete("a", "us:s")
    await opened.sessions.delete("a", "us:f")
    names = ("sessions", "turn_vectors", "session_summaries", "turns", "contents")

    def left(connection: sa.Connection) -> list[object]:
        return [connection.execute(sa.text(f"SELECT count(*) FROM {name}")).scalar() for name in names]

    assert await opened.database.read(left) == [0] * 5


async def test_a_fork_needs_a_turn_and_a_free_name(opened: Stores) -> None:
    await opened.events.settle([], [turn(Message("user", "m"), session="us:s")])
    with pytest.raises(NotFound):
        await opened.sessions.fork("a", "us:nobody", "us:f")
    with pytest.raises(NotFound, match="turn"):
        await opened.sessions.fork("a", "us:s", "us:f", upto="turn-x")
    with pytest.raises(Conflict):
        await opened.sessions.fork("a", "us:s", "us:s")
    with pytest.raises(NotFound):
        await opened.sessions.fork("b", "us:s", "us:f")


async def test_deleting_a_session_takes_the_texts_of_its_answers(opened: Stores) -> None:
    facts = {"session_id": "s"}
    await opened.events.settle(
        [event(content=SECRET, facts=facts, subject="a1"), event(content="other", subject="a2")],
        [turn(Message("user", SECRET), session="us:s")],
    )
    await opened.events.append(event(content="edited " + SECRET, kind="feedback", subject="a1", trace_id="t7"))
    assert await opened.sessions.delete("a", "us:s", by=By("key_1", "t9")) == 1
    found = await opened.events.find("a")
    assert [each.content for each in found if each.kind != "erased"] == [None, "other", None]
    assert [each.trace_id for each in found if each.kind == "erased"] == ["t9"]
    held = sa.text("SELECT count(*) FROM contents WHERE text LIKE '%launch%'")
    assert await opened.database.read(lambda c: c.execute(held).scalar()) == 0


async def test_no_more_is_reserved_than_a_session_may_take(opened: Stores) -> None:
    said = turn(Message("user", "m"), session="us:s")
    await opened.events.settle([], [dataclasses.replace(said, spent=100)])

    async def reserve(tokens: int) -> int | None:
        return await opened.sessions.reserve("a", "us:s", tokens, 1000, lease_s=60)

    granted = await asyncio.gather(*(reserve(100) for _ in range(30)))
    assert granted.count(None) == 9
    assert set(granted) == {None, 0}
    settled = SessionTurn("a", "us:s", (), "t2", time.time(), spent=30, reserved=100)
    await opened.events.settle([], [settled])
    assert (await opened.sessions.get("a", "us:s")).spent == 130
    assert await reserve(71) == 70
    assert await reserve(70) is None
    # What nobody settles lapses.
    await opened.sessions.reserve("a", "us:s", 0, 1000, lease_s=-1)
    assert await reserve(870) is None


# --- keys -----------------------------------------------------------------------------------------------------


async def test_a_key_opens_what_it_says(opened: Stores) -> None:
    info, secret = await opened.keys.create("k", tenant="a", scopes=frozenset({"chat"}), groups=frozenset({"hr", "it"}))
    principal = await opened.keys.authenticate(secret)
    assert principal == Principal("a", info.id, frozenset({"chat"}), frozenset({"hr", "it"}))
    everything = sa.text("SELECT * FROM keys")
    stored = await opened.database.read(lambda c: str(c.execute(everything).all()))
    assert secret not in stored
    assert secret[10:] not in stored


async def test_admin_implies_all_scopes(opened: Stores) -> None:
    assert not await opened.keys.any_admin()
    info, secret = await opened.keys.create("k", scopes=frozenset({"admin"}))
    assert (await opened.keys.authenticate(secret)).scopes == SCOPES
    assert await opened.keys.any_admin()
    await opened.keys.revoke("default", info.id)
    assert not await opened.keys.any_admin()


@pytest.mark.parametrize("secret", ["", "ms-", "ms-wrong", "x" * 10_000, "\0", "\ud800"])
async def test_an_unknown_secret_is_refused(opened: Stores, secret: str) -> None:
    with pytest.raises(Unauthenticated):
        await opened.keys.authenticate(secret)


async def test_revocation_and_expiry_act_at_once(opened: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    info, secret = await opened.keys.create("k", scopes=frozenset({"chat"}))
    await opened.keys.authenticate(secret)
    await opened.keys.revoke("default", info.id)
    with pytest.raises(Unauthenticated, match="revoked"):
        await opened.keys.authenticate(secret)
    _, expired = await opened.keys.create("k", scopes=frozenset({"chat"}), expires_at=time.time() - 1)
    with pytest.raises(Unauthenticated, match="expired"):
        await opened.keys.authenticate(expired)
    _, short = await opened.keys.create("k", scopes=frozenset({"chat"}), expires_at=time.time() + 60)
    await opened.keys.authenticate(short)
    later = time.time() + 61
    monkeypatch.setattr(keys_store, "time", SimpleNamespace(time=lambda: later, monotonic=time.monotonic))
    with pytest.raises(Unauthenticated, match="expired"):
        await opened.keys.authenticate(short)


async def test_keys_of_other_tenants_cannot_be_touched(opened: Stores) -> None:
    info, secret = await opened.keys.create("k", tenant="a", scopes=frozenset({"chat"}))
    for act in (opened.keys.revoke("b", info.id), opened.keys.rotate("b", info.id), opened.keys.get("b", info.id)):
        with pytest.raises(NotFound):
            await act
    assert await opened.keys.list("b") == []
    await opened.keys.authenticate(secret)


async def test_a_key_has_the_tier_that_it_was_given_last(opened: Stores) -> None:
    info, secret = await opened.keys.create("k", tenant="a", scopes=frozenset({"chat"}), tier="free")
    assert (info.tier, (await opened.keys.authenticate(secret)).tier) == ("free", "free")
    await opened.keys.set_tier("a", info.id, "gold")
    assert (await opened.keys.authenticate(secret)).tier == "gold"
    assert [key.tier for key in await opened.keys.list("a")] == ["gold"]
    with pytest.raises(NotFound):
        await opened.keys.set_tier("b", info.id, "gold")


async def test_rotation_replaces_a_key(opened: Stores) -> None:
    old, old_secret = await opened.keys.create(
        "k", tenant="a", scopes=frozenset({"chat"}), groups=frozenset({"hr"}), tier="gold"
    )
    new, new_secret = await opened.keys.rotate("a", old.id, overlap_s=60)
    assert (await opened.keys.authenticate(old_secret)).key_id == old.id
    principal = await opened.keys.authenticate(new_secret)
    assert (principal.key_id, principal.scopes, principal.groups) == (new.id, old.scopes, old.groups)
    assert principal.tier == "gold"
    await opened.keys.rotate("a", old.id)
    with pytest.raises(Unauthenticated):
        await opened.keys.authenticate(old_secret)


async def test_a_key_that_is_revoked_while_it_is_rotated_has_no_successor(
    opened: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = await opened.keys.create("k", tenant="a", scopes=frozenset({"admin"}))
    read = type(opened.keys).get

    async def overtaken(self: Any, tenant: str, key_id: str) -> Any:
        found = await read(self, tenant, key_id)
        await self.revoke(tenant, key_id)
        return found

    monkeypatch.setattr(type(opened.keys), "get", overtaken)
    with pytest.raises(NotFound):
        await opened.keys.rotate("a", old.id, overlap_s=60)
    assert [key.id for key in await opened.keys.list("a")] == [old.id]


async def test_the_last_use_is_noted(settings: Settings) -> None:
    async with stores.open(settings) as each:
        info, secret = await each.keys.create("k", scopes=frozenset({"chat"}))
        assert info.last_used_at is None
        await each.keys.authenticate(secret)
    async with stores.open(settings) as each:
        (noted,) = await each.keys.list("default")
        assert noted.last_used_at is not None


async def test_an_unknown_scope_is_refused(opened: Stores) -> None:
    with pytest.raises(InvalidRequest, match="root"):
        await opened.keys.create("k", scopes=frozenset({"root"}))


# --- files ----------------------------------------------------------------------------------------------------


async def test_files_belong_to_their_tenant(opened: Stores) -> None:
    info = await opened.files.add("a", "n\u00f6tes.txt", b"notes", "assistants")
    assert await opened.files.list("a") == [info]
    assert await opened.files.list("b") == []
    for act in (
        opened.files.get("b", info.id),
        opened.files.content("b", info.id),
        opened.files.delete("b", info.id),
    ):
        with pytest.raises(NotFound):
            await act
    assert await opened.files.content("a", info.id) == b"notes"


async def test_bytes_stay_while_a_file_or_document_has_them(opened: Stores) -> None:
    one = await opened.files.add("a", "1", b"same", "assistants")
    two = await opened.files.add("b", "2", b"same", "assistants")
    collection = await opened.collections.create("a", "c", embedder="mini")
    document_id, _ = await publish(opened, collection, "s", "same")
    await opened.files.delete("a", one.id)
    await opened.files.delete("b", two.id)
    assert opened.blobs.holds(two.sha256)
    await opened.collections.remove(collection, document_id)
    assert not opened.blobs.holds(two.sha256)


async def test_adding_and_deleting_the_same_bytes_at_once_loses_none(opened: Stores) -> None:
    async def churn(n: int) -> None:
        for _ in range(10):
            info = await opened.files.add("a", str(n), b"same bytes", "assistants")
            assert await opened.files.content("a", info.id) == b"same bytes"
            await opened.files.delete("a", info.id)

    await asyncio.gather(*(churn(n) for n in range(4)))
    assert await opened.files.list("a") == []


# --- collections ----------------------------------------------------------------------------------------------


async def test_collections_are_seen_by_their_groups_only(opened: Stores) -> None:
    everyone = await opened.collections.create("a", "everyone", embedder="mini")
    restricted = await opened.collections.create("a", "restricted", frozenset({"hr"}), embedder="mini")
    assert await opened.collections.list("a") == [everyone]
    assert await opened.collections.list("a", groups=frozenset({"hr"})) == [everyone, restricted]
    assert await opened.collections.list("b", groups=frozenset({"hr"})) == []
    for name in ("restricted", restricted.id):
        assert await opened.collections.get("a", name, groups=frozenset({"hr", "x"})) == restricted
        for groups in (frozenset[str](), frozenset({"it"})):
            with pytest.raises(NotFound):
                await opened.collections.get("a", name, groups=groups)
        with pytest.raises(NotFound):
            await opened.collections.get("b", name, groups=frozenset({"hr"}))


async def test_names_are_unique_in_a_tenant(opened: Stores) -> None:
    await opened.collections.create("a", "c", embedder="mini")
    await opened.collections.create("b", "c", embedder="mini")
    with pytest.raises(Conflict):
        await opened.collections.create("a", "c", embedder="mini")
    for name in ("", " ", "vs_x"):
        with pytest.raises(InvalidRequest):
            await opened.collections.create("a", name, embedder="mini")


async def test_a_generation_is_current_from_its_publication_on(opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    document_id, first = await publish(opened, collection, "s", "first")
    assert await opened.collections.current(collection, None) == {document_id: first}
    begun = await opened.collections.begin(collection, "s", "0" * 64, "s")
    assert (begun.document_id, begun.current) == (document_id, first)
    assert await opened.collections.current(collection, None) == {document_id: first}
    document = await opened.collections.document(collection, document_id, None)
    assert (document.status, document.generation) == ("in_progress", first)
    assert await opened.collections.text(document) == "first"
    blob = await opened.blobs.put(b"second")
    superseded = await opened.collections.publish(
        collection, document_id, begun.generation, chars=6, chunks=2, parser="text", text_blob=blob, pages=3
    )
    assert superseded == first
    assert await opened.collections.current(collection, None) == {document_id: begun.generation}
    (document,) = await opened.collections.documents(collection, None)
    assert (document.status, document.chunks, document.pages, document.sha256) == ("completed", 2, 3, "0" * 64)
    assert await opened.collections.text(document) == "second"
    assert not opened.blobs.holds(hashlib.sha256(b"first").hexdigest())


async def test_the_latest_to_begin_wins(opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    slow = await opened.collections.begin(collection, "s", "0" * 64, "s")
    document_id, generation = await publish(opened, collection, "s", "fast")
    assert document_id == slow.document_id
    with pytest.raises(Conflict):
        await opened.collections.publish(
            collection,
            document_id,
            slow.generation,
            chars=4,
            chunks=1,
            parser="text",
            text_blob=hashlib.sha256(b"fast").hexdigest(),
        )
    await opened.collections.fail(collection, document_id, "too late", generation=slow.generation)
    assert (await opened.collections.document(collection, document_id, None)).status == "completed"
    assert await opened.collections.current(collection, None) == {document_id: generation}


async def test_a_failed_ingest_keeps_what_was_there(opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    document_id, generation = await publish(opened, collection, "s", "good")
    await opened.collections.begin(collection, "s", "1" * 64, "s")
    assert [(c.id, d.document_id) for c, d in await opened.collections.unfinished()] == [(collection.id, document_id)]
    await opened.collections.fail(collection, document_id, "encrypted")
    document = await opened.collections.document(collection, document_id, None)
    assert (document.status, document.error, document.generation) == ("failed", "encrypted", generation)
    assert await opened.collections.current(collection, None) == {document_id: generation}
    assert await opened.collections.unfinished() == []


async def test_the_version_grows_with_what_can_be_found(opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    assert opened.collections.version(collection) == 0
    document_id, _ = await publish(opened, collection, "s", "x")
    assert opened.collections.version(collection) == 1
    await opened.collections.begin(collection, "s", "0" * 64, "s")
    assert opened.collections.version(collection) == 1
    await opened.collections.remove(collection, document_id)
    assert opened.collections.version(collection) == 2
    assert (await opened.collections.get("a", "c")).version == 2
    assert await opened.collections.current(collection, None) == {}
    await opened.collections.delete("a", collection.id)
    assert opened.collections.version(collection) == -1


async def test_another_process_is_followed(settings: Settings, opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    assert await opened.collections.current(collection, None) == {}
    async with stores.open(settings) as other:
        document = await publish(other, collection, "s", "x")
    assert await opened.collections.current(collection, None) == dict([document])


async def test_a_deleted_collection_takes_its_documents_along(opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    await publish(opened, collection, "s", "x")
    with pytest.raises(NotFound):
        await opened.collections.delete("b", collection.id)
    await opened.collections.delete("a", collection.id)
    assert not opened.blobs.holds(hashlib.sha256(b"x").hexdigest())
    for act in (
        opened.collections.get("a", "c"),
        opened.collections.current(collection, None),
        opened.collections.begin(collection, "t", "0" * 64, "t"),
        opened.collections.delete("a", collection.id),
    ):
        with pytest.raises(NotFound):
            await act
    assert await opened.collections.documents(collection, None) == []


async def test_concurrent_publications_count_each(opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    published = await asyncio.gather(*(publish(opened, collection, f"s{n}", f"text {n}") for n in range(12)))
    assert await opened.collections.current(collection, None) == dict(published)
    assert (await opened.collections.get("a", "c")).version == 12


async def test_a_file_is_as_restricted_as_the_collections_that_it_is_in(opened: Stores) -> None:
    info = await opened.files.add("a", "plan.txt", b"secret", "assistants")
    assert await opened.files.get("a", info.id) == info
    legal = await opened.collections.create("a", "legal", frozenset({"legal"}), embedder="e")
    await opened.collections.begin(legal, info.id, info.sha256, info.name, file_id=info.id)
    for groups in (frozenset[str](), frozenset({"sales"})):
        assert await opened.files.list("a", groups=groups) == []
        for attempt in (opened.files.get, opened.files.content, opened.files.delete):
            with pytest.raises(NotFound):
                await attempt("a", info.id, groups=groups)
    assert await opened.files.content("a", info.id, groups=frozenset({"legal"})) == b"secret"
    everybody = await opened.collections.create("a", "open", embedder="e")
    await opened.collections.begin(everybody, info.id, info.sha256, info.name, file_id=info.id)
    assert await opened.files.list("a") == [info]


# --- lists and access -----------------------------------------------------------------------------------------


async def test_pages_of_files_join_into_the_list(opened: Stores) -> None:
    added = [await opened.files.add("a", str(n), b"x", "batch" if n == 2 else "assistants") for n in range(5)]
    newest = added[::-1]
    walked: list[FileInfo] = []
    after = None
    for _ in range(3):
        page = await opened.files.page("a", Page(limit=2, after=after))
        walked += page.rows
        after = page.rows[-1].id
    assert (walked, page.more) == (newest, False)
    oldest = await opened.files.page("a", Page(limit=2, order="asc", after=added[0].id))
    assert (oldest.rows, oldest.more) == (added[1:3], True)
    back = await opened.files.page("a", Page(limit=2, before=newest[4].id))
    assert (back.rows, back.more) == (newest[2:4], True)
    between = await opened.files.page("a", Page(after=newest[0].id, before=newest[3].id))
    assert (between.rows, between.more) == (newest[1:3], False)
    assert (await opened.files.page("a", Page(), purpose="batch")).rows == [added[2]]
    assert (await opened.files.page("b", Page())).rows == []


async def test_a_cursor_outlives_its_file_and_nonsense_is_refused(opened: Stores) -> None:
    old, new = [await opened.files.add("a", str(n), b"x", "assistants") for n in range(2)]
    await opened.files.delete("a", new.id)
    assert (await opened.files.page("a", Page(after=new.id))).rows == [old]
    for name, page in (("after", Page(after="file-nothing")), ("before", Page(before=old.id[:-1] + "!"))):
        with pytest.raises(InvalidRequest) as refused:
            await opened.files.page("a", page)
        assert refused.value.param == name


async def test_a_new_file_is_for_the_groups_of_its_uploader(opened: Stores) -> None:
    awkward = frozenset({'q",["r', "h\u00e9"})
    info = await opened.files.add("a", "n", b"x", "assistants", awkward)
    for outsiders in (frozenset[str](), frozenset({"r"}), frozenset({","})):
        assert await opened.files.list("a", groups=outsiders) == []
        assert (await opened.files.page("a", Page(), groups=outsiders)).rows == []
        with pytest.raises(NotFound):
            await opened.files.get("a", info.id, groups=outsiders)
    assert (await opened.files.page("a", Page(), groups=frozenset({"h\u00e9"}))).rows == [info]


async def test_what_a_batch_answered_is_for_those_in_all_of_its_groups(opened: Stores) -> None:
    awkward = frozenset({'q",["r', "h\u00e9"})
    info = await opened.files.add("a", "n", b"x", ANSWERS, awkward)
    plain = await opened.files.add("a", "n", b"y", ANSWERS)
    for outsiders in (frozenset[str](), frozenset({"r"}), frozenset({"h\u00e9"}), frozenset({'q",["r'})):
        assert await opened.files.list("a", groups=outsiders) == [plain]
        with pytest.raises(NotFound):
            await opened.files.content("a", info.id, groups=outsiders)
    for insiders in (awkward, awkward | {"more"}):
        assert await opened.files.list("a", groups=insiders) == [plain, info]
    assert await opened.files.list("b", groups=awkward) == []


async def test_answers_are_taken_out_of_the_lines_and_files_of_batches(opened: Stores) -> None:
    asker = Principal("a", "key_1", groups=frozenset({"x"}))
    jobs = []
    for _ in range(2):
        await opened.batches.create(
            asker, endpoint="/v1/chat/completions", input_file_id="f", window="24h", window_s=9e4, metadata={}
        )
        job = await opened.jobs.lease(KIND, ids.new("w_"), 60)
        assert job is not None
        assert await opened.batches.begin(job, 2)
        jobs.append(job)
    # The same answers in both: one batch is over before they are forgotten, the other after it.
    for number, name in enumerate(("ans_1", "ans_2"), 1):
        line = (
            f'{{"custom_id":"{number}","response":{{"body":{{"id":"{name}","text":"\u2028{SECRET}"}}}},"error":null}}'
        )
        for job in jobs:
            assert await opened.batches.record(job, number, line, succeeded=True)
        await opened.events.append(event(subject=name, facts={"key_id": "key_1"}))
    assert await opened.batches.finish(jobs[0], "completed")
    await opened.batches.forget("b", ["ans_1"])
    await opened.batches.forget("a", ["ans_1", "ans_9"])
    assert await opened.batches.finish(jobs[1], "completed")
    for job in jobs:
        batch = await opened.batches.get("a", job.id)
        info = await opened.files.get("a", str(batch.output_file_id), groups=asker.groups)
        data = await opened.files.content("a", info.id, groups=asker.groups)
        first, second = data.decode().removesuffix("\n").split("\n")
        assert info.bytes == len(data)
        assert SECRET not in first
        assert json.loads(first)["error"]["code"] == "erased"
        assert json.loads(second)["response"]["body"]["text"] == f"\u2028{SECRET}"


async def test_a_file_is_as_restricted_as_its_documents(opened: Stores) -> None:
    info = await opened.files.add("a", "n", b"x", "assistants")
    home = await opened.collections.create("a", "open", embedder="e")
    await opened.collections.begin(home, info.id, "s", "n", info.id, About(groups=frozenset({"hr"})))
    assert await opened.files.list("a") == []
    assert await opened.files.list("a", groups=frozenset({"hr"})) == [info]
    assert (await opened.collections.documents_page(home, Page(), groups=frozenset())).rows == []
    assert (await opened.collections.tallies([home], groups=frozenset()))[home.id].counts == {}
    assert (await opened.collections.tallies([home], groups=frozenset({"hr"})))[home.id].counts == {"in_progress": 1}


async def test_documents_are_paged_by_file_or_document_id(opened: Stores) -> None:
    home = await opened.collections.create("a", "c", embedder="e")
    begun = [await opened.collections.begin(home, f"k{n}", "s", "n", f"file-{n}") for n in range(3)]
    await opened.collections.fail(home, begun[0].document_id, "unreadable")
    nobody = frozenset[str]()
    first = await opened.collections.documents_page(home, Page(limit=1), groups=nobody)
    assert (first.rows[0].document_id, first.more) == (begun[2].document_id, True)
    for cursor in ("file-2", begun[2].document_id):
        rest = await opened.collections.documents_page(home, Page(after=cursor), groups=nobody)
        assert [each.document_id for each in rest.rows] == [begun[1].document_id, begun[0].document_id]
    failed = await opened.collections.documents_page(home, Page(after="file-2"), groups=nobody, status="failed")
    assert [each.document_id for each in failed.rows] == [begun[0].document_id]
    with pytest.raises(InvalidRequest):
        await opened.collections.documents_page(home, Page(after="file-9"), groups=nobody)
    found = await opened.collections.document_called(home, "file-1", groups=nobody)
    assert found.document_id == begun[1].document_id


async def test_a_hidden_name_is_free_and_stays_with_those_who_use_it(opened: Stores) -> None:
    hr, everybody = frozenset({"hr"}), frozenset[str]()
    older = await opened.collections.create("a", "plans", hr, embedder="e", metadata={"k": "v"}, description="d")
    newer = await opened.collections.create("a", "plans", embedder="e")
    assert await opened.collections.get("a", "plans") == newer
    assert await opened.collections.get("a", "plans", groups=hr) == older
    assert (await opened.collections.page("a", Page(), groups=hr)).rows == [newer, older]
    for groups in (hr, everybody):
        with pytest.raises(Conflict):
            await opened.collections.create("a", "plans", groups, embedder="e", seen_by=hr)
    other = await opened.collections.create("a", "other", embedder="e")
    with pytest.raises(Conflict):
        await opened.collections.update(other, name="plans", seen_by=everybody)
    renamed = await opened.collections.update(other, name="others", metadata={"a": "b"}, seen_by=everybody)
    assert await opened.collections.get("a", "others") == renamed
    # The two of one name keep it when something else of them is changed.
    assert (await opened.collections.update(newer, metadata={"x": "y"}, seen_by=hr)).metadata == {"x": "y"}


async def test_one_name_claimed_at_once_goes_to_one(opened: Stores) -> None:
    hr = frozenset({"hr"})
    claims = [opened.collections.create("a", "c", each, embedder="e", seen_by=hr) for each in (hr, frozenset[str]())]
    done = await asyncio.gather(*claims, return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["Collection", "Conflict"]


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


async def test_a_graph_lives_and_goes_with_the_generation_that_is_read(opened: Stores) -> None:
    collection = await opened.collections.create("a", "graphs", embedder="mini")

    async def publish(text: str, graph: str) -> Publication:
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        begun = await opened.collections.begin(collection, "k", sha256, "k")
        blob = await opened.blobs.put(text.encode())
        wanted = Publication(begun.document_id, begun.generation, len(text), 1, "text", blob, text=text, graph=graph)
        await opened.collections.publish_all(collection, [wanted])
        return wanted

    first = await publish("one", '{"graph": 1}')
    current = {first.document_id: 1}
    assert await opened.graphs.read(collection, current) == {first.document_id: '{"graph": 1}'}
    assert await opened.graphs.missing(collection, current) == {}
    await publish("two", '{"graph": 2}')
    # Who still reads the first generation gets nothing of the second.
    assert await opened.graphs.read(collection, current) == {}
    assert await opened.graphs.read(collection, {first.document_id: 2}) == {first.document_id: '{"graph": 2}'}
    stranger = dataclasses.replace(collection, tenant="b")
    assert await opened.graphs.read(stranger, {first.document_id: 2}) == {}
    assert await opened.graphs.put(collection, [(first.document_id, 1, "old"), (first.document_id, 2, "new")]) == 1
    assert await opened.graphs.read(collection, {first.document_id: 2}) == {first.document_id: "new"}
    await publish("three", "")
    assert await opened.graphs.missing(collection, {first.document_id: 3}) == {first.document_id: 3}
    await publish("four", "{}")
    await opened.collections.remove(collection, first.document_id)
    assert await opened.graphs.marks(collection) == {}
    await publish("five", "{}")
    await opened.collections.delete("a", collection.id)
    assert await opened.graphs.marks(collection) == {}
    with pytest.raises(NotFound):
        await opened.graphs.put(collection, [])
