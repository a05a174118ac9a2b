"""The loop as a service: policies, campaigns, their ways back, and lineage."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mainspring.core.errors import Conflict, MainspringError
from mainspring.core.types import Principal
from mainspring.feature import Rooms, Services
from mainspring.features.improve.lineage.following import Following
from mainspring.features.improve.lineage.store import VariantStore
from mainspring.features.improve.lineage.tracing import Tracing
from mainspring.features.improve.policy.checks import check
from mainspring.features.improve.policy.policy import Policy
from mainspring.features.improve.policy.store import Policed, PolicyStore
from mainspring.features.improve.policy.triggers import left
from mainspring.features.improve.settings import ImproveSettings
from mainspring.features.improve.shapes import campaign_body, policy_body
from mainspring.features.improve.stages.campaign import PROMOTED, Campaign, Move
from mainspring.features.improve.stages.folders import Folders
from mainspring.features.improve.stages.placements import uses
from mainspring.features.improve.stages.running import Running
from mainspring.features.improve.stages.store import CampaignStore
from mainspring.features.improve.stages.tools import Tools
from mainspring.stores.events.audit_log import Actor
from mainspring.stores.sql.jobs import Jobs
from mainspring.stores.sql.pages import Page
from mainspring.stores.sql.worker import Lease, Worker

NAME = "improve"
_CAN_UNDO = (*PROMOTED, "promoting", "undoing")
# The lease passes on whenever a process ends: that is not a failure of the job.
_FOR_EVER = 10**9


class Improve:
    """The loop of all tenants."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(ImproveSettings)
        stores = rooms.stores
        database = stores.database
        self.policies = PolicyStore(database, stores.audit, self.settings)
        self.campaigns = CampaignStore(database, self.settings)
        self.variants = VariantStore(database)
        self.tools = Tools(self.campaigns, self.variants, stores.approvals, self.settings, Folders(rooms.settings.home))
        following = Following(database, self.settings.answers)
        self.running = Running(self.tools, self.policies, following, database, stores.keys, rooms.local)
        self.tracing = Tracing(self.variants, self.tools, stores.events, database)
        self._jobs: Jobs = stores.jobs
        self._registry = rooms.path.registry
        self._wake = asyncio.Event()

    def ready(self, services: Services) -> None:
        """Find the features that stages work with."""
        self.tools.services = services

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Look again and again while the block runs, unless another process does."""
        if not self.settings.enabled:
            yield
            return
        await self._jobs.ensure("", NAME, NAME)
        lease_s = self.settings.lease_s
        worker = Worker(self._jobs, NAME, self._work, lease_s=lease_s, poll_s=min(5.0, lease_s), attempts=_FOR_EVER)
        worker.start()
        try:
            yield
        finally:
            await worker.close()

    async def _work(self, lease: Lease) -> None:
        try:
            while not lease.stopped:
                self._wake.clear()
                await self.running.round()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.settings.every_s):
                        await self._wake.wait()
        finally:
            await self.running.close()

    def soon(self) -> None:
        """There is work to do, and this process does it without waiting."""
        self._wake.set()

    async def put(self, principal: Principal, application: str, policy: Policy, by: Actor, *, enabled: bool) -> Policed:
        """Set a policy. Raises ``InvalidRequest`` naming the field, ``NotFound``, ``QuotaExceeded``."""
        await self._registry.find(application, principal)
        await check(self.tools, principal, application, policy)
        made = await self.policies.put(principal, application, policy, by, enabled=enabled)
        self.soon()
        return made

    async def run(self, principal: Principal, application: str, by: str) -> Campaign:
        """Begin a campaign now. Raises ``NotFound``, ``Conflict``, ``QuotaExceeded``."""
        policed = await self.policies.get(principal, application)
        spent = await self.campaigns.spent(policed.tenant, application, time.time())
        if left(policed.policy.budget, spent, self.settings.usd_per_hour) == 0:
            raise Conflict("the month's budget is used up", remedy="Raise it in the policy", param="budget")
        made = await self.running.begin(policed, "a person began it", by, ordered=True)
        self.soon()
        return made

    async def stop(self, principal: Principal, campaign_id: str, reason: str) -> Campaign:
        """Stop a campaign: what it made gets no traffic. Raises ``NotFound``, and ``Conflict`` for one that is over or
        has promoted what it made."""
        campaign = await self.campaigns.get(principal, campaign_id)
        if campaign.ended_at is not None or campaign.stage in (*PROMOTED, "promoting", "undoing"):
            raise Conflict(f"the campaign is {campaign.stage}", remedy="Undo reverts a promotion")
        told = Move("withdrawing", reason or "stopped by a person", notes={"then": "stop"}, outcome="stopped")
        return await self._decided(campaign, told, principal)

    async def undo(self, principal: Principal, application: str, reason: str) -> dict[str, Any]:
        """What was current before becomes current again. Raises ``Conflict`` if nothing was."""
        found = uses(await self.tools.door.placement(principal.tenant, application))
        if not found:
            problem = f"{application} uses its settings: nothing was promoted"
            raise Conflict(problem, remedy="Check its campaigns first", param="application")
        told = reason or "a person undid it"
        ours = [await self.variants.find(principal.tenant, each.id) for each in found]
        # A promotion that is under way has no time yet.
        latest = max(
            (each for each in ours if each is not None), key=lambda each: each.promoted_at or math.inf, default=None
        )
        campaign = None if latest is None else await self.campaigns.find(principal.tenant, latest.campaign)
        theirs = latest is not None and campaign is not None and campaign.candidate_id == latest.id
        if latest is None or campaign is None or not theirs or campaign.stage not in _CAN_UNDO:
            # A person promoted it, perhaps after its campaign had refused it.
            placed = await self.tools.door.undo(principal, application, told)
            left_ = {each.id for each in uses(placed)}
            gone = next((each.id for each in found if each.id not in left_), found[-1].id)
            return {"object": "improve.undo", "application": application, "campaign": None, "undone": gone}
        if campaign.stage != "undoing":
            campaign = await self._decided(campaign, Move("undoing", told, notes={"by_person": True}), principal)
        # At once, whichever process looks after campaigns: each step of it can be done twice.
        await self.running.advance(campaign)
        return {"object": "improve.undo", "application": application, "campaign": campaign.id, "undone": latest.id}

    async def _decided(self, campaign: Campaign, move: Move, principal: Principal) -> Campaign:
        told = Move(move.stage, move.reason, move.figures, move.notes, move.outcome, by=principal.key_id)
        made = await self.campaigns.move(campaign, told)
        if made is None:
            raise Conflict("the campaign has gone on meanwhile", remedy="Read it again, then repeat the request")
        self.soon()
        return made

    async def picture(self, principal: Principal) -> list[dict[str, Any]]:
        """Each application with its policy, what it uses, what is under way and why the last ones ended so."""
        found = []
        for each in await self.policies.all(principal.tenant):
            if not each.groups <= principal.groups:
                continue
            watched = await self.policies.watched(each.tenant, each.application)
            latest = await self.campaigns.page(principal, Page(limit=10), each.application)
            spent = await self.campaigns.spent(each.tenant, each.application, time.time())
            rest = left(each.policy.budget, spent, self.settings.usd_per_hour)
            found.append(
                {
                    "object": "improve.application",
                    "application": each.application,
                    "policy": policy_body(each),
                    "watched": {
                        "feedback": watched.feedback,
                        "fresh": watched.fresh,
                        "begun_at": watched.begun_at,
                        "rest_until": watched.rest_until,
                    },
                    "budget": {"spent_s": spent, "left_s": rest},
                    "placement": await self._placement(each),
                    "campaigns": [campaign_body(campaign) for campaign in latest.rows],
                }
            )
        return found

    async def _placement(self, policed: Policed) -> dict[str, Any] | None:
        try:
            placed = await self.tools.door.placement(policed.tenant, policed.application)
        except MainspringError:
            return None
        names = {"current": placed.current, "candidate": placed.candidate}
        told: dict[str, Any] = {
            name: None if each is None else {"id": each.id, "kind": each.kind, "version": each.version or None}
            for name, each in names.items()
        }
        return {**told, "stage": placed.stage or None, "share": placed.share, "since": placed.since or None}
