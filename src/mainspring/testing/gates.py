"""Regression gates for tests: they fail where a candidate is worse than the incumbent, and where that is uncertain."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.core import slices
from mainspring.core.errors import InvalidRequest
from mainspring.core.settings import Settings, load
from mainspring.statistics.sequential import Pairs

if TYPE_CHECKING:
    from mainspring.feature import Rooms, Services


def assert_not_worse(
    candidate: Sequence[float],
    incumbent: Sequence[float],
    *,
    margin: float = 0.03,
    sources: Sequence[str] = (),
    alpha: float = 0.05,
    beta: float = 0.1,
    seed: int = 1,
) -> None:
    """Scores of both on the same examples, from 0 to 1. Examples of one of ``sources`` count once, by their mean.

    Raises ``AssertionError`` if the candidate is worse, or if the examples do not suffice to say that it is not worse
    by ``margin``; a candidate that is worse by the margin passes with a chance of at most ``beta``. Raises
    ``InvalidRequest`` for unequal numbers.
    """
    if len(candidate) != len(incumbent) or (sources and len(sources) != len(candidate)):
        raise InvalidRequest("candidate, incumbent and sources have one value for each example", param="candidate")
    groups: dict[object, list[float]] = {}
    for number, (ours, theirs) in enumerate(zip(candidate, incumbent, strict=True)):
        groups.setdefault((sources and sources[number]) or number, []).append(ours - theirs)
    differences = [sum(group) / len(group) for group in groups.values()]
    random.Random(seed).shuffle(differences)
    test = Pairs(margin, alpha, beta)
    for difference in differences:
        if test.add(difference) != "undecided":
            break
    mean = sum(differences) / max(1, len(differences))
    if test.verdict != "not worse":
        said = "worse" if test.verdict == "worse" else f"not shown to be no more than {margin:g} worse"
        raise AssertionError(f"the candidate is {said}: {mean:+.3f} over {len(differences)} examples")


def assert_gate(
    cases: str | Path,
    *,
    candidate: str,
    incumbent: str,
    measure: str = "",
    scorer: str = "",
    margin: float = 0.03,
    alpha: float = 0.05,
    beta: float = 0.1,
    seed: int = 1,
    settings: Settings | None = None,
) -> None:
    """``mainspring eval gate`` in a test that is no coroutine: ``cases`` are a file or ``dataset:NAME@VERSION``,
    ``candidate`` and ``incumbent`` served names or files of answers, and ``scorer`` is ``NAME:OPTION=VALUE``.

    Raises ``AssertionError`` with the report unless the candidate is shown not to be worse by ``margin``. Raises
    ``InvalidRequest``, and ``Conflict`` for a judge that has published no figures.
    """
    ((_, gate),) = slices.declared("gating", "GATE")
    wish = {"file": str(cases), "candidate": candidate, "incumbent": incumbent, "measure": measure, "scorer": scorer}
    numbers = {"margin": margin, "alpha": alpha, "beta": beta, "seed": seed}
    passed, report = asyncio.run(gate(_opened, settings or load().settings, **wish, **numbers))
    if not passed:
        raise AssertionError(report)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Rooms, Services]]:
    from mainspring.system import System

    async with System.open(settings) as system:
        yield system.rooms, system.services
