"""Looks at the traffic periodically: counts settled requests, compares them, raises and clears alerts, queues notices.

One process does it at a time, under a lease. Everything that outlives a look is written under it: counts with the
position in the event log, and alerts with their notices. The next process continues from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import mainspring.features.monitor.alerts.notices as notify
import mainspring.features.monitor.alerts.signals as signals
import mainspring.features.monitor.alerts.slo as slo
import mainspring.features.monitor.traffic.drift as drift
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.derived import UNSERVED
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.facts.operations import CostFacts, RefusalsFacts
from mainspring.core.facts.opinions import ScoreFacts
from mainspring.evaluation.vitals import Vitals
from mainspring.features.monitor.alerts.signals import Condition
from mainspring.features.monitor.alerts.states import States
from mainspring.features.monitor.judging.live_judging import Judging
from mainspring.features.monitor.settings import MonitorSettings
from mainspring.features.monitor.store.alerts import Alerts, Notice
from mainspring.features.monitor.store.tallies import Tallies
from mainspring.features.monitor.traffic.question_sample import Sampler
from mainspring.features.monitor.traffic.series import Key, Series
from mainspring.features.monitor.traffic.tally import KINDS, Tally
from mainspring.stores.events.feed import Fact, Feed
from mainspring.stores.sql.jobs import Job

NAME = "monitor"
LAKE = "lake"
"""The application that alerts of the lake name."""
_ABOUT_ANSWERS = ("feedback", "retrieval", "guard", "score")
ODD, DRIFTED = "odd", "drifted"
"""Marks of times with an open alert, which are not normal."""
PAGE = 1000
# Pages per look: further ones wait for the next look, so that a backlog does not delay alerts.
_PAGES = 50


class Watcher:
    """``open`` it once, then ``look`` repeatedly. ``lease`` None: there can be no other process."""

    def __init__(
        self,
        settings: MonitorSettings,
        feed: Feed,
        tallies: Tallies,
        alerts: Alerts,
        *,
        lease: Job | None = None,
        sampler: Sampler | None = None,
        judging: Judging | None = None,
        vitals: Vitals | None = None,
    ) -> None:
        self._settings = settings
        self._vitals = vitals
        self._feed = feed
        self._tallies = tallies
        self._alerts = alerts
        self._lease = lease
        self._sampler = sampler
        self._judging = judging
        self.series = Series(tallies, settings.bucket_s)
        if sampler is not None:
            sampler.keep = self.series.note
        self.states = States(settings)
        self._position = 0
        self._usual: dict[tuple[Key, float], tuple[float, float | None, Tally]] = {}
        self._drifts: list[Condition] = []
        self._of_lake: list[Condition] = []
        self._drift_at = self._expired_at = self._lake_at = float("-inf")

    async def open(self, now: float) -> None:
        """Take up what an earlier process left."""
        self._position = await self._feed.begin(NAME)
        await self.series.open(now)
        self.states = States(self._settings, await self._alerts.open())

    async def look(self, now: float) -> bool:
        """One look, at the time ``now``; whether the lease still holds. Raises ``StoreError``; then open this watcher
        again."""
        for _ in range(_PAGES):
            facts = await self._feed.after(self._position, KINDS, PAGE)
            if facts:
                await self.series.add(await self._placed(facts, now))
                self._position = facts[-1].settled
            changed = self.series.changed()
            if changed and not await self._tallies.write(changed, NAME, self._position, self._lease):
                return False
            self.series.written(now)
            if len(facts) < PAGE // 2:
                break
        if not await self._judge(await self._conditions(now), now):
            return False
        await self._expire(now)
        return True

    async def _placed(self, facts: Sequence[Fact], now: float) -> list[tuple[str, Fact]]:
        """Each with its application."""
        asked = {(fact.tenant, fact.id): _requested(fact) for fact in facts if fact.kind == "answer"}
        later = [(fact.tenant, fact.subject) for fact in facts if fact.kind in _ABOUT_ANSWERS]
        unknown = sorted({each for each in later if each[1] and each not in asked})
        asked |= await self._feed.applications(unknown)
        placed = []
        for fact in facts:
            if isinstance(fact.facts, CostFacts):
                application = fact.facts.model
            else:
                of = fact.id if fact.kind == "answer" else fact.subject
                application = asked.get((fact.tenant, of)) or _application(fact)
            placed.append((application, fact))
            if self._sampler is not None:
                self._sampler.offer((fact.tenant, self.series.name(fact.tenant, application)), fact, now)
            if self._judging is not None:
                self._judging.offer((fact.tenant, application), fact)
        return placed

    async def _conditions(self, now: float) -> list[Condition]:
        open_keys = {(alert.tenant, alert.application) for alert in self.states.open.values()}
        found: list[Condition] = []
        keys = sorted({*self.series.active(now - self.series.coarse), *open_keys})
        for key in keys:
            found += await self.conditions_of(key, now)
            # Other tasks of the server may run in between.
            await asyncio.sleep(0)
        if self._settings.drift.enabled:
            if now - self._drift_at >= self._settings.drift.every_s:
                self._drift_at = now
                self._drifts = await self._drifting(keys, now)
            found += self._drifts
        return found + await self._lake(now)

    async def _lake(self, now: float) -> list[Condition]:
        """What the lake finds wrong with itself, by tenant."""
        rule = self._settings.lake
        if self._vitals is not None and rule.enabled and now - self._lake_at >= rule.every_s:
            self._lake_at = now
            by_tenant: dict[str, list[signals.Signal]] = {}
            for each in await self._vitals.vitals(now):
                numbers = (each.name, each.value, each.limit, each.unit, each.samples, each.wrong, each.right)
                by_tenant.setdefault(each.tenant, []).append(signals.Signal(*numbers, each.before))
            self._of_lake = [Condition("lake", tenant, LAKE, "warning", of) for tenant, of in by_tenant.items()]
        return self._of_lake

    async def conditions_of(self, key: Key, now: float) -> list[Condition]:
        """All rules but drift on one application."""
        settings, fine = self._settings, self.series.fine
        window = self.series.recent(key, now - settings.window_s, now + fine)
        long = self.series.recent(key, now - self.series.coarse, now + fine)
        usual = await self._before(key, now, 2 * settings.window_s)
        least, before = settings.least, settings.baseline_least
        found = []
        if settings.latency.enabled:
            of = signals.latency(window, usual, settings.latency, least, before)
            found.append(Condition("latency", *key, "warning", of))
        if settings.errors.enabled:
            found.append(Condition("errors", *key, "critical", signals.errors(window, settings.errors, least)))
        if settings.cost.enabled:
            of = signals.cost(window, usual, long, settings.cost, least, before)
            found.append(Condition("cost", *key, "warning", of))
        if settings.quality.enabled:
            earlier = await self._before(key, now, self.series.coarse + settings.window_s)
            of = signals.quality(long, earlier, settings.quality, least, before)
            found.append(Condition("quality", *key, "warning", of))
        if settings.safety.enabled:
            of = signals.safety(window, usual, settings.safety, least, before)
            # An event that must never happen is reported at once.
            at_once = 0.0 if window.counts["leaks"] >= settings.safety.leaks else None
            found.append(Condition("safety", *key, "critical", of, for_s=at_once))
        for name, objective in slo.of(settings.slos, key[1]):
            found += await slo.burning(self.series, key, name, objective, now)
        return found

    async def _before(self, key: Key, now: float, gap: float) -> Tally:
        """The reference period: up to ``gap`` seconds ago, or before the first open alert."""
        settings = self._settings
        times = [
            alert.raised_at
            for alert in self.states.open.values()
            if (alert.tenant, alert.application) == key and alert.rule not in ("drift", "slo", "lake")
        ]
        raised = min(times, default=None)
        at, then, tally = self._usual.get((key, gap), (float("-inf"), None, Tally()))
        if then != raised or now - at >= settings.window_s / 2:
            until = (now if raised is None else raised) - gap
            tally = await self.series.sum(key, until - settings.baseline_s, until, now, ODD)
            self._usual[key, gap] = (now, raised, tally)
        return tally

    async def _drifting(self, keys: Sequence[Key], now: float) -> list[Condition]:
        accepted = await self._tallies.accepted()
        name = self._sampler.embedder_name if self._sampler is not None else ""
        found = []
        for key in keys:
            raised = self.states.raised_at(key[0], "drift", key[1])
            features = await drifted(self.series, key, self._settings, now, name, accepted.get(key, 0.0), raised)
            if features:
                found.append(Condition("drift", *key, "warning", drift.signals(features)))
            await asyncio.sleep(0)
        return found

    async def _judge(self, conditions: Sequence[Condition], now: float) -> bool:
        if self.states.open:
            self.states.acknowledged(await self._alerts.acknowledged(list(self.states.open.values())))
        changed = {alert.id: alert for alert in self.states.step(conditions, now)}
        notices: list[Notice] = []
        for told in self.states.tell(await self._alerts.silences(now), now):
            changed |= {alert.id: alert for alert in told.alerts}
            notices += notify.notices(self._settings, told.group, told.alerts)
        for tenant, rule, application, _ in self.states.open:
            if rule not in ("slo", "lake"):
                self.series.mark((tenant, application), now, DRIFTED if rule == "drift" else ODD)
        if not changed:
            return True
        return await self._alerts.write(list(changed.values()), notices, self._lease)

    async def _expire(self, now: float) -> None:
        if now - self._expired_at < self.series.coarse:
            return
        self._expired_at = now
        await self._tallies.expire(self.series.fine, self.series.fine_start(now) - self.series.coarse)
        await self._tallies.expire(self.series.coarse, now - self._settings.keep_days * 86_400)
        await self._alerts.expire(now - self._settings.keep_days * 86_400)


async def drifted(
    series: Series,
    key: Key,
    settings: MonitorSettings,
    now: float,
    embedder: str,
    accepted: float,
    raised: float | None,
) -> list[drift.Feature]:
    """The features of an application now, compared with an earlier period: the period ends before the alert was
    ``raised`` (if it was) and starts after the traffic was ``accepted`` as normal."""
    chosen = settings.drift
    begin = max(now - chosen.window_s, accepted)
    until = min(begin, (now if raised is None or raised < accepted else raised) - chosen.window_s)
    since = max(until - chosen.reference_s, accepted)
    if since >= until:
        return []
    reference = await series.sum(key, since, until, now, DRIFTED)
    current = await series.sum(key, begin, now + series.fine, now)
    return drift.compare(reference, current, chosen, embedder)


def _requested(fact: Fact) -> str:
    # An unknown name is the caller's text and not an application.
    facts = fact.facts
    return facts.requested if isinstance(facts, AnswerFacts) and facts.error != UNSERVED else ""


def _application(fact: Fact) -> str:
    """The application that an event about no known answer names itself."""
    return fact.facts.application if isinstance(fact.facts, GuardFacts | RefusalsFacts | ScoreFacts) else ""
