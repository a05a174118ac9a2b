"""Takes campaigns from stage to stage. It may be killed at any moment: the next process goes on where it was."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

import sqlalchemy as sa

import mainspring.features.improve.lineage.store as lineage
from mainspring.core.errors import (
    Conflict,
    MainspringError,
    MissingExtra,
    ModelNotPulled,
    NotFound,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    SettingsError,
)
from mainspring.core.fair.lane import LANE
from mainspring.core.types import Principal
from mainspring.features.improve.lineage.following import Following
from mainspring.features.improve.lineage.store import Variant
from mainspring.features.improve.policy.store import Policed, PolicyStore
from mainspring.features.improve.policy.triggers import left, reason
from mainspring.features.improve.stages import making, serving
from mainspring.features.improve.stages.campaign import ERASED, ORDERED, OVER, PROMOTED, Campaign, Move, Stage, refused
from mainspring.features.improve.stages.making import Result
from mainspring.features.improve.stages.tools import Tools
from mainspring.features.improve.tables import improve_watched
from mainspring.stores.keys.api_keys import Keys
from mainspring.stores.sql.database import Database

_log = logging.getLogger(__name__)
_PASSING = (RateLimited, Overloaded, QuotaExceeded)
# Faults of the server that no waiting mends: somebody has to install, pull or set something.
_LASTING = (MissingExtra, ModelNotPulled, SettingsError)
_MOST_MOVES = 32
_GIVING_BACK: tuple[Stage, ...] = ("withdrawing", "undoing")

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
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._bound = asyncio.Semaphore(tools.settings.at_once)

    async def look(self) -> None:
        """A round, and wait until each campaign has gone as far as it goes."""
        await self.round()
        await asyncio.gather(*self._tasks.values())

    async def round(self) -> None:
        """Count what is new, begin what is due, and have each campaign go on, in a task of its own: one whose stage
        takes long holds up no other, and none is begun twice."""
        await self._following.follow()
        await self._erasures()
        for policed in await self._policies.all():
            try:
                await self._trigger(policed)
            except MainspringError as error:
                _log.warning("no campaign of %s could begin: %s", policed.application, error)
        place = ("", "")
        while found := await self.tools.campaigns.open(place):
            for each in found:
                self._go_on(each)
            place = (found[-1].tenant, found[-1].id)

    async def close(self) -> None:
        """Leave all campaigns where they are. The next look continues there."""
        tasks = list(self._tasks.values())
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _go_on(self, campaign: Campaign) -> None:
        key = campaign.tenant, campaign.id
        if key not in self._tasks:
            task = self._tasks[key] = asyncio.create_task(self._alone(campaign), name=f"improve: {campaign.id}")
            task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _alone(self, campaign: Campaign) -> None:
        # A task of its own: what it does in threads is done in its tenant's turns.
        LANE.set(campaign.tenant)
        async with self._bound:
            try:
                # It may have waited for its turn.
                found = await self.tools.campaigns.find(campaign.tenant, campaign.id)
                if found is not None:
                    await self.advance(found)
            except Exception as error:
                _log.warning("campaign %s is tried again: %s", campaign.id, error, exc_info=_bug(error))

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
            if campaign.problem and campaign.stage not in (*_GIVING_BACK, *PROMOTED):
                return refused(campaign, f"its policy cannot be read: {campaign.problem}"), ()
            acting = principal or Principal(campaign.tenant, campaign.key_id, frozenset({"admin"}), campaign.groups)
            return await _work_of(campaign.stage)(self.tools, campaign, acting)
        except MainspringError as error:
            late = time.time() - campaign.entered_at > self.tools.settings.patience_s
            passing = (error.status >= 500 and not isinstance(error, _LASTING)) or isinstance(error, _PASSING)
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
                return refused(campaign, "it failed repeatedly: see the log"), ()
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

    async def begin(self, policed: Policed, trigger: str, by: str = "", *, ordered: bool = False) -> Campaign:
        """Begin a campaign now; ``ordered``: a person wants it. Raises ``Conflict``, ``QuotaExceeded``."""
        return await self.tools.campaigns.begin(
            policed.tenant,
            policed.application,
            policed.policy,
            policed.version,
            trigger,
            policed.key_id,
            policed.groups,
            {ORDERED: True} if ordered else {},
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

    async def _erasures(self) -> None:
        """Withdraw what is made of data that was erased. What fails hides nothing behind it."""
        place = ("", "")
        while found := await self.tools.variants.erased(place):
            for variant in found:
                try:
                    await self._withdraw(variant)
                except Exception as error:
                    _log.warning(
                        "%s could not be withdrawn and is tried again: %s", variant.id, error, exc_info=_bug(error)
                    )
            place = (found[-1].tenant, found[-1].id)

    async def _withdraw(self, variant: Variant) -> None:
        campaign = await self.tools.campaigns.find(variant.tenant, variant.campaign)
        mine = campaign is not None and campaign.candidate_id == variant.id
        if campaign is not None and mine and (campaign.ended_at is None or campaign.stage in PROMOTED):
            if campaign.stage in _GIVING_BACK:
                # It may go on to its next rung.
                self._go_on(campaign)
                return
            stage: Stage = "undoing" if campaign.stage in PROMOTED else "withdrawing"
            outcome = "" if stage == "undoing" else "refused"
            made = await self.tools.campaigns.move(
                campaign, Move(stage, ERASED, notes={"then": "stop"}, outcome=outcome)
            )
            if made is not None:
                await self.advance(made)
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


def _bug(error: Exception) -> bool:
    return not isinstance(error, MainspringError)


def _work_of(stage: Stage) -> StageWork:
    """What is done in a stage: the function of its name."""
    for module in (making, serving):
        found: StageWork | None = getattr(module, stage, None)
        if found is not None:
            return found
    raise AssertionError(f"no work for the stage {stage}")
