"""Rows of people who are erased go from jobs, and what was made of them is marked, also what was made from that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.types import Principal
from mainspring.features.train.holdings import TrainedOn
from mainspring.stores.erase.data_subjects import Subject, SubjectAnswer, SubjectData
from tests.features.train.world import World, points, world, write

pytestmark = pytest.mark.slow


class Exports:
    """Keeps one export of which each row is made of an answer."""

    def __init__(self, count: int = 30) -> None:
        self.rows = points(count)

    async def write_training_set(self, principal: Principal, export_id: str, folder: Path) -> Mapping[str, Any]:
        assert principal.tenant == "acme"
        write(folder, self.rows)
        beside = [
            {"id": f"row{n}", "answers": [f"ans_{n}"], "traces": [f"trace_{n}"], "event_ids": [f"evt_{n}"]}
            for n in range(len(self.rows))
        ]
        (folder / "train.lineage.jsonl").write_text("".join(json.dumps(each) + "\n" for each in beside))
        (folder / "manifest.json").write_text(json.dumps({"licence": "CC0-1.0", "consent": {"required": True}}))
        return {"groups": [], "id": export_id}


def holding(home: World, tmp_path: Path) -> TrainedOn:
    assert home.stores.blobs.directory.parent == tmp_path
    return TrainedOn(home.stores.database, home.stores.blobs)


def person(*answers: str) -> SubjectData:
    return SubjectData({each: SubjectAnswer(each, each.replace("ans", "trace"), 1.0) for each in answers})


async def test_lineage_goes_both_ways_and_an_erasure_marks_what_was_made(tmp_path: Path) -> None:
    async with world(tmp_path) as home:
        home.service.sets = Exports()
        job = await home.over((await home.order(export="lakeexport-1", suffix="first")).id)
        assert job.state == "succeeded", job
        kept = home.service.kept
        for source in ("ans_3", "trace_3", "evt_3", "lakeexport-1"):
            assert [f"{row.name}@{row.number}" for row in await kept.of_source("acme", source)] == ["first@1"]
        assert await kept.of_source("other", "ans_3") == []
        sources = await kept.sources("acme", job.id, 1_000)
        assert {"ans_29", "trace_0", "evt_5"} <= {source for source, _ in sources}
        assert len(sources) == 90
        card = await home.service.card(await kept.find("acme", "first"))
        assert "lakeexport-1" in card
        assert "CC0-1.0" in card
        # A version that was made from the first one.
        await kept.change("acme", "first", 1, base="")
        other = await home.over((await home.order(suffix="second")).id)
        await kept.change("acme", "second", 1, base="first@1")
        assert other.version == "second@1"

        subject = Subject("acme", "user", "ann")
        found = await holding(home, tmp_path).find(subject, person("ans_3"), 2.0)
        assert {"type": "trained_version", "version": "first@1", "makes": "answering", "job": job.id} in found
        assert await holding(home, tmp_path).erase(subject, person("ans_3"), 2.0) == 2
        for label in ("first", "second"):
            assert "were erased" in (await home.service.version("acme", label)).stale
        assert "**Stale:**" in await home.service.card(await kept.find("acme", "first"))
        assert await kept.of_source("acme", "ans_3") == []
        told = await holding(home, tmp_path).remains("acme", 0.0)
        assert told == [f"the trained version {each}@1, which is marked as stale" for each in ("first", "second")]
        assert await holding(home, tmp_path).remains("acme", 4e9) == []
        # Done again, it changes nothing.
        assert await holding(home, tmp_path).erase(subject, person("ans_3"), 2.0) == 0


async def test_what_a_stale_version_taught_is_marked_and_what_is_made_from_it_later(tmp_path: Path) -> None:
    def naming(option: str, label: object) -> str:
        return json.dumps({"export": "", "options": {option: label, "text": "ask first@1 and x@y"}})

    async with world(tmp_path) as home:
        home.service.sets = Exports()
        job = await home.over((await home.order(export="lakeexport-1", suffix="first")).id)
        assert job.version == "first@1"
        kept = home.service.kept
        for name, option, label in (
            ("taught", "teacher", "first@1"),
            ("on", "start", "taught@1"),
            ("written", "value", {"model": "taught@1"}),
            ("apart", "start", "first@11"),
        ):
            assert (await home.over((await home.order(suffix=name)).id)).state == "succeeded"
            await kept.change("acme", name, 1, asked=naming(option, label))
        found = [f"{row.name}@{row.number}" for row in await kept.of_source("acme", "ans_3")]
        assert found == ["first@1", "taught@1", "on@1", "written@1"]
    async with world(tmp_path, works=False) as home:
        # An option of the recipe that is a text.
        later = await home.order(suffix="later", options={"fails": "on@1"})
        assert await holding(home, tmp_path).erase(Subject("acme", "user", "ann"), person("ans_3"), 2.0) == 4
        stale = {each.label: bool(each.stale) async for each in home.service.versions("acme")}
        assert [label for label, marked in stale.items() if not marked] == ["apart@1"]
    async with world(tmp_path) as home:
        # It was ordered before the erasure, and ends after it.
        ended = await home.over(later.id)
        assert ended.version == "later@1", ended
        assert "were erased" in (await home.service.version("acme", "later")).stale
        told_of = await holding(home, tmp_path).remains("acme", 0.0)
        assert "the trained version later@1, which is marked as stale" in told_of


async def test_a_run_that_waits_goes_on_without_the_rows_and_one_that_works_ends(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        home.service.sets = Exports()
        waits = await home.order(export="lakeexport-1")
        data = tmp_path / "training" / "jobs" / waits.id / "data"

        def told() -> set[str]:
            lines = [line for path in data.glob("*.lineage.jsonl") for line in path.read_text().splitlines()]
            rows = [line for side in ("train", "validation", "test") for line in (data / f"{side}.jsonl").open()]
            assert len(rows) == len(lines)
            return {answer for line in lines for answer in json.loads(line)["answers"]}

        assert "ans_7" in told()
        await holding(home, tmp_path).forget("acme", ["ans_7"])
        assert "ans_7" not in told()
        assert (await home.service.training_job("acme", waits.id)).state == "queued"
        await home.service.cancel_training(home.who, waits.id)
    async with world(tmp_path) as home:
        home.service.sets = Exports()
        works = await home.order(export="lakeexport-1", options={"steps": 5000, "pause_s": 0.02})
        await home.until(works.id, lambda job: job.step > 2)
        assert await holding(home, tmp_path).unlearn("acme", ["ans_8"]) == 0
        ended = await home.over(works.id)
        assert ended.state == "failed"
        assert "erased" in ended.error


async def test_rows_that_repeat_a_document_go_with_it(tmp_path: Path) -> None:
    write(tmp_path / "told", points(30))
    beside = [{"id": f"row{n}", "answers": [], "documents": [f"doc_{n}", "col_1"]} for n in range(30)]
    (tmp_path / "told" / "train.lineage.jsonl").write_text("".join(json.dumps(each) + "\n" for each in beside))
    async with world(tmp_path) as home:
        job = await home.over((await home.order(folder=tmp_path / "told", suffix="first")).id)
        assert job.state == "succeeded"
        await holding(home, tmp_path).forget_documents("acme", ["doc_7"])
        assert "document" in (await home.service.version("acme", "first")).stale
    async with world(tmp_path, works=False) as home:
        job = await home.order(folder=tmp_path / "told", suffix="second")
        data = tmp_path / "training" / "jobs" / job.id / "data"

        def told() -> str:
            return "".join(path.read_text() for path in data.glob("*.lineage.jsonl"))

        assert '"doc_7"' in told()
        await holding(home, tmp_path).forget_documents("acme", ["doc_7"])
        assert '"doc_7"' not in told()
        assert '"doc_8"' in told()
        await holding(home, tmp_path).forget_documents("acme", ["col_1"])
        assert not told()


async def test_a_tenant_s_erasure_takes_all(tmp_path: Path) -> None:
    async with world(tmp_path) as home:
        job = await home.over((await home.order()).id)
        erased = await holding(home, tmp_path).erase(Subject("acme", "tenant", "acme"), SubjectData(), 1e12)
        assert erased == 1
        assert not (tmp_path / "training" / "jobs" / job.id).exists()
        assert not list((tmp_path / "training" / "versions").glob("*/line"))
        assert [each async for each in home.service.versions("acme")] == []
