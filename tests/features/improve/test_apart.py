"""What is slow, broken or unreadable in one campaign holds up no other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.features.improve.lineage.store import Variant
from mainspring.features.improve.policy.policy import Policy
from mainspring.features.improve.stages.campaign import Campaign
from mainspring.features.improve.tables import improve_campaigns, improve_policies, improve_variants
from mainspring.stores import Stores
from mainspring.stores.events.audit_log import LOCAL
from mainspring.training.stages import OnlineVerdict, Probed
from tests.features.improve.doubles import Attacks
from tests.features.improve.world import ADMIN, BETTER, World, policy


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


async def of(world: World, application: str) -> Campaign:
    campaigns = await world.improve.campaigns.open()
    found = [each for each in campaigns if each.application == application]
    if found:
        return found[0]
    row = await world.row(
        lambda it: it.execute(sa.select(improve_campaigns.c.id).where(improve_campaigns.c.application == application))
    )
    campaign = await world.improve.campaigns.find("acme", row.scalars().one())
    assert campaign is not None
    return campaign


async def set_for(world: World, *applications: str) -> None:
    for each in applications:
        await world.improve.policies.put(ADMIN, each, Policy.model_validate(policy()), LOCAL, enabled=True)


class Stuck(Attacks):
    """Attacks on one application, which take for ever."""

    async def probe(self, principal: Principal, name: str, most: int) -> Probed:
        if name.startswith("slow"):
            await asyncio.Event().wait()
        return await super().probe(principal, name, most)


async def test_a_stage_that_takes_long_holds_up_no_other_campaign(opened: Stores, tmp_path: Path) -> None:
    world = World(opened, tmp_path)
    world.attacks = Stuck(world.hand, world.said, world.door.recipes)
    improve = world.open()
    await set_for(world, "slow", "docs")
    await improve.run(ADMIN, "slow", "")
    await improve.run(ADMIN, "docs", "")
    async with asyncio.timeout(20):
        while (await of(world, "docs")).stage != "promoted":
            await improve.running.round()
            await asyncio.sleep(0.02)
    assert (await of(world, "slow")).stage == "attacking"
    await improve.running.close()
    # Whoever looks next goes on where it was.
    world.attacks = Attacks(world.hand, world.said, world.door.recipes)
    world.open()
    await world.look()
    assert (await of(world, "slow")).stage == "promoted"


async def test_a_policy_that_cannot_be_read_stops_no_other(opened: Stores, tmp_path: Path) -> None:
    world = World(opened, tmp_path)
    await set_for(world, "another", "docs")
    spoilt = sa.update(improve_policies).where(improve_policies.c.application == "another").values(policy='{"old": 1}')
    await opened.database.write(lambda connection: connection.execute(spoilt) and None, durable=True)
    await world.traffic(0, 5)
    await world.look()
    assert (await world.last()).stage == "promoted"
    assert [each.application for each in await world.improve.policies.all("acme")] == ["docs"]


async def test_a_campaign_whose_policy_cannot_be_read_is_refused_and_its_candidate_withdrawn(
    opened: Stores, tmp_path: Path
) -> None:
    world = World(opened, tmp_path)
    world.said.verdict = OnlineVerdict()
    await set_for(world, "another", "docs")
    for each in ("another", "docs"):
        await world.improve.run(ADMIN, each, "")
    await world.look()
    assert (await of(world, "another")).stage == "canary"
    spoilt = sa.update(improve_campaigns).where(improve_campaigns.c.application == "another").values(policy="{}")
    await opened.database.write(lambda connection: connection.execute(spoilt) and None, durable=True)
    world.said.verdict = BETTER
    await world.look()
    campaign = await of(world, "another")
    assert (campaign.stage, campaign.reason) == ("refused", "its policy cannot be read: data: Field required")
    assert (await world.door.placement("acme", "another")).candidate is None
    assert (await world.last()).stage == "promoted"


async def test_erasures_that_fail_hide_none_behind_them(
    opened: Stores, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(opened, tmp_path)
    given = {"application": "docs", "kind": "prompt", "value": "{}", "version": "", "campaign": "imp_none"}
    given |= {"export": "", "data_set": ""}
    rows = [
        {"tenant": "acme", "id": f"cand_{number:03}", "made_at": 1.0, "erased_at": 1.0, **given}
        for number in range(120)
    ]
    await opened.database.write(
        lambda connection: connection.execute(sa.insert(improve_variants), rows) and None, durable=True
    )
    withdraw = world.improve.running._withdraw

    async def fails(variant: Variant) -> None:
        if variant.id < "cand_110":
            raise RuntimeError("it breaks off")
        await withdraw(variant)

    monkeypatch.setattr(world.improve.running, "_withdraw", fails)
    await world.look()
    left = [each async for each in _every(world)]
    assert len(left) == 110
    assert max(left) == "cand_109"


async def _every(world: World) -> AsyncIterator[str]:
    place = ("", "")
    while found := await world.improve.variants.erased(place):
        for each in found:
            yield each.id
        place = (found[-1].tenant, found[-1].id)
