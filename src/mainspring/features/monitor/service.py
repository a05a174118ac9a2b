"""The monitor for routes and commands: any process answers from the watching process's data."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

import mainspring.features.monitor.views as views
import mainspring.stores.sql.ids as ids
from mainspring.core.errors import InvalidRequest, StoreError
from mainspring.engines.base import Embedder
from mainspring.evaluation import realtime
from mainspring.evaluation.vitals import Vitals
from mainspring.features.monitor.alerts.delivery import Deliveries
from mainspring.features.monitor.alerts.error_budgets import ErrorBudgets
from mainspring.features.monitor.judging.live_judging import Judging
from mainspring.features.monitor.judging.scored import WithScorers
from mainspring.features.monitor.settings import RULES, MonitorSettings
from mainspring.features.monitor.store.alerts import Alert, Alerts, Silence
from mainspring.features.monitor.store.tallies import Tallies
from mainspring.features.monitor.traffic.question_sample import Sampler
from mainspring.features.monitor.traffic.series import Series
from mainspring.features.monitor.watcher import NAME, Watcher, drifted
from mainspring.stores.events.feed import Feed
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job, Jobs
from mainspring.stores.sql.pages import Page, Slice
from mainspring.stores.sql.worker import Lease, Worker

_log = logging.getLogger(__name__)
LONGEST_SILENCE_S = 30 * 86_400.0
_POLL_S = 5.0
# The lease passes on whenever a process ends: that is not a failure of the job.
_FOR_EVER = 10**9


class Monitor:
    """Alerts, silences, drift, objectives and quality of a tenant. ``judging`` judges answers while it watches (None:
    nothing does); ``checked`` are the measures that policies look at in every answer; ``clock`` gives Unix seconds."""

    def __init__(
        self,
        settings: MonitorSettings,
        database: Database,
        jobs: Jobs,
        embedder: Embedder | None = None,
        *,
        idle: Callable[[], bool] = lambda: True,
        judging: Judging | None = None,
        checked: Collection[str] = realtime.MEASURES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._jobs = jobs
        self._embedder = embedder
        self._idle = idle
        self._judging = judging
        self._checked = checked
        self._clock = clock
        self._feed = Feed(database)
        self._tallies = Tallies(database)
        self._alerts = Alerts(database)
        self.vitals: Vitals | None = None
        """Numbers of another feature, once all are open."""
        self.scoring: WithScorers | None = None
        """Scores live answers with other features' scorers, which it gets once all are open."""
        self._budgets = ErrorBudgets(self._tallies, settings.slos, settings.bucket_s)

    # --- watching ---------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Watch while the block runs, unless another process does; at the end, hand over."""
        if not self.settings.enabled:
            yield
            return
        await self._jobs.ensure("", NAME, NAME)
        worker = Worker(
            self._jobs, NAME, self._watch, lease_s=self.settings.lease_s, poll_s=_POLL_S, attempts=_FOR_EVER
        )
        worker.start()
        try:
            yield
        finally:
            await worker.close()

    def watcher(self, lease: Job | None = None, sampler: Sampler | None = None) -> Watcher:
        """A watcher over the stores, to be opened."""
        return Watcher(
            self.settings,
            self._feed,
            self._tallies,
            self._alerts,
            lease=lease,
            sampler=sampler,
            judging=self._judging,
            vitals=self.vitals,
        )

    async def _watch(self, lease: Lease) -> None:
        deliveries = Deliveries(self._jobs, self.settings)
        deliveries.start()
        try:
            while not lease.stopped:
                try:
                    await self._look(lease, deliveries)
                except StoreError as error:
                    _log.warning("the traffic cannot be looked at: %s", error)
                    await _pause(lease, self.settings.every_s)
        finally:
            await deliveries.close()

    async def _look(self, lease: Lease, deliveries: Deliveries) -> None:
        """Look repeatedly until the stores fail or the lease is lost."""
        async with self._sampling(lease) as watcher:
            await watcher.open(self._clock())
            while not lease.stopped:
                if not await watcher.look(self._clock()):
                    lease.lost.set()
                    return
                deliveries.soon()
                await _pause(lease, self.settings.every_s)

    @asynccontextmanager
    async def _sampling(self, lease: Lease) -> AsyncIterator[Watcher]:
        sampler = None
        if self._embedder is not None and self.settings.drift.enabled and self.settings.drift.embed_per_hour:
            sampler = Sampler(self._feed, self._embedder, self.settings.drift, idle=self._idle)
        tasks = [asyncio.create_task(each.run()) for each in (sampler, self._judging) if each is not None]
        try:
            yield self.watcher(lease.job, sampler)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # --- views ----------------------------------------------------------------------------------------------------

    async def alerts(
        self, tenant: str, page: Page, state: str | None = None, rule: str | None = None
    ) -> Slice[dict[str, Any]]:
        """The tenant's alerts as JSON, by the time at which they were raised."""
        if rule is not None and rule not in RULES:
            raise InvalidRequest(f"there is no rule {rule!r}", remedy=f"There are: {', '.join(RULES)}", param="rule")
        found = await self._alerts.page(tenant, page, state=state, rule=rule)
        silences = await self._alerts.silences(self._clock(), tenant)
        return found.map(lambda alert: self._body(alert, silences))

    async def firing(self, tenant: str, application: str) -> list[str]:
        """See ``training.stages.Alarms``."""
        found = [each for each in await self._alerts.open() if each.tenant == tenant and each.state == "firing"]
        return sorted({each.rule for each in found if each.application == application})

    async def alert(self, tenant: str, alert_id: str) -> dict[str, Any]:
        """Raises ``NotFound``."""
        silences = await self._alerts.silences(self._clock(), tenant)
        return self._body(await self._alerts.get(tenant, alert_id), silences)

    async def acknowledge(self, tenant: str, alert_id: str, by: str) -> dict[str, Any]:
        """Acknowledge the alert: it is not repeated while it lasts. Raises ``NotFound``."""
        found = await self._alerts.acknowledge(tenant, alert_id, by)
        return self._body(found, await self._alerts.silences(self._clock(), tenant))

    async def silences(self, tenant: str) -> list[dict[str, Any]]:
        """The current ones, as JSON."""
        return [views.silence(each) for each in await self._alerts.silences(self._clock(), tenant)]

    async def silence(
        self, tenant: str, by: str, *, seconds: float, rule: str = "", application: str = "", comment: str = ""
    ) -> dict[str, Any]:
        """Silence these alerts for a time. Raises ``InvalidRequest`` naming ``rule`` or ``seconds``."""
        if rule and rule not in RULES:
            raise InvalidRequest(f"there is no rule {rule!r}", remedy=f"There are: {', '.join(RULES)}", param="rule")
        if not 0 < seconds <= LONGEST_SILENCE_S:
            raise InvalidRequest("a silence lasts 30 days at most", param="seconds")
        now = self._clock()
        made = Silence(tenant, ids.new("silence_"), rule, application, comment, by, now, now + seconds)
        await self._alerts.silence(made)
        return views.silence(made)

    async def speak(self, tenant: str, silence_id: str) -> None:
        """End a silence. Raises ``NotFound``."""
        await self._alerts.speak(tenant, silence_id)

    async def drift(self, tenant: str, application: str | None = None) -> list[dict[str, Any]]:
        """How the traffic of each application compares with that before, as JSON."""
        now = self._clock()
        series = await self._series(now, tenant)
        accepted = await self._tallies.accepted()
        firing = [alert for alert in await self._alerts.open() if alert.tenant == tenant and alert.rule == "drift"]
        raised = {alert.application: alert.raised_at for alert in firing if alert.state == "firing"}
        name = "" if self._embedder is None else Sampler.name_of(self._embedder)
        found = []
        for key in await self._keys(tenant, application):
            since = accepted.get(key, 0.0)
            features = await drifted(series, key, self.settings, now, name, since, raised.get(key[1]))
            found.append(views.drift(key[1], features, since, raised.get(key[1])))
        return found

    async def accept(self, tenant: str, application: str) -> dict[str, Any]:
        """The current traffic of an application is normal from now on. Raises ``InvalidRequest``."""
        if not await self._keys(tenant, application):
            raise InvalidRequest(f"nothing is known of an application {application!r}", param="application")
        now = self._clock()
        await self._tallies.accept(tenant, application, now)
        return {"object": "drift.accepted", "application": application, "accepted_at": now}

    async def slos(self, tenant: str, application: str | None = None) -> list[dict[str, Any]]:
        """The objectives of each application with the rest of their budgets, as JSON."""
        applications = [name for _, name in await self._keys(tenant, application)]
        return [views.slo(each) for each in await self._budgets.spent(tenant, applications, self._clock())]

    async def quality(
        self, tenant: str, since: float, until: float, step: int, application: str | None = None
    ) -> dict[str, Any]:
        """Guard decisions, feedback and refusals over time, as JSON. ``step`` is in seconds."""
        fine = self.settings.bucket_s
        span = fine if since >= Series(self._tallies, fine).fine_start(self._clock()) else 60 * fine
        step = max(span, step // span * span)
        rows = await self._tallies.rows(span, since // step * step, until, tenant=tenant, application=application)
        return await asyncio.to_thread(views.quality, rows, since, until, step, self._checked)

    async def _series(self, now: float, tenant: str) -> Series:
        series = Series(self._tallies, self.settings.bucket_s)
        await series.open(now, tenant)
        return series

    async def _keys(self, tenant: str, application: str | None) -> list[tuple[str, str]]:
        known = await self._tallies.known(tenant)
        return [key for key in known if application in (None, key[1])]

    def _body(self, alert: Alert, silences: list[Silence]) -> dict[str, Any]:
        return views.alert(alert, silences, self._clock(), self.settings.runbooks)


async def _pause(lease: Lease, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await lease.lost.wait()
