"""Every run of an agent that a test's system has recorded says the same when it is replayed, byte for byte."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.agents.runs import AgentPlayer
from mainspring.core.errors import UnknownModel
from mainspring.core.types import Context, Principal
from mainspring.features.runs.keeping.keeper import Keeper
from mainspring.features.runs.service import RunService
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.tables import runs
from mainspring.system import System


async def check(system: System) -> int:
    """Replay the completed runs of agents that are still what they were; how many. Raises ``AssertionError``."""
    wanted = sa.select(runs).where(runs.c.state == "completed", runs.c.events_sha256 != "")
    found = await system.stores.database.read(lambda connection: connection.execute(wanted).all())
    if not found:
        return 0
    service = RunService(system.services[Keeper], system.stores, system.registry, RunsSettings())
    count = 0
    for row in found:
        run = await service._keeper.runs.of(row.tenant, row.id)
        principal = Principal(run.tenant, run.key_id, frozenset({"admin", "chat"}), run.groups)
        try:
            player = (await system.registry.find(run.agent, principal)).responder
        except UnknownModel:
            continue
        if not isinstance(player, AgentPlayer) or player.version != run.version:
            continue
        replayed = await service.replay(Context(principal), run.id)
        assert replayed.identical, f"{run.id} of {run.agent} says something else: {replayed.problem}"
        count += 1
    return count
