"""What the loop of improvement asks of other features, stage by stage. A feature finds them by ``Services.fitting``.

Each order has a ``key``: asked for twice under one key by one tenant, it is done once. So a process that was killed
between a stage's work and the record of it does nothing twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from mainspring.core.types import Principal
from mainspring.evaluation.examples import Example
from mainspring.training.ports import Candidate

OrderState = Literal["queued", "running", "completed", "failed", "cancelled", "deleted"]


def keyed(prefix: str, tenant: str, key: str) -> str:
    """The id of what is asked for under ``key``: the same each time."""
    return prefix + hashlib.sha256(f"{tenant}\0{key}".encode()).hexdigest()[:26]


@dataclass(frozen=True, slots=True)
class ExportState:
    """An export of the lake. ``rows`` by side of the split. ``counts``: how many answers were ``read``, and how many
    each step left out, such as ``consent``."""

    id: str
    state: OrderState
    rows: Mapping[str, int] = field(default_factory=dict)
    error: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RowLineage:
    """A row of an export with what it is made of."""

    split: str
    line: int
    answers: Sequence[str]
    events: Sequence[str]
    traces: Sequence[str]


@runtime_checkable
class Exporter(Protocol):
    """Makes sets for training of what people said."""

    async def export_once(self, principal: Principal, wanted: Mapping[str, Any], key: str) -> ExportState:
        """Queue an export: ``wanted`` are the fields of ``POST /v1/lake/exports``. Raises ``InvalidRequest`` naming the
        field, ``QuotaExceeded``."""
        ...

    async def export_state(self, tenant: str, export_id: str) -> ExportState:
        """Raises ``NotFound``."""
        ...

    def export_rows(
        self, tenant: str, export_id: str, answers: Collection[str] | None = None
    ) -> AsyncIterator[RowLineage]:
        """All rows, or those of some answers. Raises ``NotFound``."""
        ...

    async def exports_with(self, tenant: str, answers: Sequence[str]) -> Sequence[str]:
        """The ids of exports that have rows of any of these answers."""
        ...

    async def export_answers(self, tenant: str, export_id: str, limit: int) -> Sequence[str]:
        """The answers that its rows are made of."""
        ...


@runtime_checkable
class LearnableEdits(Protocol):
    """Keeps what people changed of an application's answers in a form of its own: pairs of sentences, or sent mails."""

    def edits_kind(self, application: str) -> str:
        """The kind of the rows, as recipes read them: ``pairs``, ``text``. Empty: the application's edits are kept
        elsewhere."""
        ...

    async def learnable_edits(self, principal: Principal, application: str) -> Sequence[Example]:
        """What models may learn from and the principal may see, each on its side; ``extra`` has the row that is
        learned as ``pair``. Empty: there is none, or the application's edits are kept elsewhere."""
        ...


@runtime_checkable
class OrderCheck(Protocol):
    """Checks what will be asked of a ``Trainer`` later."""

    async def check_order(self, principal: Principal, recipe: str, options: Mapping[str, Any], base: str) -> None:
        """Whether the base and what options name is there and of the right kind, and what the recipe needs is
        installed. Raises ``InvalidRequest`` naming ``base`` or ``options.NAME``, ``NotFound``, ``ModelNotPulled``,
        ``Forbidden``, ``MissingExtra``, as ``Trainer.order`` does."""
        ...


@runtime_checkable
class ExportCheck(Protocol):
    """Checks what will be asked of an ``Exporter`` later."""

    def check_export(self, principal: Principal, wanted: Mapping[str, Any]) -> None:
        """Raises ``InvalidRequest`` naming the field of ``wanted``, also for rows that no training reads, and
        ``Forbidden``."""
        ...


@dataclass(frozen=True, slots=True)
class ComparisonState:
    """An experiment. ``report`` is that of ``GET /v1/experiments/{id}/report``, once it is over; of one that was
    cancelled that of the answers until then."""

    id: str
    state: OrderState
    report: Mapping[str, Any] | None = None
    error: str = ""


@runtime_checkable
class Comparer(Protocol):
    """Compares responders on the examples of a data set."""

    async def compare_once(
        self,
        principal: Principal,
        data_set: str,
        version: int,
        responders: Sequence[str],
        scorers: Sequence[Mapping[str, Any]],
        key: str,
        *,
        asked: Sequence[Mapping[str, Any]] = (),
    ) -> ComparisonState:
        """Have each responder answer each example; the first one is the baseline. ``scorers`` have ``name``,
        ``options``, ``label`` and ``threshold``; ``asked`` says by responder what is asked of it besides the example:
        ``parameters``, a ``prompt`` and ``options``. Raises ``InvalidRequest``, ``NotFound``, ``QuotaExceeded``."""
        ...

    async def comparison(self, principal: Principal, comparison_id: str) -> ComparisonState:
        """Raises ``NotFound``."""
        ...

    async def compared_scores(
        self, principal: Principal, comparison_id: str, label: str
    ) -> Sequence[Sequence[float | None]]:
        """The scores of each example, by responder (None: the scorer had nothing to say). Raises ``NotFound``."""
        ...


@runtime_checkable
class ComparisonStopper(Protocol):
    """Stops comparisons that nobody waits for any more."""

    async def stop_comparison(self, principal: Principal, comparison_id: str) -> None:
        """Stop it after the answers that are on their way; can be done again. Raises ``NotFound``."""
        ...

    async def stop_ordered(self, principal: Principal, key: str) -> None:
        """The same for what ``compare_once`` was asked for under ``key``. Raises ``NotFound``."""
        ...


@dataclass(frozen=True, slots=True)
class Probed:
    """What attacks came to: how many were ``sent``, ``succeeded`` and ``failed`` (nothing is known of those), and how
    many of the ``harmless`` texts were ``refused``. ``categories`` have the successes by kind, ``through`` the ids."""

    sent: int
    succeeded: int
    failed: int = 0
    harmless: int = 0
    refused: int = 0
    categories: Mapping[str, int] = field(default_factory=dict)
    through: Sequence[str] = ()


@runtime_checkable
class Prober(Protocol):
    """Attacks what answers under a name."""

    async def probe(self, principal: Principal, name: str, most: int) -> Probed:
        """Send at most ``most`` attacks of each kind to ``name``, always the same ones. Nothing lasting comes of it."""
        ...


@dataclass(frozen=True, slots=True)
class OnlineVerdict:
    """What is known of a trial between ``current`` and ``candidate``, valid whenever one looks.

    ``units`` and ``rates`` of success are by arm. ``best``: the arm that was shown better; empty: none. ``broken``: the
    guards that the candidate breaks. ``low`` and ``high`` bound the candidate's rate less the current one's. ``sound``:
    units fall to the arms as they should. ``needed``: the units of each arm that a test of a fixed size would need.
    """

    units: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[str, float | None] = field(default_factory=dict)
    best: str = ""
    broken: Sequence[str] = ()
    low: float = -1.0
    high: float = 1.0
    sound: bool = True
    needed: int = 0


@runtime_checkable
class OnlineTrials(Protocol):
    """Trials over the traffic of an application, between its arms ``current`` and ``candidate``."""

    async def begin_trial(self, principal: Principal, name: str, application: str, wanted: Mapping[str, Any]) -> None:
        """Start a trial over a route that has both arms; one of that name that runs is the same. ``wanted`` has
        ``metric``, ``guards`` and ``alpha``, as ``POST /v1/trials``. Raises ``InvalidRequest``, ``NotFound``,
        ``Conflict``."""
        ...

    async def trial_verdict(self, tenant: str, name: str) -> OnlineVerdict:
        """Raises ``NotFound``."""
        ...

    async def finish_trial(self, principal: Principal, name: str) -> None:
        """End it; one that has ended, or is gone, stays so."""
        ...


@runtime_checkable
class TrialCheck(Protocol):
    """Checks what will be asked of ``OnlineTrials`` later."""

    def check_trial(self, application: str, wanted: Mapping[str, Any]) -> None:
        """Raises ``InvalidRequest`` naming the field, as ``begin_trial`` does."""
        ...


@runtime_checkable
class ShadowCounts(Protocol):
    """What came of the copies of requests that a candidate got."""

    async def shadowed(self, tenant: str, candidate: Candidate) -> tuple[int, int]:
        """How many were answered or failed since the shadow began, and how many of these failed."""
        ...


@runtime_checkable
class TakenBack(Protocol):
    """What people took away from applications."""

    async def taken_back(self, tenant: str, candidate: Candidate, since: float) -> str:
        """Why a candidate was withdrawn or undone since a time (Unix seconds); empty: it was not."""
        ...


@runtime_checkable
class Alarms(Protocol):
    """What is wrong with applications now."""

    async def firing(self, tenant: str, application: str) -> Sequence[str]:
        """The rules whose alerts fire, such as ``drift``."""
        ...
