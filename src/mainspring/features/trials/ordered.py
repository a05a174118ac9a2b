"""Trials between what an application uses and a candidate, for other features: ``training.stages.OnlineTrials``."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from mainspring.core.errors import Conflict, InvalidRequest, NotFound
from mainspring.core.types import Principal
from mainspring.features.trials.analysis.verdicts import Verdict
from mainspring.features.trials.definitions import Trial
from mainspring.features.trials.service import Trials
from mainspring.http.field_errors import invalid
from mainspring.training.stages import OnlineVerdict

_CURRENT, _CANDIDATE = "current", "candidate"


class ApplicationTrials(Trials):
    """The trials of all tenants, and those of other features."""

    async def begin_trial(self, principal: Principal, name: str, application: str, wanted: Mapping[str, Any]) -> None:
        """See ``OnlineTrials``."""
        trial = _trial(application, wanted)
        try:
            await self.define(principal, name, trial)
        except Conflict:
            if (await self.get(principal.tenant, name)).running.definition != trial:
                raise

    def check_trial(self, application: str, wanted: Mapping[str, Any]) -> None:
        """See ``TrialCheck``."""
        _trial(application, wanted)

    async def trial_verdict(self, tenant: str, name: str) -> OnlineVerdict:
        """See ``OnlineTrials``."""
        state = await self.get(tenant, name)
        if state.status == "running":
            # A share that has just grown is weighed from now on, and not only from the next look at all trials.
            state = await self._reweighed(state)
        return online_verdict(await self.verdict(state))

    async def finish_trial(self, principal: Principal, name: str) -> None:
        """See ``OnlineTrials``."""
        with contextlib.suppress(NotFound, Conflict):
            if (await self.get(principal.tenant, name)).status == "running":
                await self.end(principal, name)


def _trial(application: str, wanted: Mapping[str, Any]) -> Trial:
    try:
        return Trial.model_validate({"route": application, "control": _CURRENT, **wanted})
    except ValidationError as error:
        first = error.errors()[0]
        found = invalid(first, first["loc"])
        problem = f"the trial: {found.message}"
        raise InvalidRequest(problem, remedy=found.remedy, param=f"canary.{found.param or ''}") from None


def online_verdict(verdict: Verdict) -> OnlineVerdict:
    """A verdict as other features see it."""
    ours = verdict.arms.get(_CANDIDATE)
    sequence = [] if ours is None else list(ours.sequence)
    low, high = (sequence[-1][1].low, sequence[-1][1].high) if sequence else (-1.0, 1.0)
    guards = [] if ours is None else ours.guards
    return OnlineVerdict(
        {name: each.units for name, each in verdict.arms.items()},
        {name: each.rate for name, each in verdict.arms.items()},
        verdict.compared.best,
        [each.guard.shown for each in guards if each.state == "broken"],
        low if math.isfinite(low) else -1.0,
        high if math.isfinite(high) else 1.0,
        verdict.sound,
        verdict.needed,
    )
