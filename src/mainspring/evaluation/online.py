"""Online metrics: what an answer was worth to the people who got it, from the events that lie there anyway.

    watch = Watch(Definition(accepted=("suggestion_accepted",), converted="order"))
    for record in records:          # events by time
        watch.add(record)
    found = watch.figures(until)    # metric -> arm ("" for all) -> Estimate

*Users* are the people that callers name, else keys, else sessions (``Definition.by``). All intervals are 95 %, and
count a user once however often they come: see ``statistics.significance``.

| metric | of what | counts |
|---|---|---|
| ``acceptance`` | suggestions with a report whether they were taken | the latest told value is at least .5 |
| ``thumbs`` | ratings, the latest of each person and answer | thumbs up |
| ``completion`` | tasks with a report of how they ended | the latest told value is at least .5 |
| ``time_to_complete`` | users with completed tasks | the median of the users' medians, in seconds |
| ``conversion`` | users that were active | with a reported conversion |
| ``retention`` | users in a period, for each whole period but the last | active in the next period, too |
| ``day_1``, ``day_7``, ``day_28`` | users whose day so many days after their first is over | active on that day |
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import FeedbackFacts, OutcomeFacts, session_name
from mainspring.core.types import EventRecord
from mainspring.statistics.significance import Estimate, clustered_share, stats_library

DAY = 86_400.0
DAYS = (1, 7, 28)
ACCEPTED = "accepted"
"""How the metrics of suggestions end that are taken for acceptance if none is named."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What is counted. ``accepted``, ``completed`` and ``converted`` are metrics of outcomes; without ``accepted`` all
    that end in ``ACCEPTED``. ``seconds`` is one whose value is the time that a task took, as the caller measured it:
    for tasks without an answer, to compare with. ``period`` is that of retention, in days; ``by`` says who a user is.
    """

    accepted: tuple[str, ...] = ()
    completed: str = "completed"
    converted: str = "converted"
    seconds: str = ""
    period: int = 7
    by: Literal["person", "key", "session"] = "person"


@dataclass(frozen=True, slots=True)
class _Episode:
    """A session, or an answer: whose it is, when it began, and the arm of its first answer."""

    user: str
    began: float
    arm: str


@dataclass(slots=True)
class _Told:
    """The latest value that was reported of an episode for a metric."""

    value: float
    at: float
    arms: tuple[str, ...]


class Watch:
    """Adds up events in the order of their time. Memory is by answers, users and outcomes, not by texts."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.answers = 0
        self.unnamed = 0
        """Answers to nobody that is named: they count for no user."""
        self._first = math.inf
        self._episodes: dict[str, _Episode] = {}
        self._days: dict[str, set[int]] = defaultdict(set)
        self._thumbs: dict[tuple[str, str], bool] = {}
        self._told: dict[str, dict[str, _Told]] = defaultdict(dict)

    def add(self, record: EventRecord) -> None:
        """Count an event; kinds that say nothing here are passed by."""
        match record.facts:
            case AnswerFacts() as facts:
                self._answer(record, facts)
            case FeedbackFacts() as facts if facts.rating:
                self._thumbs[record.subject, facts.person or facts.key_id] = facts.rating == "up"
            case OutcomeFacts() as facts if facts.value is not None and math.isfinite(facts.value):
                arms = tuple(f"{name}: {arm}" for name, arm in sorted((facts.arms or {}).items()))
                self._told[facts.metric][record.subject] = _Told(facts.value, record.at, arms)

    def _answer(self, record: EventRecord, facts: AnswerFacts) -> None:
        self.answers += 1
        began = record.at - (facts.duration_s or 0.0)
        session = session_name(record.tenant, facts.session_id) if facts.session_id else ""
        user = {"person": record.person, "key": facts.key_id, "session": session}[self.definition.by]
        episode = _Episode(user, began, f"{facts.requested}: {facts.arm}" if facts.arm else "")
        self._episodes[record.id] = episode
        if session:
            self._episodes.setdefault(session, episode)
        self._first = min(self._first, began)
        if user:
            self._days[user].add(math.floor(began / DAY))
        else:
            self.unnamed += 1

    def figures(self, until: float) -> dict[str, dict[str, Estimate]]:
        """All metrics that have something to count up to ``until`` (Unix seconds), by arm: ``""`` is all of them.
        ``time_to_complete`` is in seconds, the others are shares. Raises ``MissingExtra`` without the extra ``eval``.
        """
        wanted = self.definition
        taken = wanted.accepted or tuple(sorted(name for name in self._told if name.endswith(ACCEPTED)))
        found = {
            "acceptance": self._shares(row for name in taken for row in self._told.get(name, {}).items()),
            "thumbs": self._rated(),
            "completion": self._shares(self._told.get(wanted.completed, {}).items()),
            "time_to_complete": self._times(),
            "conversion": self._converted(),
            "retention": self._retained(until),
            **{f"day_{days}": self._returned(days, until) for days in DAYS},
        }
        return {name: values for name, values in found.items() if values}

    def _shares(self, told: Iterable[tuple[str, _Told]]) -> dict[str, Estimate]:
        values: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for about, each in told:
            row = (float(each.value >= 0.5), self._user(about))
            for arm in ("", *self._arms(about, each)):
                values[arm].append(row)
        return _estimates(values)

    def _rated(self) -> dict[str, Estimate]:
        values: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for (about, by), up in self._thumbs.items():
            episode = self._episodes.get(about)
            for arm in ("", *((episode.arm,) if episode and episode.arm else ())):
                values[arm].append((float(up), self._user(about) if self.definition.by == "session" else by))
        return _estimates(values)

    def _times(self) -> dict[str, Estimate]:
        """Of episodes whose beginning is known, and of times that callers told."""
        times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for about, each in self._told.get(self.definition.completed, {}).items():
            episode = self._episodes.get(about)
            if episode is not None and each.value >= 0.5 and each.at >= episode.began:
                for arm in ("", *self._arms(about, each)):
                    times[arm][self._user(about)].append(each.at - episode.began)
        for about, each in (self._told.get(self.definition.seconds, {}) if self.definition.seconds else {}).items():
            if each.value >= 0:
                for arm in (self.definition.seconds, *self._arms(about, each)):
                    times[arm][self._user(about)].append(each.value)
        return {arm: median([statistics.median(each) for each in users.values()]) for arm, users in times.items()}

    def _converted(self) -> dict[str, Estimate]:
        told = self._told.get(self.definition.converted, {})
        if not told:
            return {}
        users = {self._user(about) for about, each in told.items() if each.value >= 0.5}
        arms: dict[str, set[str]] = defaultdict(set)
        for each in self._episodes.values():
            if each.user and each.arm:
                arms[each.arm].add(each.user)
        return _estimates(
            {arm: [(float(user in users), user) for user in of] for arm, of in {"": set(self._days), **arms}.items()}
        )

    def _retained(self, until: float) -> dict[str, Estimate]:
        if not self._days:
            return {}
        start, length = math.floor(self._first / DAY), self.definition.period
        whole = (math.floor(until / DAY) - start) // length
        values = []
        for user, days in self._days.items():
            periods = {(day - start) // length for day in days}
            values += [(float(each + 1 in periods), user) for each in sorted(periods) if each + 1 < whole]
        return _estimates({"": values})

    def _returned(self, after: int, until: float) -> dict[str, Estimate]:
        last = math.floor(until / DAY) - 1
        values = [
            (float(min(days) + after in days), user) for user, days in self._days.items() if min(days) + after <= last
        ]
        return _estimates({"": values})

    def _user(self, about: str) -> str:
        """Whose an episode is; the episode itself where that is not known, so that it counts once."""
        episode = self._episodes.get(about)
        return (episode.user if episode else "") or about

    def _arms(self, about: str, told: _Told) -> tuple[str, ...]:
        if told.arms:
            return told.arms
        episode = self._episodes.get(about)
        return (episode.arm,) if episode and episode.arm else ()


def median(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """The median with the interval between two order statistics (by the binomial distribution; no assumption on how
    values are distributed). Fewer than six values cannot have one of 95 %: its ends are then infinite. Raises
    ``ValueError`` without values, ``MissingExtra`` without the extra ``eval``."""
    order, n = sorted(values), len(values)
    if not n:
        raise ValueError("there are no values")
    # The most values below which the true median lies with a chance of at most half of what is left.
    outside = int(stats_library().binom.ppf((1 - confidence) / 2, n, 0.5))
    while outside >= 0 and float(stats_library().binom.cdf(outside - 1, n, 0.5)) > (1 - confidence) / 2:
        outside -= 1
    if outside < 1:
        return Estimate(statistics.median(order), -math.inf, math.inf, n)
    return Estimate(statistics.median(order), order[outside - 1], order[n - outside], n)


def _estimates(values: Mapping[str, Sequence[tuple[float, str]]]) -> dict[str, Estimate]:
    return {
        arm: clustered_share([value for value, _ in rows], [user for _, user in rows])
        for arm, rows in values.items()
        if rows
    }
