"""What an erasure must stop and delete while jobs come and go, and what a kill leaves behind."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mainspring.core.errors import Conflict, NotFound, QuotaExceeded, Unsupported
from mainspring.core.settings import ModelsSettings, Settings
from mainspring.features.train import service as services
from mainspring.features.train.jobs.store import KIND, Row
from mainspring.features.train.versions import card, entering
from mainspring.features.train.versions.serving import Serving
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.events.audit_log import ITSELF
from mainspring.stores.sql.jobs import Job
from mainspring.training.folder import Folder
from mainspring.training.recipe import Made
from tests.features.train.test_holdings import Exports, holding, person
from tests.features.train.world import World, world

ANN = Subject("acme", "user", "ann")
SAID = "Ann's own words"
EXAMPLES = [
    {"question": SAID, "answer": SAID, "source": "ans_3"},
    {"question": "Q?", "answer": "A.", "source": "ans_4"},
    {"question": "Whose?", "answer": "Unknown."},
]
ENTRY = {
    "kind": "chat",
    "license": "MIT",
    "format": "gguf",
    "convert": ["openvino"],
    "context_window": 512,
    "files": [{"name": "tiny.gguf", "sources": ["file:/nowhere/tiny.gguf"]}],
}
MADE = Made("prompt", ("parity.jsonl", "scores.json"), value={"examples": EXAMPLES, "nearest": 3})


async def ordered(home: World) -> str:
    home.service.sets = Exports()
    return (await home.order(export="lakeexport-1", suffix="line")).id


async def begun(home: World, job_id: str) -> Job:
    """A worker has leased the job and works on it."""
    lease = await home.stores.jobs.lease(KIND, f"lease_{job_id}", 30.0)
    assert lease is not None
    assert lease.id == job_id
    assert await home.service.jobs.begin(lease)
    return lease


async def row_of(home: World, job_id: str) -> Row:
    return await home.service.jobs.of("acme", job_id)


async def erase(home: World, tmp_path: Path) -> int:
    return await holding(home, tmp_path).erase(ANN, person("ans_3"), 2.0)


def worked(folder: Folder) -> list[Path]:
    """What a run writes, with the words of a person in each file."""
    paths = [
        *(folder.checkpoints / name for name in ("taught.jsonl", "step-5/weights.json")),
        *(folder.path / name for name in ("samples.jsonl", "log.txt", "error.json")),
        folder.output / "parity.jsonl",
        folder.output / "scores.json",
    ]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        sample = {"step": 1, "at": 1.0, "prompt": SAID, "text": SAID}
        path.write_text(json.dumps(sample if path.name == "samples.jsonl" else {"text": SAID}) + "\n")
    return paths


def says(folder: Path) -> list[str]:
    """The files in which the person's words are."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and SAID in path.read_text())


async def test_a_resumed_job_whose_rows_are_erased_is_worked_on_no_more(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        job_id = await ordered(home)
        lease = await begun(home, job_id)
        folder = home.service.folder(await row_of(home, job_id))
        worked(folder)
        await home.service.jobs.rest(lease, "paused", "The job is paused.")
        await home.service.resume(home.who, job_id)
        await home.service.jobs.tell("acme", job_id, f"The job has failed: {SAID}", "error")
        await erase(home, tmp_path)
        assert (await row_of(home, job_id)).state == "failed"
        assert await home.stores.jobs.lease(KIND, "again", 30.0) is None
        assert not says(folder.path)
        assert not any(SAID in told for told in await home.events(job_id))
        with pytest.raises(Unsupported, match="erased"):
            await home.service.resume(home.who, job_id)


async def test_a_job_that_is_over_does_not_begin(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        job_id = await ordered(home)
        lease = await home.stores.jobs.lease(KIND, "lease", 30.0)
        assert lease is not None
        # As if an older version of the program had left the row of the queue.
        await home.stores.database.write(lambda it: _set(it, job_id, state="failed"))
        assert not await home.service.jobs.begin(lease)
        assert (await row_of(home, job_id)).state == "failed"
        assert (await home.stores.jobs.get("acme", job_id)).state == "done"


@pytest.mark.parametrize("how", ["ended", "rested", "died"])
async def test_a_job_that_works_while_its_rows_are_erased_ends_for_that(tmp_path: Path, how: str) -> None:
    async with world(tmp_path, works=False) as home:
        job_id = await ordered(home)
        lease = await begun(home, job_id)
        await erase(home, tmp_path)
        paths = worked(home.service.folder(await row_of(home, job_id)))
        for wish in (home.service.pause, home.service.cancel_training):
            with pytest.raises(Conflict, match="were erased"):
                await wish(home.who, job_id)
        if how == "ended":
            await home.service.jobs.end(lease, "failed", {"code": "training_died", "message": SAID, "param": None})
        elif how == "rested":
            await home.service.jobs.rest(lease, "paused", "The job is paused.")
        else:
            # Its server died: another takes it up.
            assert not await home.service.jobs.begin(lease)
        row = await row_of(home, job_id)
        assert row.state == "failed"
        assert "rows_erased" in row.error
        assert SAID not in row.error
        await home.service.sweep()
        assert not [path for path in paths if path.exists()]


async def test_no_version_comes_of_a_job_whose_rows_were_erased(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        job_id = await ordered(home)
        lease = await begun(home, job_id)
        row = await row_of(home, job_id)
        folder = home.service.folder(row)
        worked(folder)
        folder.finish(MADE)
        await erase(home, tmp_path)
        with pytest.raises(Conflict, match="were erased"):
            await home.service._keep(row, folder)
        assert await home.service.kept.of_job("acme", job_id) is None
        await home.service.jobs.end(lease, "failed")
        assert "rows_erased" in (await row_of(home, job_id)).error


async def test_an_erasure_between_the_number_and_the_end_takes_the_version(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        job_id = await ordered(home)
        await begun(home, job_id)
        row = await row_of(home, job_id)
        folder = home.service.folder(row)
        worked(folder)
        folder.finish(MADE)
        text = home.service.text

        async def late(*given: object, **more: object) -> str:
            await erase(home, tmp_path)
            return await text(*given, **more)  # type: ignore[arg-type]

        home.service.text = late  # type: ignore[method-assign]
        with pytest.raises(Conflict, match="were erased"):
            await home.service._keep(row, folder)
        made = await home.service.kept.of_job("acme", job_id)
        assert made is not None
        assert made.state == "deleted"
        assert not home.service.places.version("acme", "line", 1).exists()


async def test_a_version_keeps_nothing_of_what_the_person_said(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        job_id = await ordered(home)
        lease = await begun(home, job_id)
        row = await row_of(home, job_id)
        folder = home.service.folder(row)
        worked(folder)
        folder.finish(MADE)
        assert await home.service._keep(row, folder) == "line@1"
        await home.service.jobs.end(lease, "succeeded", version="line@1")
        place = home.service.places.version("acme", "line", 1)
        assert {"README.md", "parity.jsonl", "scores.json"} <= set(says(place))
        assert await erase(home, tmp_path) == 1
        assert not says(place)
        assert not says(folder.path)
        told = (place / "README.md").read_text()
        assert "**Stale:** rows that it was made of were erased" in told
        assert "## How it was made" in told
        version = await home.service.version("acme", "line")
        assert version.made.value == {"examples": [EXAMPLES[1]], "nearest": 1}
        assert SAID not in (await home.service.kept.find("acme", "line")).made


async def test_an_erasure_that_was_killed_finds_all_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path, works=False) as home:
        job_id = await ordered(home)
        lease = await begun(home, job_id)
        folder = home.service.folder(await row_of(home, job_id))
        await home.service.jobs.rest(lease, "paused", "The job is paused.")
        worked(folder)
        held = holding(home, tmp_path)
        with monkeypatch.context() as broken:
            broken.setattr(type(held), "_clean", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                await held.erase(ANN, person("ans_3"), 2.0)
        assert says(folder.path)
        await held.erase(ANN, person("ans_3"), 2.0)
        assert not says(folder.path)


async def test_a_version_that_was_deleted_before_its_job_ended_stays_deleted(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        job_id = await ordered(home)
        await begun(home, job_id)
        row = await row_of(home, job_id)
        folder = home.service.folder(row)
        worked(folder)
        folder.finish(dataclasses.replace(MADE, files=()))
        await home.service._keep(row, folder)
        await home.service.delete_version(home.who, "line@1", ITSELF)
        # The server is killed before the end is recorded, and does it again.
        assert await home.service._keep(row, folder) == "line@1"
        assert (await home.service.kept.row("acme", "line", 1)).state == "deleted"
        assert not home.service.places.version("acme", "line", 1).exists()


async def test_deleted_versions_make_room(tmp_path: Path) -> None:
    async with world(tmp_path, works=False, train={"versions": 1}) as home:
        first = await row_of(home, await ordered(home))
        second = await row_of(home, await ordered(home))
        assert await home.service.kept.number(first, MADE) == 1
        with pytest.raises(QuotaExceeded):
            await home.service.kept.number(second, MADE)
        await home.service.kept.change("acme", "line", 1, state="deleted")
        assert await home.service.kept.number(second, MADE) == 2


async def test_folders_of_no_job_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path, works=False) as home:
        job_id = await ordered(home)
        orphan = home.service.places.job("ftjob-orphan")
        worked(Folder(orphan))
        await home.service.sweep()
        # It may be one whose order is being recorded.
        assert orphan.exists()
        monkeypatch.setattr(services, "_ORPHAN_S", -1.0)
        await home.service.sweep()
        assert not orphan.exists()
        assert home.service.places.job(job_id).exists()


async def kept(home: World, **values: object) -> Row:
    """A version as a job has made it, which is in the catalogue, with its weights."""
    row = await row_of(home, await ordered(home))
    number = await home.service.kept.number(row, MADE)
    folder = home.service.places.version("acme", "line", number)
    folder.mkdir(parents=True)
    await home.service.kept.change("acme", "line", number, **{"state": "ready", **values})
    version = await home.service.kept.row("acme", "line", number)
    name = entering.name_of(version)
    entering.enter(home.stores.blobs.directory.parent, name, ENTRY)
    (models(home) / name).mkdir(parents=True)
    return version


def models(home: World) -> Path:
    return home.stores.blobs.directory.parent / "models"


def serving(home: World) -> Serving:
    """Nothing of it is loaded here."""
    place = home.stores.blobs.directory.parent
    rooms: Any = SimpleNamespace(
        settings=Settings(home=place, models=ModelsSettings(directory=models(home), chat=())),
        stores=home.stores,
        path=SimpleNamespace(registry=SimpleNamespace(attach=lambda _: None)),
        engines=SimpleNamespace(load_chat=None),
    )
    return Serving(rooms, home.service.kept, home.service.places)


async def test_a_withdrawal_that_was_killed_is_carried_on(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        gone = await kept(home, served="yes", withdrawn_at=1.0)
        deleted = await kept(home, state="deleted")
        stays = await kept(home)
        here = serving(home)
        await here.follow()
        assert set(entering.read(tmp_path)) == {entering.name_of(stays)}
        assert [each.name for each in models(home).glob("line.*")] == [entering.name_of(stays)]
        # Once more after another kill: the file has changed.
        name = entering.name_of(gone)
        entering.enter(tmp_path, name, ENTRY)
        await here.follow()
        assert name not in entering.read(tmp_path)
        # Rows stay for what was made from them.
        assert (await home.service.kept.row("acme", "line", deleted.number)).state == "deleted"


async def test_a_tenant_s_erasure_leaves_no_model_and_no_row(tmp_path: Path) -> None:
    async with world(tmp_path, works=False) as home:
        entered = await kept(home, served="yes", owner="Ann", asked=json.dumps({"suffix": SAID}))
        plain = await kept(home)
        entering.enter(tmp_path, entering.name_of(plain), None)
        later = await kept(home, created_at=5e9)
        subject = Subject("acme", "tenant", "acme")
        await holding(home, tmp_path).erase(subject, SubjectData(), 4e9)
        places = [home.service.places.version("acme", "line", each.number) for each in (entered, plain, later)]
        assert [place.exists() for place in places] == [False, False, True]
        with pytest.raises(NotFound):
            await home.service.kept.row("acme", "line", plain.number)
        left = await home.service.kept.row("acme", "line", entered.number)
        assert (left.state, left.owner, left.asked) == ("erased", "", "{}")
        assert [row.number for row in await home.service.kept.in_service()] == []
        await serving(home).follow()
        assert set(entering.read(tmp_path)) == {entering.name_of(later)}
        assert not (models(home) / entering.name_of(entered)).exists()
        with pytest.raises(NotFound):
            await home.service.kept.row("acme", "line", entered.number)
        assert (await home.service.version("acme", "line")).number == later.number


def test_a_card_is_redacted_once() -> None:
    text = (
        "# line@1\n\nUse.\n\n## What it writes\n\n**said**\n\n- Before (step 0): said\n\n## Notes\n\n- It is a line.\n"
    )
    told = card.redacted(text, "gone")
    assert told == "# line@1\n\n**Stale:** gone\n\nUse.\n\n## Notes\n\n- It is a line.\n"
    assert card.redacted(told, "gone") == told


def _set(connection: object, job_id: str, **values: object) -> None:
    import sqlalchemy as sa

    from mainspring.features.train.tables import training_jobs

    connection.execute(sa.update(training_jobs).where(training_jobs.c.id == job_id).values(**values))  # type: ignore[attr-defined]
