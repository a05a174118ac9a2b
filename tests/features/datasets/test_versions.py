"""Versions of data sets: immutable, cheap, made whole or not at all, and without what was erased."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from mainspring.core.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from mainspring.core.facts.opinions import FeedbackFacts, ScoreFacts
from mainspring.core.types import Message, Principal
from mainspring.evaluation.example_json import example_of, plain
from mainspring.evaluation.examples import DataSets, Example, ExampleDraw, ExampleStream
from mainspring.features.datasets.make.traces import TraceFilter
from mainspring.features.datasets.tables import data_set_rows, data_set_sources
from mainspring.stores.erase.data_subjects import Subject, SubjectData, find
from tests.features.experiments.world import Lab, lab, sums

STRANGER = Principal("other", "key_2", frozenset({"admin"}))


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Lab]:
    async with lab(tmp_path) as opened:
        yield opened


async def stored(home: Lab) -> int:
    query = sa.select(sa.func.count()).select_from(data_set_rows)
    return await home.rooms.stores.database.read(lambda connection: connection.execute(query).scalar_one())


async def ids(home: Lab, name: str, version: int | None = None) -> list[str]:
    return [each.id for each in await home.data.examples(home.who, name, version)]


async def test_a_version_stays_what_it_was_and_costs_what_it_changes(home: Lab) -> None:
    assert isinstance(home.data, DataSets)
    assert isinstance(home.data, ExampleStream)
    add = home.data.add_examples
    assert await add(home.who, "sums", sums(3)) == 1
    assert await add(home.who, "sums", sums(3)) == 1
    changed = dataclasses.replace(sums(1)[0], references=("two",))
    assert await add(home.who, "sums", [changed, *sums(4)[3:]]) == 2
    assert await home.data.writing.remove(home.who, "sums", ["sum-1"]) == 3
    assert await ids(home, "sums", 1) == ["sum-0", "sum-1", "sum-2"]
    assert await ids(home, "sums", 2) == ["sum-0", "sum-1", "sum-2", "sum-3"]
    assert await ids(home, "sums") == ["sum-0", "sum-2", "sum-3"]
    assert (await home.data.examples(home.who, "sums", 1))[0].references == sums(1)[0].references
    assert (await home.data.examples(home.who, "sums", 2))[0].references == ("two",)
    assert await stored(home) == 5
    rows = [await home.data.versions.version_row(home.who, "sums", number) for number in (1, 2, 3)]
    assert [(each.examples, each.added, each.changed, each.removed) for each in rows] == [
        (3, 3, 0, 0),
        (4, 1, 1, 0),
        (3, 0, 0, 1),
    ]
    # The same content has the same fingerprint, however it came about.
    await add(home.who, "again", [changed, sums(3)[2], sums(4)[3]])
    other = await home.data.version(home.who, "again")
    assert other.fingerprint == rows[2].fingerprint
    changes, following = await home.data.versions.changes(home.who, "sums", 1, 3, 10)
    assert following is None
    assert [(each.id, each.before is None, each.after is None) for each in changes] == [
        ("sum-0", False, False),
        ("sum-1", False, True),
        ("sum-3", True, False),
    ]


async def test_one_example_is_drawn_without_reading_the_others(home: Lab) -> None:
    assert isinstance(home.data, ExampleDraw)
    await home.data.add_examples(home.who, "sums", sums(5))
    await home.data.writing.remove(home.who, "sums", ["sum-1"])

    async def drawn(share: float, version: int | None = None) -> str:
        found = await home.data.drawn(home.who, "sums", version, share)
        assert found is not None
        return found.id

    assert [await drawn(each) for each in (0.0, 0.24, 0.25, 0.5, 0.999999)] == [
        *("sum-0", "sum-0", "sum-2", "sum-3", "sum-4"),
    ]
    assert await drawn(0.2, 1) == "sum-1"
    await home.data.writing.remove(home.who, "sums", ["sum-0", "sum-2", "sum-3", "sum-4"])
    assert await home.data.drawn(home.who, "sums", None, 0.5) is None


async def test_a_version_is_made_whole_or_not_at_all(home: Lab) -> None:
    await home.data.add_examples(home.who, "sums", sums(2))
    path = home.rooms.settings.home

    async def upload(lines: list[object]) -> str:
        data = "\n".join(json.dumps(line) for line in lines).encode()
        return (await home.rooms.stores.files.add("acme", "more.jsonl", data, "evals")).id

    assert path is not None
    many: list[object] = [{"question": f"q {number}", "reference": "a"} for number in range(1200)]
    broken = await upload([*many, {"reference": "no question"}])
    with pytest.raises(InvalidRequest, match=r"line 1201 needs a question"):
        await home.data.from_file(home.who, "sums", broken)
    assert await stored(home) == 2
    assert (await home.data.version(home.who, "sums")).number == 1
    # A dead process leaves a draft, which the next one clears once it is void.
    draft = await home.data.writing.begin(home.who, "sums")
    await home.data.writing.add(draft, [dataclasses.replace(sums(1)[0], references=("half",))])
    assert await ids(home, "sums") == ["sum-0", "sum-1"]
    with pytest.raises(Conflict, match="is being made"):
        await home.data.add_examples(home.who, "sums", sums(3))
    home.data.settings.__dict__["draft_s"] = -1.0
    await home.data.writing.add(draft, [])
    whole = await upload(many)
    home.data.settings.__dict__["draft_s"] = 60.0
    assert await home.data.from_file(home.who, "sums", whole) == 2
    assert (await home.data.examples(home.who, "sums"))[0].references == sums(1)[0].references
    assert await stored(home) == 1202
    with pytest.raises(Conflict, match="was given up"):
        await home.data.writing.finish(draft, home.who)


async def test_other_tenants_and_groups_see_nothing_and_bounds_hold(home: Lab) -> None:
    await home.data.add_examples(home.who, "sums", sums(2))
    with pytest.raises(NotFound):
        await home.data.version(STRANGER, "sums")
    staff = dataclasses.replace(home.who, groups=frozenset({"staff"}))
    await home.data.add_examples(staff, "sums", sums(3))
    # What a member of a group added is for those in the group.
    with pytest.raises(NotFound):
        await home.data.version(home.who, "sums")
    assert (await home.data.version(home.who, "sums", 1)).examples == 2
    assert (await home.data.version(staff, "sums")).examples == 3
    assert [row.name for row in await home.data.versions.sets(home.who, 10)] == []
    home.data.settings.__dict__["max_rows"] = 4
    with pytest.raises(QuotaExceeded, match="4 rows"):
        await home.data.add_examples(home.who, "more", sums(2))
    home.data.settings.__dict__["max_sets"] = 1
    with pytest.raises(QuotaExceeded, match="1 data sets"):
        await home.data.add_examples(home.who, "more", sums(1))


async def test_a_thumb_down_with_an_edit_becomes_a_row_with_its_trace(home: Lab) -> None:
    down = FeedbackFacts(key_id=home.who.key_id, rating="down", comment=None, edited=True)
    up = FeedbackFacts(key_id=home.who.key_id, rating="up", comment=None, edited=False)
    low = ScoreFacts(metric="verdict", scores={"faithfulness": 0.2})
    bad = await home.say("How long is the lease?", "A year.", [(down, "Two years.")], user="ann")
    good = await home.say("Who signs?", "The owner.", [(up, None), (low, None)])
    await home.say("Nobody minds?", "No.")
    await home.say("Secret?", "Yes.", [(down, "No.")], who=dataclasses.replace(STRANGER, key_id="key_2"))
    assert await home.data.from_traces(home.who, "edits", TraceFilter(thumb="down")) == 1
    (made,) = await home.data.examples(home.who, "edits")
    assert (made.question, made.references, made.subject) == ("How long is the lease?", ("Two years.",), "ann")
    assert made.sources[0] == bad
    assert made.trace_id.startswith("trace")
    assert made.extra["answer"] == "A year."
    with pytest.raises(InvalidRequest, match="no recorded answer"):
        await home.data.from_traces(home.who, "none", TraceFilter(search="nothing such"))
    await home.data.from_traces(home.who, "low", TraceFilter(below={"faithfulness": 0.5}))
    (made,) = await home.data.examples(home.who, "low")
    assert (made.sources[0], made.references) == (good, ("The owner.",))
    await home.data.from_traces(home.who, "all", TraceFilter())
    assert len(await home.data.examples(home.who, "all")) == 3
    other = dataclasses.replace(home.who, key_id="key_x", scopes=frozenset({"curate"}), lineage=())
    with pytest.raises(InvalidRequest, match="no recorded answer"):
        await home.data.from_traces(other, "mine", TraceFilter())


async def test_an_erased_person_is_gone_from_all_versions_which_say_so(home: Lab) -> None:
    await home.say("How long is the lease?", "A year.", user="ann")
    await home.data.from_traces(home.who, "all", TraceFilter())
    await home.data.add_examples(home.who, "all", [*sums(2), Example("named", (Message("user", "Hi"),), subject="ann")])
    database, subject = home.rooms.stores.database, Subject("acme", "user", "ann")
    held = await database.read(lambda connection: find(connection, subject, 9e9))
    (holding,) = [each for each in home.rooms.stores.holdings if each.name == "data_sets"]
    assert len(await holding.find(subject, held, 9e9, None)) == 2
    assert await holding.erase(subject, held, 9e9) == 2
    assert await ids(home, "all") == ["sum-0", "sum-1"]
    assert await ids(home, "all", 1) == []
    told = [await home.data.version(home.who, "all", number) for number in (1, 2)]
    assert [(each.examples, each.erased) for each in told] == [(1, 1), (4, 2)]
    assert await holding.erase(subject, SubjectData(), 9e9) == 0


async def test_documents_of_people_s_rows_are_their_own_and_only_a_suite_s_are_kept_as_such(home: Lab) -> None:
    passages = ["The lease lasts two years. " * 40, {"text": "Dogs may live here."}]
    row = {"id": "raft", "question": "How long?", "documents": passages, "oracle": 0, "answer": "Two years."}
    people = example_of(row)
    assert people.documents == ()
    assert people.extra["documents"] == passages
    suite = dataclasses.replace(sums(1)[0], documents=("doc_1", "vs_1"))
    await home.data.add_examples(home.who, "rows", [people, suite])
    # What was exported comes back as people's, too.
    assert example_of(plain(suite)).documents == ()
    kept = {each.id: each for each in await home.data.examples(home.who, "rows")}
    assert (kept["raft"], kept["sum-0"]) == (people, suite)
    query = sa.select(data_set_sources.c.id, data_set_sources.c.source).order_by(data_set_sources.c.source)
    found = await home.rooms.stores.database.read(lambda connection: connection.execute(query).all())
    assert [tuple(each) for each in found] == [("sum-0", "doc_1"), ("sum-0", "vs_1")]
