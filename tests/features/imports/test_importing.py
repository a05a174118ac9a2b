"""Files become events: once, in pieces that survive a death, free of charge, and apart from live traffic."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pytest_asyncio
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.errors import InvalidRequest, NotFound, QuotaExceeded, TooLarge
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.features.imports.drafts import event_id
from mainspring.features.imports.holdings import ImportsHeld
from mainspring.features.imports.records import records as read_records
from mainspring.features.imports.settings import ImportsSettings
from mainspring.features.imports.store import Import, Imports
from mainspring.features.imports.work import Importer, ImportWork
from mainspring.stores import Stores
from mainspring.stores.erase import erasing
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.erase.data_subjects import find as find_held
from mainspring.stores.events.feed import Feed
from mainspring.stores.schema import events
from mainspring.stores.sql.pages import Page
from mainspring.stores.sql.worker import Lease
from tests.features.imports import records

ME = Principal("acme", "key_1", frozenset({"import"}))
SETTINGS = ImportsSettings()


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path / "home")) as found:
        yield found


def lines(path: Path, *found: Any) -> Path:
    path.write_text("".join(json.dumps(each) + "\n" for each in found))
    return path


def many(count: int) -> list[dict[str, Any]]:
    return [
        {**records.OPENAI_STORED, "id": f"chatcmpl-{number}", "messages": [{"role": "user", "content": f"Q {number}?"}]}
        for number in range(count)
    ]


async def brought(opened: Stores, path: Path, source: str, *, settings: ImportsSettings = SETTINGS) -> Import:
    imports = Imports(opened.database, opened.audit, settings)
    made = await imports.create(ME, Import("acme", "", source, path.name, "key_1", "key_1", consent=True), job=False)
    ended, whole = await Importer(imports, settings).run(made, path)
    assert whole
    await imports.end(ended, "completed")
    return await imports.find("acme", made.id)


async def counted(opened: Stores) -> int:
    query = sa.select(sa.func.count()).select_from(events).where(events.c.tenant == "acme")
    return int(await opened.database.read(lambda connection: connection.execute(query).scalar_one()))


async def test_importing_again_adds_nothing(opened: Stores, tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", records.LANGFUSE_TRACE, *records.LANGFUSE_FLAT)
    first = await brought(opened, path, "langfuse")
    assert first.counts == {
        "events": 8,
        "known": 0,
        "faulty": 0,
        "left_out": {"a step that is not a call of a model": 1},
    }
    again = await brought(opened, path, "langfuse")
    assert (again.counts["events"], again.counts["known"], await counted(opened)) == (0, 8, 8)


def parquet(path: Path, *found: dict[str, Any]) -> Path:
    """Records as bulk exports write them: a column a field, objects and lists as JSON, times as times."""
    columns: dict[str, list[Any]] = {name: [] for each in found for name in each}
    for each in found:
        for name, cells in columns.items():
            value = each.get(name)
            if isinstance(value, dict | list):
                value = json.dumps(value)
            elif name.endswith("_time") and isinstance(value, str):
                value = datetime.fromisoformat(value)
            cells.append(value)
    pq.write_table(pa.table(columns), path)
    return path


async def test_parquet_is_read_as_the_same_records(opened: Stores, tmp_path: Path) -> None:
    runs = [each for each in records.LANGSMITH if "run_type" in each]
    first = await brought(opened, lines(tmp_path / "a.jsonl", *runs), "langsmith")
    assert first.counts["events"] > 1
    again = await brought(opened, parquet(tmp_path / "a.parquet", *runs), "langsmith")
    assert (again.counts["events"], again.counts["known"], again.counts["faulty"]) == (0, first.counts["events"], 0)
    kept = list(read_records(tmp_path / "a.parquet", SETTINGS, 1))
    assert [number for number, _ in kept] == list(range(2, len(runs) + 1))
    small = ImportsSettings(max_bytes=100)
    with pytest.raises(TooLarge):
        list(read_records(tmp_path / "a.parquet", small))
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidRequest, match="damaged"):
        list(read_records(tmp_path / "cut.parquet", SETTINGS))


async def test_an_imported_answer_has_a_trace_of_its_own_time_and_is_found_by_its_question(
    opened: Stores, tmp_path: Path
) -> None:
    await brought(opened, lines(tmp_path / "a.jsonl", records.LANGFUSE_TRACE), "langfuse")
    trace = records.LANGFUSE_TRACE["id"]
    found = await opened.events.find("acme", trace_id=trace)
    assert sorted(each.kind for each in found) == ["answer", "call", "feedback", "label", "score"]
    assert {each.facts.imported for each in found} == {"langfuse"}
    assert await opened.questions.traces("acme", frozenset(), "where is my", 10) == [trace]
    answer = event_id("langfuse", f"answer:{trace}")
    assert {each.subject for each in found} == {answer}
    assert (await opened.events.get("acme", answer)).at == pytest.approx(1_762_161_300.25)


async def test_imported_calls_cost_nothing_here_and_readers_of_live_traffic_do_not_see_them(
    opened: Stores, tmp_path: Path
) -> None:
    await brought(opened, lines(tmp_path / "a.jsonl", records.LANGFUSE_TRACE), "langfuse")
    assert (await opened.ledger.total()).cost_nanousd == 0
    feed, kinds = Feed(opened.database), ("answer", "call", "feedback", "score", "label")
    assert await feed.after(0, kinds, 100) == []
    assert len(await feed.after(0, kinds, 100, imported=True)) == 5


async def test_a_process_that_dies_between_pieces_loses_nothing_and_repeats_nothing(
    opened: Stores, tmp_path: Path
) -> None:
    path = lines(tmp_path / "a.jsonl", *many(1000))
    imports = Imports(opened.database, opened.audit, SETTINGS)
    made = await imports.create(ME, Import("acme", "", "openai", "a", "key_1", "key_1"), job=False)
    importer = Importer(imports, SETTINGS)
    half, whole = await importer.run(made, path, most=400)
    assert (half.position, whole, await counted(opened)) == (400, False, 800)
    # A process that was thought dead goes on from before: its piece is refused.
    stale, whole = await importer.run(made, path)
    assert (stale.position, whole, await counted(opened)) == (400, False, 800)
    rest, whole = await Importer(imports, SETTINGS).run(await imports.find("acme", made.id), path)
    assert (rest.position, whole, rest.counts["events"], rest.counts["known"]) == (1000, True, 2000, 0)
    assert await counted(opened) == 2000


async def test_a_job_goes_behind_others_after_a_slice_and_deletes_its_file(opened: Stores, tmp_path: Path) -> None:
    settings = ImportsSettings(slice=200)
    imports = Imports(opened.database, opened.audit, settings)
    work = ImportWork(imports, opened.jobs, opened.files, opened.blobs, settings)
    path = lines(tmp_path / "a.jsonl", *many(500))
    made = []
    for tenant in ("acme", "bolt"):
        info = await opened.files.add(tenant, "a.jsonl", path.read_bytes(), "user_data")
        asked = Import(tenant, "", "openai", "a.jsonl", "key_1", "key_1", file_id=info.id)
        made.append(await imports.create(Principal(tenant, "key_1"), asked, job=True))
    order: list[str] = []
    while (job := await opened.jobs.lease("import", f"lease_{len(order)}", 60)) is not None:
        order.append(job.tenant)
        await work(Lease(job))
    assert order[:4] == ["acme", "bolt", "acme", "bolt"]
    for each in made:
        ended = await imports.find(each.tenant, each.id)
        assert (ended.status, ended.position, ended.counts["events"]) == ("completed", 500, 1000)
        with pytest.raises(NotFound):
            await opened.files.get(each.tenant, each.file_id)


async def test_a_cancelled_import_stops_and_keeps_what_it_has(opened: Stores, tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", *many(600))
    imports = Imports(opened.database, opened.audit, SETTINGS)
    made = await imports.create(ME, Import("acme", "", "openai", "a", "key_1", "key_1"), job=False)
    half, _ = await Importer(imports, SETTINGS).run(made, path, most=200)
    await imports.cancel(half)
    after, whole = await Importer(imports, SETTINGS).run(half, path)
    assert (after.status, after.position, whole, await counted(opened)) == ("cancelled", 200, False, 400)


async def test_faulty_records_are_reported_by_number_and_the_others_are_imported(
    opened: Stores, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("not json, secret\n[1]\n\n" + json.dumps(many(1)[0]) + '\n{"messages": "x", "choices": 7}\n')
    made = await brought(opened, path, "openai")
    assert [each["record"] for each in made.errors] == [1, 2, 4]
    assert "secret" not in json.dumps(list(made.errors))
    assert made.counts["events"] == 2


@pytest.mark.parametrize("form", ["lines", "list", "pretty", "gzip", "envelope"])
def test_files_of_all_forms_are_read(tmp_path: Path, form: str) -> None:
    found, path = many(3), tmp_path / "a"
    said = "".join(json.dumps(each) + "\n" for each in found)
    match form:
        case "list":
            said = json.dumps(found)
        case "pretty":
            said = json.dumps(found, indent=2)
        case "envelope":
            said = json.dumps({"object": "list", "data": found})
    path.write_bytes(gzip.compress(said.encode()) if form == "gzip" else said.encode())
    assert [(number, record["id"]) for number, record in read_records(path, SETTINGS)] == [  # type: ignore[index]
        (number + 1, f"chatcmpl-{number}") for number in range(3)
    ]
    assert [number for number, _ in read_records(path, SETTINGS, after=2)] == [3]


def test_files_are_bounded(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", *many(3))
    for bound in ({"max_records": 2}, {"max_bytes": 100}):
        with pytest.raises(TooLarge):
            list(read_records(path, ImportsSettings(**bound)))
    # What gzip unpacks counts.
    path.write_bytes(gzip.compress(b'{"a": "' + b"x" * 10**6 + b'"}\n'))
    with pytest.raises(TooLarge):
        list(read_records(path, ImportsSettings(max_bytes=10**5)))
    path.write_text(json.dumps(many(3)))
    with pytest.raises(TooLarge):
        list(read_records(path, ImportsSettings(max_json_bytes=100)))
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 1000)[:-20])
    with pytest.raises(InvalidRequest, match="damaged"):
        list(read_records(path, SETTINGS))
    path.write_text("{ not json\n at all")
    with pytest.raises(InvalidRequest):
        list(read_records(path, SETTINGS))


async def test_imports_under_way_are_bounded(opened: Stores) -> None:
    imports = Imports(opened.database, opened.audit, ImportsSettings(pending=1, kept=2))
    asked = Import("acme", "", "openai", "a", "key_1", "key_1")
    first = await imports.create(ME, asked, job=False)
    with pytest.raises(QuotaExceeded):
        await imports.create(ME, asked, job=False)
    await imports.end(first, "failed", "x")
    for _ in range(4):
        await imports.end(await imports.create(ME, asked, job=False), "completed")
    assert len((await imports.page(ME, Page(10))).rows) == 2
    stranger = Principal("acme", "key_2", frozenset({"import"}))
    assert not (await imports.page(stranger, Page(10))).rows
    with pytest.raises(NotFound):
        await imports.get(stranger, (await imports.page(ME, Page(1))).rows[0].id)


async def test_people_in_imported_traffic_can_be_erased_and_importing_again_brings_nothing_back(
    opened: Stores, tmp_path: Path
) -> None:
    path = lines(tmp_path / "a.jsonl", records.LANGFUSE_TRACE)
    made = await brought(opened, path, "langfuse")
    subject = Subject("acme", "user", "user-42")
    held = await opened.database.read(lambda connection: find_held(connection, subject, 10.0**12))
    assert list(held.answers) == [event_id("langfuse", f"answer:{records.LANGFUSE_TRACE['id']}")]
    await opened.database.write(lambda connection: erasing.answers(connection, "acme", list(held.answers)) and None)
    again = await brought(opened, path, "langfuse")
    assert again.counts["events"] == 0
    found = await opened.events.find("acme", kind="answer")
    assert [(each.content, each.person) for each in found] == [(None, "")]
    holding = ImportsHeld(opened.database, opened.blobs)
    assert await holding.erase(Subject("acme", "user", "user-42"), SubjectData(), 10.0**12) == 0
    assert await holding.erase(Subject("acme", "key", "key_1"), SubjectData(), 10.0**12) == 2
    with pytest.raises(NotFound):
        await Imports(opened.database, opened.audit, SETTINGS).find("acme", made.id)


async def test_two_at_once_write_each_event_once(opened: Stores, tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", *many(300))
    await asyncio.gather(*(brought(opened, path, "openai") for _ in range(3)))
    assert await counted(opened) == 600
