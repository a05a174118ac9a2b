"""Experiments for other features, which ask for each under a key: ``training.stages.Comparer``."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa

from mainspring.core.errors import NotFound
from mainspring.core.types import Principal
from mainspring.features.experiments.spec import Candidate, Spec, WantedScorer
from mainspring.features.experiments.store.results import PREFIX, Results
from mainspring.stores.sql import rows
from mainspring.training.stages import ComparisonState, OrderState, keyed


class OrderedComparisons(ABC):
    """Implements ``Comparer`` over ``results``."""

    results: Results

    @abstractmethod
    async def submit(
        self, principal: Principal, data_set: str, version: int | str | None, spec: Spec, *, experiment_id: str = ""
    ) -> sa.Row[Any]:
        """Queue an experiment."""

    @abstractmethod
    async def cancel(self, principal: Principal, experiment_id: str) -> sa.Row[Any]:
        """Stop an experiment."""

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
        """See ``Comparer``."""
        experiment_id = keyed(PREFIX, principal.tenant, key)
        try:
            return await self.comparison(principal, experiment_id)
        except NotFound:
            pass
        more = [*asked, *({} for _ in responders[len(asked) :])]
        candidates = tuple(Candidate(each, each, **fields) for each, fields in zip(responders, more, strict=True))
        spec = Spec(candidates, tuple(WantedScorer(**each) for each in scorers))
        # Another process may ask for it at the same time.
        with contextlib.suppress(sa.exc.IntegrityError):
            await self.submit(principal, data_set, version, spec, experiment_id=experiment_id)
        return await self.comparison(principal, experiment_id)

    async def comparison(self, principal: Principal, comparison_id: str) -> ComparisonState:
        """See ``Comparer``."""
        row = await self.results.get(principal, comparison_id)
        state = cast("OrderState", row.state)
        return ComparisonState(row.id, state, rows.load(row.report), row.error)

    async def stop_comparison(self, principal: Principal, comparison_id: str) -> None:
        """See ``ComparisonStopper``."""
        await self.cancel(principal, comparison_id)

    async def stop_ordered(self, principal: Principal, key: str) -> None:
        """See ``ComparisonStopper``."""
        await self.cancel(principal, keyed(PREFIX, principal.tenant, key))

    async def compared_scores(
        self, principal: Principal, comparison_id: str, label: str
    ) -> Sequence[Sequence[float | None]]:
        """See ``Comparer``."""
        row = await self.results.get(principal, comparison_id)
        count = max(1, len(Spec.of(rows.load(row.spec)).candidates))
        found: dict[int, list[float | None]] = {}
        async for piece in self.results.scored(row.tenant, row.id):
            for each in piece:
                found.setdefault(each.place, [None] * count)[each.responder] = rows.load(each.scores).get(label)
        return [found[place] for place in sorted(found)]
