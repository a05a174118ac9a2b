"""SQL over the files: a tenant sees its own and nothing else."""

from __future__ import annotations

import pytest

from mainspring.core.errors import InvalidRequest, TooSlow
from tests.features.lake.world import World


async def test_a_query_sees_events_and_interactions(world: World) -> None:
    await world.say("How long?", "An hour.")
    asked = await world.say("How far?", "A mile.")
    await world.lake.syncing.sync()
    await world.think(asked)
    await world.lake.syncing.sync()
    found = await world.lake.sql.query("acme", "SELECT answer, thumb FROM interactions ORDER BY answer")
    assert found.rows == [["A mile.", "up"], ["An hour.", None]]
    found = await world.lake.sql.query("acme", "SELECT sum(cost_nanousd) FROM call")
    assert found.rows == [[10]]
    assert (await world.lake.sql.query("umbrella", "SELECT count(*) FROM interactions")).rows == [[0]]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "COPY interactions TO '/tmp/stolen.csv'",
        "SET enable_external_access = true",
        "ATTACH '/tmp/other.db'",
        "SELECT 1; SELECT 2",
        "CREATE TABLE mine AS SELECT 1",
        "SELECT * FROM read_parquet('https://example.com/x.parquet')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT repeat('x', 4000000000)",
    ],
)
@pytest.mark.slow
async def test_hostile_queries_are_refused(world: World, query: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await world.lake.sql.query("acme", query)
    assert refused.value.param == "query"
    assert str(world.settings.home) not in str(refused.value)


@pytest.mark.slow
async def test_a_query_without_end_is_stopped(world: World) -> None:
    world = World(world.stores, world.settings.home, sql={"seconds": 2.0})
    with pytest.raises(TooSlow):
        await world.lake.sql.query(
            "acme", "SELECT max(hash(a.range + b.range)) FROM range(1000000) a, range(1000000) b"
        )


async def test_results_are_cut(world: World) -> None:
    world = World(world.stores, world.settings.home, sql={"rows": 3})
    found = await world.lake.sql.query("acme", "SELECT * FROM range(10)")
    assert found.truncated
    assert len(found.rows) == 3
