"""The steps on a real local Ray: the same rows as in this process."""

from __future__ import annotations

import pytest

from mainspring.features.lake.steps.options import BuildSettings
from tests.features.lake.test_building import filled
from tests.features.lake.world import World

pytest.importorskip("ray", reason="Ray is not installed: pip install 'mainspring[ray]'")


@pytest.mark.slow
async def test_ray_gives_the_same_rows(world: World) -> None:
    await filled(world)
    await world.lake.syncing.sync()
    one = await world.lake.building.build("acme", options=BuildSettings(workers=0))
    there = World(world.stores, world.settings.home, runner="ray")
    other = await there.lake.building.build("acme")
    for name in ("interactions", "ready", "steps"):
        assert one.report[name] == other.report[name], name
    rows = []
    for build in (one, other):
        (file,) = await there.lake.manifest.files("acme", "ready", build.id)
        with there.lake.storage.open(file.path) as parquet:
            rows.append(sorted(parquet.read().to_pylist(), key=lambda each: each["answer_id"]))
    assert rows[0] == rows[1]
