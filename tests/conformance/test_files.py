"""What every SQL database must do for files, and for who may see them."""

from __future__ import annotations

import asyncio
import json

import pytest

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Principal
from mainspring.stores import Stores
from mainspring.stores.documents.catalogue import About
from mainspring.stores.documents.files import ANSWERS, FileInfo
from mainspring.stores.sql import ids
from mainspring.stores.sql.pages import Page
from mainspring.stores.work.batches import KIND
from tests.conformance.stored import SECRET, event, publish
from tests.databases import opened, settings

__all__ = ["opened", "settings"]


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
