"""Selects the admitted sequences that run in the next step if several tenants share an engine.

A step takes longer the more sequences it has, and all its sequences wait for it: beside 32 answers of one tenant,
another tenant's single answer would be written at a fraction of its own pace. With several active tenants, the number
of sequences is limited so that a step takes no longer than one sequence alone would, times the tenants: each tenant has
at least its share of the engine. Sequences of the largest tenant are suspended; their prompts and output stay in the
prefix cache. Prompts are given to the engine in batches, and those of the largest tenant wait while another tenant is
served, for ``LONGEST_HOLD_S`` at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

STAYS_S = 3.0
"""Seconds for which a tenant counts after its last sequence has ended: it may return."""
LONGEST_HOLD_S = 1.0
FIRST_RATIO = 8.0
"""The fixed cost of a step relative to one more sequence, until it is measured: that of a small model on two cores."""
LEAST_RATIO, MOST_RATIO = 1.0, 64.0
_KEPT = 0.995
_ENOUGH = 30.0
_SPREAD = 4.0


class Runner(Protocol):
    """A sequence as this module sees it: ``running`` in the pipeline; ``begun`` once it has produced a token since it
    entered; ``reads`` tokens until then. A ``fixed`` one cannot be suspended once it runs. ``since`` is when it last
    stopped, or came. One that is ``alone`` has to read its prompt while nothing else is in the pipeline."""

    begun: bool
    fixed: bool
    reads: int
    since: float

    @property
    def tenant(self) -> str: ...

    @property
    def running(self) -> bool: ...

    @property
    def alone(self) -> bool: ...


One = TypeVar("One", bound=Runner)


@dataclass(slots=True)
class StepTimes:
    """How long steps take by the number of their sequences: a line through those in which all wrote a token."""

    weight: float = 0.0
    n: float = 0.0
    t: float = 0.0
    nn: float = 0.0
    nt: float = 0.0

    def observe(self, sequences: int, seconds: float) -> None:
        for name, value in (("weight", 1.0), ("n", sequences), ("t", seconds)):
            setattr(self, name, _KEPT * getattr(self, name) + value)
        self.nn = _KEPT * self.nn + sequences * sequences
        self.nt = _KEPT * self.nt + sequences * seconds

    @property
    def ratio(self) -> float:
        """The fixed cost of a step relative to one more sequence."""
        if self.weight < _ENOUGH:
            return FIRST_RATIO
        mean_n, mean_t = self.n / self.weight, self.t / self.weight
        spread = self.nn / self.weight - mean_n * mean_n
        if spread < _SPREAD:
            return FIRST_RATIO
        more = (self.nt / self.weight - mean_n * mean_t) / spread
        if more <= 0:
            return MOST_RATIO
        return min(MOST_RATIO, max(LEAST_RATIO, (mean_t - more * mean_n) / more))

    def most(self, tenants: int) -> int:
        """Number of sequences of ``tenants`` for which a step takes no longer than ``tenants`` steps of one."""
        return tenants + int((tenants - 1) * self.ratio)


@dataclass(slots=True)
class SharedSteps(Generic[One]):
    """Decides before each step. ``batch`` are the tokens of prompts that the engine reads in one step."""

    batch: int
    times: StepTimes = field(default_factory=StepTimes)
    _seen: dict[str, float] = field(default_factory=dict)
    _bound: int = 0
    _bound_for: int = 0
    _bound_at: float = float("-inf")
    _apart_at: float = float("-inf")

    def choose(self, there: Sequence[One], now: float) -> tuple[list[One], list[One]]:
        """The sequences of ``there`` (in order of arrival) to suspend from now on, and those to run from now on. Times
        in seconds."""
        for each in there:
            self._seen[each.tenant] = now
        self._seen = {tenant: at for tenant, at in self._seen.items() if now - at <= STAYS_S}
        lines: dict[str, list[One]] = {}
        for each in there:
            lines.setdefault(each.tenant, []).append(each)
        chosen = self._within(there, lines, now) if len(self._seen) > 1 else {id(each) for each in there}
        fewest = min((len(line) for line in lines.values()), default=0)
        most = self.batch if len(self._seen) > 1 else float("inf")
        aside: list[One] = []
        run: list[One] = []
        for line in lines.values():
            held = len(line) > fewest
            reading = sum(each.reads for each in line if each.running and not each.begun and not held)
            for each in line:
                if id(each) not in chosen or (held and not each.begun and now - each.since < LONGEST_HOLD_S):
                    if each.running and not each.fixed:
                        aside.append(each)
                elif not each.running and reading < most:
                    run.append(each)
                    reading += each.reads
        return self._apart(aside, run, there, now)

    def _apart(self, aside: list[One], run: list[One], there: Sequence[One], now: float) -> tuple[list[One], list[One]]:
        """``aside`` and ``run``, so that what has to be alone is: the others are suspended for its step, and have
        ``LONGEST_HOLD_S`` before the next one. Beside what cannot be suspended it waits, and no more of that begins."""
        leaving = set(map(id, aside))
        running = [each for each in there if each.running and id(each) not in leaving]
        if any(each.alone for each in running):
            return aside, []
        first = next((each for each in run if each.alone), None)
        if first is None:
            return aside, run
        others = [each for each in run if not each.alone]
        if not running and not aside and (not others or now - self._apart_at >= LONGEST_HOLD_S):
            self._apart_at = now
            return aside, [first]
        if any(each.fixed for each in running):
            return aside, [each for each in others if not each.fixed]
        if now - self._apart_at < LONGEST_HOLD_S:
            return aside, others
        # They leave the pipeline in the step that comes, and it begins after that.
        return [*aside, *running], []

    def _within(self, there: Sequence[One], lines: dict[str, list[One]], now: float) -> set[int]:
        """As many as may run together, of each tenant in turn, the oldest first."""
        tenants = len(self._seen)
        if tenants != self._bound_for or now - self._bound_at > 1.0:
            self._bound, self._bound_for, self._bound_at = self.times.most(tenants), tenants, now
        chosen = {id(each) for each in there if each.fixed and each.running}
        rest = {tenant: [each for each in line if id(each) not in chosen] for tenant, line in lines.items()}
        counts = {tenant: len(line) - len(rest[tenant]) for tenant, line in lines.items()}
        while waiting := [tenant for tenant in rest if rest[tenant]]:
            tenant = min(waiting, key=counts.__getitem__)
            if len(chosen) >= self._bound and counts[tenant] * tenants >= self._bound:
                break
            chosen.add(id(rest[tenant].pop(0)))
            counts[tenant] += 1
        return chosen
