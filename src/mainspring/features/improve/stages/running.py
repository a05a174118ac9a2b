"""Takes campaigns from stage to stage. It may be killed at any moment: the next process goes on where it was."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence

import sqlalchemy as sa

import mainspring.features.improve.lineage.store as lineage
from mainspring.core.errors import Conflict, MainspringError, NotFound, Overloaded, QuotaExceeded, RateLimited
from mainspring.core.types import Principal
from mainspring.features.improve.lineage.following import Following
from mainspring.features.improve.lineage.store import Variant
from mainspring.features.improve.policy.store import Policed, PolicyStore
from mainspring.features.improve.policy.triggers import left, reason
from mainspring.features.improve.stages import making, serving
from mainspring.features.improve.stages.campaign import OVER, PROMOTED, Campaign, Move, Stage, refused
from mainspring.features.improve.stages.making import Result
from mainspring.features.improve.stages.tools import Tools
from mainspring.features.improve.tables import improve_watched
from mainspring.stores.keys.api_keys import Keys
from mainspring.stores.sql.database import Database

_log = logging.getLogger(__name__)
_PASSING = (RateLimited, Overloaded, QuotaExceeded)
_MOST_MOVES = 32
_GIVING_BACK: tuple[Stage, ...] = ("withdrawing", "undoing")
ERASED = "data of people that it is made of was erased"

StageWork = Callable[[Tools, Campaign, Principal], Awaitable[Result]]


class Running:
    """Begins and advances campaigns."""

    def __init__(
        self,
        tools: Tools,
        policies: PolicyStore,
        following: Following,
        database: Database,
        keys: Keys,
        local: Principal,
    ) -> None:
        self.tools = tools
        self._policies = policies
        self._following = following
        self._database = database
        self._keys = keys
        self._local = local

    async def look(self) -> int:
        """Count what is new, begin what is due, and take each campaign as far as it goes; returns the transitions."""
        await self._following.follow()
        moved = await self._erasures()
        for policed in await self._policies.all():
            try:
                await self._trigger(policed)
            except MainspringError as error:
                _log.warning("no campaign of %s could begin: %s", policed.application, error)
        place = ("", "")
        while found := await self.tools.campaigns.open(place):
            for each in found:
                moved += await self.advance(each)
            place = (found[-1].tenant, found[-1].id)
        return moved

    async def advance(self, campaign: Campaign) -> int:
        """Take a campaign as far as it goes now; returns the transitions."""
        for moved in range(_MOST_MOVES):
            if campaign.stage in OVER:
                return moved
            before = (campaign.number, dict(campaign.notes))
            result = await self._step(campaign)
            if result is None:
                found = await self.tools.campaigns.find(campaign.tenant, campaign.id)
                # A stage that only noted something goes on at once.
                if found is None or (found.number, dict(found.notes)) == before:
                    return moved
                campaign = found
                continue
            move, also = result
            made = await self.tools.campaigns.move(campaign, move, also)
            if made is None:
                return moved
            _log.info("campaign %s of %s: %s: %s", made.id, made.application, made.stage, made.reason)
            campaign = made
        return _MOST_MOVES

    async def _step(self, campaign: Campaign) -> Result:
        """What the stage says. An error of the order refuses the rung; one that passes is waited for."""
        giving_back = campaign.stage in _GIVING_BACK
        try:
            principal = await self.principal(campaign.tenant, campaign.key_id)
            if principal is None and not giving_back:
                return refused(campaign, "the key that set the policy is revoked or has expired"), ()
            acting = principal or Principal(campaign.tenant, campaign.key_id, frozenset({"admin"}), campaign.groups)
            return await _work_of(campaign.stage)(self.tools, campaign, acting)
        except MainspringError as error:
            late = time.time() - campaign.entered_at > self.tools.settings.patience_s
            passing = error.status >= 500 or isinstance(error, _PASSING)
            if giving_back or (passing and not late):
                _log.warning("campaign %s is %s and is tried again: %s", campaign.id, campaign.stage, error)
                return None
            if campaign.stage == "watching":
                return Move("undoing", f"{error.code}: {error.told}"), ()
            return refused(campaign, f"{error.code}: {error.told}"), ()
        except Exception:
            # A bug in one campaign is not the others'.
            _log.exception("campaign %s is %s and is tried again", campaign.id, campaign.stage)
            if time.time() - campaign.entered_at > self.tools.settings.patience_s and not giving_back:
                return refused(campaign, "it broke off again and again: see the log"), ()
            return None

    async def principal(self, tenant: str, key_id: str) -> Principal | None:
        """The key that a campaign acts as; None if it may act no more."""
        if key_id == self._local.key_id and tenant == self._local.tenant:
            return self._local
        try:
            info = await self._keys.get(tenant, key_id)
        except NotFound:
            return None
        return info.principal() if info.usable(time.time()) else None

    async def begin(self, policed: Policed, trigger: str, by: str = "") -> Campaign:
        """Begin a campaign now. Raises ``Conflict``, ``QuotaExceeded``."""
        return await self.tools.campaigns.begin(
            policed.tenant,
            policed.application,
            policed.policy,
            policed.version,
            trigger,
            policed.key_id,
            policed.groups,
            {},
            by,
        )

    async def _trigger(self, policed: Policed) -> None:
        if not policed.enabled:
            return
        watched = await self._policies.watched(policed.tenant, policed.application)
        alarms: Sequence[str] = ()
        if policed.policy.watch.drift and (source := self.tools.alarms) is not None:
            alarms = await source.firing(policed.tenant, policed.application)
        now = time.time()
        why = reason(policed.policy.watch, watched, alarms, now)
        if not why:
            return
        spent = await self.tools.campaigns.spent(policed.tenant, policed.application, now)
        if left(policed.policy.budget, spent, self.tools.settings.usd_per_hour) == 0:
            return
        try:
            await self.begin(policed, why)
        except (Conflict, QuotaExceeded):
            # One is under way: what is due stays due.
            return

    async def _erasures(self) -> int:
        """Withdraw what is made of data that was erased."""
        moved = 0
        for variant in await self.tools.variants.erased():
            try:
                moved += await self._withdraw(variant)
            except MainspringError as error:
                _log.warning("%s could not be withdrawn and is tried again: %s", variant.id, error)
        return moved

    async def _withdraw(self, variant: Variant) -> int:
        campaign = await self.tools.campaigns.find(variant.tenant, variant.campaign)
        mine = campaign is not None and campaign.candidate_id == variant.id
        if campaign is not None and mine and (campaign.ended_at is None or campaign.stage in PROMOTED):
            if campaign.stage in _GIVING_BACK:
                return await self.advance(campaign)
            stage: Stage = "undoing" if campaign.stage in PROMOTED else "withdrawing"
            outcome = "" if stage == "undoing" else "refused"
            made = await self.tools.campaigns.move(
                campaign, Move(stage, ERASED, notes={"then": "stop"}, outcome=outcome)
            )
            moved = 0 if made is None else 1 + await self.advance(made)
        else:
            moved = 1
        policed = next(
            (each for each in await self._policies.all(variant.tenant) if each.application == variant.application),
            None,
        )

        def work(connection: sa.Connection) -> None:
            lineage.withdrawn(connection, variant.tenant, variant.id, ERASED)
            if policed is not None and policed.policy.on_erasure == "retrain":
                w = improve_watched.c
                place = sa.and_(w.tenant == variant.tenant, w.application == variant.application)
                connection.execute(sa.update(improve_watched).where(place).values(due=ERASED))

        await self._database.write(work, durable=True)
        return moved


def _work_of(stage: Stage) -> StageWork:
    """What is done in a stage: the function of its name."""
    for module in (making, serving):
        found: StageWork | None = getattr(module, stage, None)
        if found is not None:
            return found
    raise AssertionError(f"no work for the stage {stage}")
