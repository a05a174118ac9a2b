"""Follows events, and keeps the units of all running trials up to date."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import OutcomeFacts, session_name
from mainspring.features.trials.definitions import Trial
from mainspring.features.trials.tables import trial_answers, trial_units, trials
from mainspring.features.trials.units.observed import KINDS, Sums, observe
from mainspring.features.trials.units.unit_digests import digest
from mainspring.stores.events.feed import Fact
from mainspring.stores.events.follower import Follower
from mainspring.stores.sql.database import Database

READER = "trials"
ArmOf = Callable[[str, Mapping[str, float], AnswerFacts, Fact], str]
"""The arm of a failed answer, which does not say it: by route, weights and what stays together."""


@dataclass(frozen=True, slots=True)
class Running:
    """A trial that counts; ``began`` is a position of events."""

    tenant: str
    name: str
    definition: Trial
    weights: Mapping[str, float]
    sticky: str
    began: int


@dataclass(slots=True)
class _Unit:
    """``at`` is in Unix seconds."""

    position: int
    arm: str
    at: float
    measured: Sums
    answers: int = 0
    moved: bool = False
    names: list[tuple[str, float]] = field(default_factory=list)


class Folding:
    """Keeps units up to date."""

    def __init__(self, database: Database, arm_of: ArmOf, most_units: int) -> None:
        self._follower = Follower(database, READER, KINDS, self._take)
        self._arm_of = arm_of
        self._most_units = most_units

    async def fold(self) -> int:
        """Read all new events; returns how many."""
        return await self._follower.follow()

    def _take(self, connection: sa.Connection, facts: Sequence[Fact]) -> None:
        for trial in _running(connection, {each.tenant for each in facts}):
            mine = [each for each in facts if each.tenant == trial.tenant and each.settled > trial.began]
            self._trial(connection, trial, mine)

    def _trial(self, connection: sa.Connection, trial: Running, facts: Sequence[Fact]) -> None:
        found = _Units(connection, trial)
        room = self._most_units - found.count() if any(_of_route(trial, each) for each in facts) else 0
        for fact in facts:
            if isinstance(fact.facts, AnswerFacts):
                if not _of_route(trial, fact):
                    continue
                arm = fact.facts.arm or self._arm_of(trial.definition.route, trial.weights, fact.facts, fact)
                if arm in trial.weights:
                    room -= found.answer(fact, fact.facts, arm, room > 0)
            else:
                found.told(fact)
        found.write()


class _Units:
    """The units of one trial that a page of events is about."""

    def __init__(self, connection: sa.Connection, trial: Running) -> None:
        self._connection = connection
        self._trial = trial
        self._units: dict[str, _Unit | None] = {}
        self._new: set[str] = set()
        self._answers: dict[str, str] = {}

    def count(self) -> int:
        mine = sa.select(sa.func.count()).select_from(trial_units).where(*self._mine(trial_units))
        return int(self._connection.execute(mine).scalar_one())

    def answer(self, fact: Fact, answer: AnswerFacts, arm: str, room: bool) -> int:
        """Count an answer; 1 if it made a new unit."""
        name = unit_of(self._trial, answer, fact.id)
        unit, made = self._unit(name), 0
        if unit is None:
            if not room:
                return 0
            unit, made = _Unit(fact.settled, arm, fact.at, [[0.0, 0.0] for _ in self._trial.definition.measures]), 1
            self._units[name] = unit
            self._new.add(name)
        unit.moved = unit.moved or arm != unit.arm
        unit.answers += 1
        observe(unit.measured, self._trial.definition.measures, answer, fact.at - unit.at)
        unit.names.append((fact.id, fact.at))
        self._answers[fact.id] = name
        return made

    def told(self, fact: Fact) -> None:
        """Count the outcomes of an answer or of an episode."""
        name = self._of(fact)
        unit = None if name is None else self._unit(name)
        if unit is not None:
            observe(unit.measured, self._trial.definition.measures, fact.facts, fact.at - unit.at)

    def write(self) -> None:
        for name, unit in self._units.items():
            if unit is None:
                continue
            values = {"answers": unit.answers, "measured": rows.dump(unit.measured), "moved": unit.moved}
            place = {"tenant": self._trial.tenant, "trial": self._trial.name}
            if name in self._new:
                more = {"id": name, "position": unit.position, "arm": unit.arm, "at": unit.at}
                self._connection.execute(sa.insert(trial_units).values(**place, **more, **values))
            else:
                mine = sa.and_(*self._mine(trial_units), trial_units.c.id == name)
                self._connection.execute(sa.update(trial_units).where(mine).values(**values))
            for answer, at in unit.names:
                more = {"answer": answer, "unit": name, "at": at}
                self._connection.execute(rows.insert_new(self._connection, trial_answers).values(**place, **more))

    def _unit(self, name: str) -> _Unit | None:
        if name not in self._units:
            query = sa.select(trial_units).where(*self._mine(trial_units), trial_units.c.id == name)
            row = self._connection.execute(query).one_or_none()
            self._units[name] = None
            if row is not None:
                sums = rows.load(row.measured)
                self._units[name] = _Unit(row.position, row.arm, row.at, sums, row.answers, row.moved)
        return self._units[name]

    def _of(self, fact: Fact) -> str | None:
        if isinstance(fact.facts, OutcomeFacts) and fact.facts.episode == "session":
            return (
                digest(self._trial.tenant, self._trial.name, "session", fact.subject)
                if self._trial.sticky == "session"
                else None
            )
        if fact.subject in self._answers:
            return self._answers[fact.subject]
        query = sa.select(trial_answers.c.unit).where(
            *self._mine(trial_answers), trial_answers.c.answer == fact.subject
        )
        return self._connection.execute(query).scalar_one_or_none()

    def _mine(self, table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
        return table.c.tenant == self._trial.tenant, table.c.trial == self._trial.name


def unit_of(trial: Running, answer: AnswerFacts, answer_id: str) -> str:
    """The digest of what stays together, as the route gives out its arms (``serving.route.traffic_split.unit``)."""
    if trial.sticky == "key":
        return digest(trial.tenant, trial.name, "key", answer.key_id)
    if trial.sticky == "session" and answer.session_id is not None:
        return digest(trial.tenant, trial.name, "session", session_name(trial.tenant, answer.session_id))
    if trial.sticky == "session" and answer.user is not None:
        return digest(trial.tenant, trial.name, "user", answer.user)
    return digest(trial.tenant, trial.name, "answer", answer_id)


def _of_route(trial: Running, fact: Fact) -> bool:
    facts = fact.facts
    return isinstance(facts, AnswerFacts) and facts.requested == trial.definition.route and not facts.replay_of


def _running(connection: sa.Connection, tenants: set[str]) -> list[Running]:
    query = sa.select(trials).where(trials.c.status == "running", trials.c.tenant.in_(sorted(tenants)))
    return [running(row) for row in connection.execute(query)]


def running(row: sa.Row[Any]) -> Running:
    """Of a row of ``trials``."""
    return Running(
        row.tenant,
        row.name,
        Trial.model_validate(rows.load(row.definition)),
        rows.load(row.weights),
        row.sticky,
        row.began,
    )
