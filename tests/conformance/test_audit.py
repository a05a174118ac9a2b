"""The audit log on every SQL database: it records every action, and every change of the log is detected."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.settings import Settings
from mainspring.stores import Stores
from mainspring.stores.events.audit_log import SERVER, Actor, Audit, HashedText, Head, parse_head
from mainspring.stores.schema import audit, audit_heads
from mainspring.stores.sql.pages import Page
from tests.databases import opened, settings

__all__ = ["opened", "settings"]
BY = Actor("key_1", "t1")


async def written(opened: Stores, count: int = 6, tenant: str = "a") -> list[Head]:
    """A chain of so many entries; the head after each."""
    heads = []
    for number in range(count):
        entry = await opened.audit.record(tenant, "test.done", BY, object=f"o{number}", details={"number": number})
        heads.append(Head(tenant, entry.seq, entry.hash))
    return heads


async def tamper(opened: Stores, *statements: sa.Executable) -> None:
    """What somebody does who can write the database."""

    def work(connection: sa.Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    await opened.database.write(work)


async def problems(opened: Stores, known: Sequence[Head] = ()) -> list[tuple[int, str]]:
    report = await opened.audit.verify("a", known)
    assert report.intact is not bool(report.problems)
    return [(each.seq, each.what) for each in report.problems]


async def test_a_chain_that_nobody_touched_is_whole(opened: Stores) -> None:
    assert (await opened.audit.verify("a")).intact
    heads = await written(opened)
    await opened.audit.record("b", "test.done")
    report = await opened.audit.verify("a", heads)
    assert (report.intact, report.entries, report.head) == (True, 6, heads[-1])
    assert await opened.audit.head("a") == heads[-1]
    found = await opened.audit.page("a", Page(2))
    assert [(each.seq, each.actor, each.trace_id, each.details["number"]) for each in found.rows] == [
        (6, "key_1", "t1", 5),
        (5, "key_1", "t1", 4),
    ]
    older = await opened.audit.page("a", Page(10, after="aud_5"))
    assert [each.seq for each in older.rows] == [4, 3, 2, 1]
    assert await opened.audit.tenants() == ["a", "b"]
    with pytest.raises(InvalidRequest):
        await opened.audit.page("a", Page(10, after="nothing"))


async def test_the_acts_of_stores_are_in_it_with_who_did_them(opened: Stores) -> None:
    info, _ = await opened.keys.create("of Ana Lopez", tenant="a", scopes=frozenset({"chat"}), by=BY)
    new, _ = await opened.keys.rotate("a", info.id, by=BY)
    await opened.keys.set_consent("a", new.id, True, by=BY)
    await opened.keys.revoke("a", new.id, by=BY)
    budget = await opened.budgets.create("a", "tenant", window="day", limit_tokens=5, name="Ana's", by=BY)
    await opened.budgets.change("a", budget.id, by=BY, limit_tokens=7)
    await opened.budgets.delete("a", budget.id, by=BY)
    entries = await opened.audit.after("a", 0)
    assert [(each.action, each.object) for each in entries] == [
        ("key.created", info.id),
        ("key.rotated", info.id),
        ("key.consent", new.id),
        ("key.revoked", new.id),
        ("budget.created", budget.id),
        ("budget.changed", budget.id),
        ("budget.deleted", budget.id),
    ]
    assert {each.actor for each in entries} == {"key_1"}
    assert "Ana" not in str(entries)
    assert (await opened.audit.verify("a")).intact


async def test_what_is_deleted_of_documents_is_in_it(opened: Stores) -> None:
    store = await opened.collections.create("a", "Ana's letters", embedder="e")
    kept, gone = [
        await opened.files.add("a", f"Ana {name}.txt", name.encode(), "assistants") for name in ("kept", "gone")
    ]
    documents = [
        (await opened.collections.begin(store, file.id, file.sha256, file.name, file_id=file.id)).document_id
        for file in (kept, gone)
    ]
    await opened.collections.remove(store, documents[1], by=BY)
    # Of what a source no longer has, and of what erasing and retention take out, there are other entries.
    await opened.collections.remove(store, documents[0])
    await opened.files.delete("a", gone.id, by=BY)
    await opened.files.delete("a", kept.id)
    await opened.collections.delete("a", store.id, by=BY)
    entries = await opened.audit.after("a", 0)
    assert [(each.action, each.object, each.actor, each.trace_id) for each in entries] == [
        ("document.deleted", documents[1], "key_1", "t1"),
        ("file.deleted", gone.id, "key_1", "t1"),
        ("vector_store.deleted", store.id, "key_1", "t1"),
    ]
    told = entries[0].details
    assert (told["vector_store"], told["file"]) == (store.id, gone.id)
    assert told["name"] == await opened.audit.digest("a", "Ana gone.txt")
    assert "Ana" not in str(entries)
    assert (await opened.audit.verify("a")).intact
    with pytest.raises(NotFound):
        await opened.files.delete("a", gone.id, by=BY)
    assert len(await opened.audit.after("a", 0)) == 3


async def test_an_act_that_fails_leaves_no_entry(opened: Stores) -> None:
    made = await opened.budgets.create("a", "tenant", window="day", limit_tokens=5)
    with pytest.raises(InvalidRequest):
        await opened.budgets.change("a", made.id, limit_tokens=None)
    assert [each.action for each in await opened.audit.after("a", 0)] == ["budget.created"]
    assert (await opened.audit.verify("a")).intact


async def test_texts_are_kept_as_hashes_that_differ_by_tenant(opened: Stores) -> None:
    for tenant in ("a", "b"):
        await opened.audit.record(tenant, "test.done", details={"who": [HashedText("Ana Lopez")]})
    (a,), (b,) = [await opened.audit.after(tenant, 0) for tenant in ("a", "b")]
    assert a.details["who"] == [await opened.audit.digest("a", "Ana Lopez")]
    assert a.details != b.details
    assert "Ana" not in str(a)


async def test_appends_side_by_side_make_one_chain(settings: Settings, opened: Stores) -> None:
    other = Audit(opened.database)
    await asyncio.gather(*(each.record("a", "test.done") for _ in range(20) for each in (opened.audit, other)))
    report = await opened.audit.verify("a")
    assert (report.intact, report.entries) == (True, 40)


ROW = (audit.c.tenant == "a",)
CHANGES: dict[str, tuple[Any, set[int]]] = {
    "changed": ([sa.update(audit).where(*ROW, audit.c.seq == 3).values(actor="key_2")], {3}),
    "changed details": ([sa.update(audit).where(*ROW, audit.c.seq == 3).values(details="{}")], {3}),
    "another time": ([sa.update(audit).where(*ROW, audit.c.seq == 3).values(at_us=audit.c.at_us + 1)], {3}),
    "taken out": ([sa.delete(audit).where(*ROW, audit.c.seq == 3)], {3}),
    "first taken out": ([sa.delete(audit).where(*ROW, audit.c.seq == 1)], {1}),
    "end cut off": ([sa.delete(audit).where(*ROW, audit.c.seq > 4)], {5}),
    "all gone but the head": ([sa.delete(audit).where(*ROW)], {1}),
    "moved": (
        [
            sa.update(audit).where(*ROW, audit.c.seq == 2).values(seq=100),
            sa.update(audit).where(*ROW, audit.c.seq == 4).values(seq=2),
            sa.update(audit).where(*ROW, audit.c.seq == 100).values(seq=4),
        ],
        {2, 4},
    ),
    "head gone": ([sa.delete(audit_heads).where(audit_heads.c.tenant == "a")], {0}),
    "head set back": ([sa.update(audit_heads).where(audit_heads.c.tenant == "a").values(seq=4)], {0}),
    "trimmed by another": (
        [
            sa.delete(audit).where(*ROW, audit.c.seq <= 2),
            sa.update(audit_heads).where(audit_heads.c.tenant == "a").values(trimmed=2),
        ],
        {0},
    ),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_what_is_done_to_the_log_is_found(opened: Stores, name: str) -> None:
    statements, where = CHANGES[name]
    await written(opened)
    await tamper(opened, *statements)
    assert where <= {seq for seq, _ in await problems(opened)}


async def test_an_entry_that_is_put_in_behind_the_end_is_found(opened: Stores) -> None:
    await written(opened, 2)
    copied = sa.select(*(sa.literal(9).label("seq") if each.name == "seq" else each for each in audit.columns))
    await tamper(
        opened,
        sa.insert(audit).from_select([each.name for each in audit.columns], copied.where(*ROW, audit.c.seq == 2)),
    )
    assert 9 in {seq for seq, _ in await problems(opened)}


async def test_whoever_lacks_the_key_cannot_forge(opened: Stores) -> None:
    """Somebody who knows how hashes are made, and has the database, but not the setting."""
    keyed = Audit(opened.database, "outside of the database")
    for number in range(4):
        await keyed.record("a", "test.done", details={"number": number})
    assert (await keyed.verify("a")).intact
    # With the program itself, and without the key.
    forger = Audit(opened.database)
    await forger.record("a", "test.forged")
    report = await keyed.verify("a")
    assert {each.seq for each in report.problems} >= {0, 5}
    # One who has replaced the key tells so, and what was sealed before is still checked.
    assert {each.seq for each in (await Audit(opened.database, "new").verify("a")).problems} >= {1, 2, 3, 4}
    await Audit(opened.database, "new").record("a", "test.done")
    changed = Audit(opened.database, "new", ["outside of the database", ""])
    assert (await changed.verify("a")).intact


async def test_only_a_noted_head_tells_that_all_was_set_back(opened: Stores) -> None:
    (_, second, *_, last) = await written(opened)

    def kept(connection: sa.Connection) -> list[Any]:
        return [dict(row._mapping) for row in connection.execute(sa.select(audit).where(*ROW).order_by(audit.c.seq))]

    rows = await opened.database.read(kept)
    before = await opened.database.read(lambda it: dict(it.execute(sa.select(audit_heads)).one()._mapping))
    await written(opened, 2)
    noted = await opened.audit.head("a")
    # The database as it was two entries ago, head and all.
    await tamper(opened, sa.delete(audit).where(*ROW), sa.insert(audit).values(rows), sa.delete(audit_heads))
    await tamper(opened, sa.insert(audit_heads).values(before))
    assert await problems(opened) == []
    assert await problems(opened, [second, last]) == []
    assert [seq for seq, _ in await problems(opened, [noted])] == [8]
    await written(opened, 3)
    assert [seq for seq, _ in await problems(opened, [noted])] == [8]
    assert parse_head("a", str(noted)) == noted
    assert parse_head("a", "8:xyz") is None


async def test_what_its_retention_dropped_is_no_problem(opened: Stores) -> None:
    heads = await written(opened)
    third = (await opened.audit.after("a", 2, 1))[0]
    work = opened.audit.trim
    assert await opened.database.write(lambda connection: work(connection, "a", third.at)) == 2
    report = await opened.audit.verify("a", heads)
    assert (report.intact, report.trimmed, report.entries) == (True, 2, 5)
    told = await opened.audit.latest("a", "audit.trimmed")
    assert told is not None
    assert (told.details["upto"], told.details["hash"]) == (2, heads[1].hash)
    assert await opened.database.write(lambda connection: work(connection, "a", third.at)) == 0
    await written(opened, 1)
    # All of it is old: the last entry stays, so that there is something to go on from.
    assert await opened.database.write(lambda connection: work(connection, "a", 1e12)) == 5
    assert (await opened.audit.verify("a")).intact
    await tamper(opened, sa.delete(audit).where(*ROW, audit.c.seq == 8))
    assert await problems(opened)


async def test_acts_of_the_server_have_a_chain_of_their_own(opened: Stores) -> None:
    await opened.audit.record(SERVER, "test.done")
    assert [each.tenant for each in await opened.audit.after(SERVER, 0)] == [""]
    assert (await opened.audit.verify(SERVER)).intact
