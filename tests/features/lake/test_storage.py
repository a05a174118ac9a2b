"""The lake on object storage: the same through fsspec."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.errors import SettingsError
from mainspring.core.settings import Settings
from mainspring.features.lake.files.storage import opened
from mainspring.features.lake.holdings import LakeRows
from mainspring.stores.erase.data_subjects import Subject, find
from tests.features.lake.world import World


@pytest.fixture
async def away(tmp_path: Path) -> AsyncIterator[World]:
    pytest.importorskip("fsspec")
    async with stores.open(Settings.model_validate({"home": tmp_path / "home"})) as found:
        yield World(found, tmp_path / "home", url=f"local://{tmp_path}/bucket/lake", build={"workers": 0})


async def test_events_reach_object_storage_and_leave_it(away: World, tmp_path: Path) -> None:
    await away.say("Where is my xylophone?", user="ada")
    await away.say("Where is the sun?", user="bob")
    await away.lake.syncing.sync()
    built = await away.lake.building.build("acme")
    assert built.report["ready"] == 2
    there = list((tmp_path / "bucket").rglob("*.parquet"))
    assert len(there) == 4
    assert away.files() == []
    counted = await away.lake.sql.query("acme", "SELECT count(*) FROM ready")
    assert counted.rows == [[2]]
    subject, upto = Subject("acme", "user", "ada"), time.time()
    held = await away.stores.database.read(lambda connection: find(connection, subject, upto))
    assert await LakeRows(away.stores.database, away.stores.blobs).erase(subject, held, upto) > 0
    assert [each.subject for each in await away.interactions()] == ["bob"]
    assert len(list((tmp_path / "bucket").rglob("*.parquet"))) == 4


def test_urls_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        opened("nothing-such://bucket", tmp_path)
