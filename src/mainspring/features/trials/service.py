"""Online experiments: their definitions, what is known of them, and decisions about traffic."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from cachetools import TTLCache

import mainspring.stores.events.commit_numbers as commits
import mainspring.stores.events.feed as feed
import mainspring.stores.sql.database as sql
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, InvalidRequest, MainspringError, NotFound, QuotaExceeded
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.types import Principal
from mainspring.feature import Rooms
from mainspring.features.trials.analysis.reading import read
from mainspring.features.trials.analysis.verdicts import Verdict, judge
from mainspring.features.trials.decisions import Decision, decide, event, weights_without
from mainspring.features.trials.definitions import Trial
from mainspring.features.trials.settings import TrialsSettings
from mainspring.features.trials.tables import trial_answers, trial_units, trials
from mainspring.features.trials.units.folding import READER, Folding, Running, running
from mainspring.serving.route.route import Route
from mainspring.stores.events.feed import Fact
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql.database import Database

_log = logging.getLogger(__name__)
_DAY = 86_400.0
_JUDGED, _JUDGED_S = 256, 5.0


@dataclass(frozen=True, slots=True)
class State:
    """A trial with what was decided. ``dropped`` are arms with the reasons, ``winner`` has all traffic."""

    running: Running
    status: str
    dropped: Mapping[str, str]
    winner: str
    created_at: float
    updated_at: float
    weighed_from: int


class Trials:
    """The trials of all tenants."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(TrialsSettings)
        self._database: Database = rooms.stores.database
        self._replicas = rooms.path.replicas
        self._judged: TTLCache[tuple[object, ...], Verdict] = TTLCache(_JUDGED, _JUDGED_S)
        self._judging: TTLCache[str, asyncio.Lock] = TTLCache(_JUDGED, 3600.0)
        self._folding = Folding(self._database, self._arm_of, self.settings.most_units)

    async def define(self, principal: Principal, name: str, trial: Trial) -> None:
        """Start a trial. Raises ``NotFound`` for its route, ``InvalidRequest`` for its control, ``Conflict`` if
        its name or route is taken, and ``QuotaExceeded``."""
        route = self._route(trial.route, principal.tenant)
        weights = {arm: each.weight for arm, each in route.settings.arms.items() if each.weight > 0}
        if trial.control not in weights:
            raise InvalidRequest(
                f"{trial.route} gives no traffic to an arm {trial.control:.100}",
                remedy=f"Use {', '.join(weights)}",
                param="control",
            )
        if len(weights) < 2:
            raise InvalidRequest(f"{trial.route} has one arm with traffic", remedy="Give it another", param="route")

        def work(connection: sa.Connection) -> None:
            sql.lock(connection, READER)
            self._check_new(connection, principal.tenant, name, trial.route)
            position = commits.latest(connection)
            if not connection.execute(sa.select(sa.func.count()).where(trials.c.status == "running")).scalar_one():
                # Nobody has read events since the last trial ended.
                feed.move(connection, READER, position)
            now = time.time()
            values = {"definition": rows.dump(trial.model_dump()), "route": trial.route, "status": "running"}
            values |= {"weights": rows.dump(weights), "sticky": route.settings.sticky}
            place: dict[str, Any] = {"tenant": principal.tenant, "name": name, "began": position}
            place |= {"weighed_from": position, "created_at": now, "updated_at": now}
            connection.execute(sa.insert(trials).values(**place, **values))
            told = event(principal.tenant, name, trial.route, Decision("started", weights=weights), principal.key_id)
            EventLog.within(connection, [told])

        await self._database.write(work, durable=True)

    async def all(self, tenant: str) -> list[State]:
        """By name."""
        query = sa.select(trials).where(trials.c.tenant == tenant).order_by(trials.c.name)
        return [_state(row) for row in await self._database.read(lambda connection: connection.execute(query).all())]

    async def get(self, tenant: str, name: str) -> State:
        """Raises ``NotFound``."""
        return await self._database.read(lambda connection: _get(connection, tenant, name))

    async def verdict(self, state: State, now: float | None = None) -> Verdict:
        """What is known now; events of the last seconds may not be read yet. Who asks again within seconds gets the
        same: a verdict reads all units."""
        trial = state.running
        if now is None:
            place = (trial.tenant, trial.name, state.created_at, state.updated_at, state.weighed_from)
            # One at a time of a tenant: it reads many rows.
            async with self._judging.setdefault(trial.tenant, asyncio.Lock()):
                if place not in self._judged:
                    self._judged[place] = await self.verdict(state, time.time())
                return self._judged[place]
        at = now
        units = await self._database.read(lambda connection: read(connection, trial, state.weighed_from, at))
        return await asyncio.to_thread(judge, trial.definition, units, trial.weights, state.dropped)

    async def look(self, now: float | None = None) -> None:
        """Read new events, decide what the rules of trials decide, and share out traffic so."""
        at = time.time() if now is None else now
        found = await self._states(trials.c.status == "running")
        if found:
            await self._folding.fold()
            await self._forget_answers(at)
        for state in found:
            try:
                weighed = await self._reweighed(state)
                if self._replaced(weighed):
                    decision = Decision("ended", "", "the arms of the route were replaced", weighed.running.weights)
                    await self._write(weighed, decision, await self.verdict(weighed, at), "")
                elif state.running.definition.decides:
                    await self._decide(weighed, at)
            except MainspringError as error:
                _log.warning("the trial %s was not looked at: %s", state.running.name, error)
        await self.allocate()

    async def allocate(self) -> None:
        """Share out the traffic of tenants as their trials say."""
        tenants: dict[str, dict[str, Mapping[str, float]]] = {name: {} for name in self._replicas.route_names}
        owned: dict[tuple[str, str], dict[str, Mapping[str, float]]] = {each: {} for each in self._replicas.owned}
        overridden = sa.or_(trials.c.winner != "", sa.and_(trials.c.status == "running", trials.c.dropped != "{}"))
        for state in sorted(await self._states(overridden), key=lambda each: each.created_at):
            tenant, name = state.running.tenant, state.running.definition.route
            route = self._replicas.route(name, tenant)
            if route is not None and state.created_at >= route.since:
                given = owned.get((tenant, name), tenants.get(name, {}))
                given[tenant] = state.running.weights
        for name, own in tenants.items():
            if (route := self._replicas.route(name)) is not None:
                route.allocate(own)
        for (tenant, name), own in owned.items():
            if (route := self._replicas.route(name, tenant)) is not None:
                route.allocate(own)

    async def end(self, principal: Principal, name: str, promote: str = "") -> State:
        """End a trial; traffic is as the route says again, or all of it goes to the arm ``promote``. Raises
        ``NotFound``, ``InvalidRequest``, and ``Conflict`` if it has ended."""
        state = await self.get(principal.tenant, name)
        if promote and promote not in state.running.weights:
            raise InvalidRequest(
                f"the trial has no arm {promote:.100}", remedy=f"Use {', '.join(state.running.weights)}", param="arm"
            )
        verdict = await self.verdict(state)
        weights = weights_without(state.running.weights, promote) if promote else self._weights(state)
        decision = Decision("promoted" if promote else "ended", promote, "a person decided", weights)
        if not await self._write(state, decision, verdict, principal.key_id):
            raise Conflict(f"the trial {name} has ended", param="trial")
        await self.allocate()
        return await self.get(principal.tenant, name)

    async def remove(self, principal: Principal, name: str) -> None:
        """Delete a trial with its units: traffic is as the route says again. Its events stay. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            _get(connection, principal.tenant, name)
            mine = sa.and_(trials.c.tenant == principal.tenant, trials.c.name == name)
            connection.execute(sa.delete(trials).where(mine))
            for table in (trial_units, trial_answers):
                connection.execute(sa.delete(table).where(table.c.tenant == principal.tenant, table.c.trial == name))

        await self._database.write(work, durable=True)
        await self.allocate()

    def _check_new(self, connection: sa.Connection, tenant: str, name: str, route: str) -> None:
        mine = sa.select(trials.c.name, trials.c.route, trials.c.status).where(trials.c.tenant == tenant)
        found = connection.execute(mine).all()
        if any(row.name == name for row in found):
            raise Conflict(f"there is a trial {name}", remedy="Delete it, or take another name", param="trial")
        busy = [row for row in found if row.status == "running"]
        for row in busy:
            if row.route == route:
                raise Conflict(f"the trial {row.name} runs over {route}", remedy="End it first", param="route")
        if len(busy) >= self.settings.most_running:
            raise QuotaExceeded("this tenant has the maximum number of running trials", remedy="End one", param="trial")

    async def _decide(self, state: State, now: float) -> None:
        verdict = await self.verdict(state, now)
        for decision in decide(state.running, state.dropped, verdict):
            if not await self._write(state, decision, verdict, ""):
                return
            state = await self.get(state.running.tenant, state.running.name)

    async def _write(self, state: State, decision: Decision, verdict: Verdict, by: str) -> bool:
        """Write a decision with its event, unless another process has decided since ``state``."""

        def work(connection: sa.Connection) -> bool:
            c, trial = trials.c, state.running
            mine = sa.and_(c.tenant == trial.tenant, c.name == trial.name, c.status == "running")
            mine = sa.and_(mine, c.updated_at == state.updated_at)
            position, now = commits.latest(connection), max(time.time(), state.updated_at + 1e-6)
            values: dict[str, Any] = {"weights": rows.dump(dict(decision.weights)), "updated_at": now}
            values |= {"weighed_from": position}
            if decision.action == "dropped":
                values["dropped"] = rows.dump({**state.dropped, decision.arm: decision.reason})
            else:
                values |= {"status": "ended", "winner": decision.arm}
            if not connection.execute(sa.update(trials).where(mine).values(**values)).rowcount:
                return False
            told = event(trial.tenant, trial.name, trial.definition.route, decision, by, verdict)
            EventLog.within(connection, [told])
            return True

        return await self._database.write(work, durable=True)

    async def _reweighed(self, state: State) -> State:
        """The trial, with the weights that its route has now, if an operator has changed them."""
        wanted = {name: 0.0 if name in state.dropped else w for name, w in self._weights(state).items()}
        if wanted == dict(state.running.weights) or not any(wanted.values()):
            return state

        def work(connection: sa.Connection) -> State:
            mine = sa.and_(trials.c.tenant == state.running.tenant, trials.c.name == state.running.name)
            mine = sa.and_(mine, trials.c.updated_at == state.updated_at)
            values = {"weights": rows.dump(wanted), "weighed_from": commits.latest(connection)}
            connection.execute(sa.update(trials).where(mine).values(**values))
            return _get(connection, state.running.tenant, state.running.name)

        return await self._database.write(work, durable=True)

    def _weights(self, state: State) -> dict[str, float]:
        """The weights of a trial's arms in the settings; its own if the route is gone."""
        route = self._replicas.route(state.running.definition.route, state.running.tenant)
        if route is None or route.since > state.created_at:
            return dict(state.running.weights)
        arms = route.settings.arms
        return {name: arms[name].weight if name in arms else 0.0 for name in state.running.weights}

    async def _states(self, where: sa.ColumnElement[bool]) -> Sequence[State]:
        query = sa.select(trials).where(where)
        return [_state(row) for row in await self._database.read(lambda connection: connection.execute(query).all())]

    async def _forget_answers(self, now: float) -> None:
        """Delete answers about which nothing counts any more: windows are a month at most."""
        old = sa.delete(trial_answers).where(trial_answers.c.at < now - 31 * _DAY)
        await self._database.write(lambda connection: connection.execute(old) and None, durable=False)

    def _replaced(self, state: State) -> bool:
        """Whether the route's arms have become others since the trial began."""
        route = self._replicas.route(state.running.definition.route, state.running.tenant)
        return route is not None and route.since > state.created_at

    def _route(self, name: str, tenant: str) -> Route:
        route = self._replicas.route(name, tenant)
        if route is None:
            own = [each for owner, each in self._replicas.owned if owner == tenant]
            names = ", ".join([*self._replicas.route_names, *own]) or "none: serving.routes has none"
            raise NotFound(f"there is no route {name:.100}", remedy=f"Routes: {names}", param="route")
        return route

    def _arm_of(self, name: str, weights: Mapping[str, float], answer: AnswerFacts, fact: Fact) -> str:
        route = self._replicas.route(name, fact.tenant)
        if route is None or not weights:
            return ""
        # The same names as in ``traffic_split.unit``: a failed answer does not say its arm.
        kind, unit = "trace", fact.trace_id
        if route.settings.sticky == "key":
            kind, unit = "key", answer.key_id
        elif route.settings.sticky == "session" and answer.session_id is not None:
            kind, unit = "session", answer.session_id
        elif route.settings.sticky == "session" and answer.user is not None:
            kind, unit = "user", answer.user
        return route.arm_of_unit(fact.tenant, f"{name}\0{fact.tenant}\0{kind}\0{unit}")


def _get(connection: sa.Connection, tenant: str, name: str) -> State:
    query = sa.select(trials).where(trials.c.tenant == tenant, trials.c.name == name)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"there is no trial {name:.100}", param="trial")
    return _state(row)


def _state(row: sa.Row[Any]) -> State:
    return State(
        running(row),
        row.status,
        rows.load(row.dropped),
        row.winner,
        row.created_at,
        row.updated_at,
        row.weighed_from,
    )
