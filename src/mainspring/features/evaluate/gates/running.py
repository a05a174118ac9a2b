"""Runs a gate as the command and tests do: finds the cases and the scorer, and asks both sides."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.core.errors import GuardRefused, InvalidRequest
from mainspring.core.path import collect
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.judges import JudgeFigures
from mainspring.features.evaluate.gates import cases, scores
from mainspring.features.evaluate.gates.gate import Ask, GateOutcome, gate
from mainspring.features.evaluate.gates.report import FIELDS, markdown
from mainspring.statistics.sequential import Pairs

if TYPE_CHECKING:
    from mainspring.command import WholeOpener
    from mainspring.feature import Rooms, Services

NO_REFERENCE = "no reference"
_GATE = "gate"


@dataclass(frozen=True, slots=True)
class Wish:
    """A gate: ``file`` has the cases, or is ``dataset:NAME@VERSION``; ``candidate`` and ``incumbent`` are served names
    or files of answers. ``scorer`` empty: the ``measure`` of texts (empty: f1)."""

    file: str
    candidate: str
    incumbent: str
    measure: str = ""
    scorer: str = ""
    margin: float = 0.03
    alpha: float = 0.05
    beta: float = 0.1
    seed: int = 1


@dataclass(frozen=True, slots=True)
class GateRun:
    """The outcome, with the figures of the judge that gave the scores."""

    wish: Wish
    outcome: GateOutcome
    scored_by: str
    judge: JudgeFigures | None = None

    def markdown(self) -> str:
        """The report."""
        return markdown(self.outcome, self.wish.candidate, self.wish.incumbent, self.scored_by, self.judge)


async def run(
    open_whole: WholeOpener,
    settings: Settings,
    wish: Wish,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> GateRun:
    """Run it. The system is opened only where something is served: files of answers and a measure of texts need none.

    Raises ``InvalidRequest``, and ``Conflict`` for a judge that was not measured; whatever a side raises goes through.
    """
    if wish.scorer and wish.measure:
        raise InvalidRequest("a gate has a measure or a scorer, not both", param="scorer", remedy="Leave one out")
    pairs = Pairs(wish.margin, wish.alpha, wish.beta)
    rating = None if wish.scorer else scores.measured(wish.measure or "f1")
    stored = wish.file.startswith(cases.DATA_SET)
    found = [] if stored else cases.read(Path(wish.file), referenced=rating is not None)
    recorded = [_recorded(Path(each)) for each in (wish.candidate, wish.incumbent)]
    async with AsyncExitStack() as stack:
        opened: tuple[Rooms, Services] | None = None
        if stored or rating is None or None in recorded:
            opened = await stack.enter_async_context(open_whole(settings))
        if rating is None:
            assert opened is not None
            rating = await scores.scored(wish.scorer, opened)
        unasked: dict[str, int] = {}
        if stored:
            assert opened is not None
            found, unasked = _usable(await cases.of_data_set(wish.file, opened), wish)
        rooms = None if opened is None else opened[0]
        sides = zip((wish.candidate, wish.incumbent), recorded, strict=True)
        ours, theirs = (_side(name, answers, rooms) for name, answers in sides)
        outcome = await gate(
            found, ours, theirs, rating.rate, pairs, seed=wish.seed, unasked=unasked, progress=progress
        )
    return GateRun(wish, outcome, rating.name, rating.judge)


def _usable(found: list[Example], wish: Wish) -> tuple[list[Example], dict[str, int]]:
    """The examples that a measure of texts can score, and how many it cannot. A scorer tells for itself."""
    if wish.scorer:
        return found, {}
    usable = [each for each in found if each.references]
    if not usable:
        raise InvalidRequest(
            f"no example of {wish.file.removeprefix(cases.DATA_SET)} has a reference, which a measure of texts needs",
            param="file",
            remedy="Use --scorer: `refusal` scores near misses, and `resists` attacks",
        )
    return usable, {NO_REFERENCE: len(found) - len(usable)} if len(usable) < len(found) else {}


def _recorded(path: Path) -> dict[str, ExampleAnswer] | None:
    """The answers of a file, by id; None: it is none. Raises ``InvalidRequest`` naming the line."""
    if not path.is_file():
        return None
    found: dict[str, ExampleAnswer] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            given: dict[str, Any] = {name: row[name] for name in FIELDS if row.get(name) is not None}
            if "passages" in given:
                given["passages"] = tuple(map(str, given["passages"]))
            found[str(row["id"])] = ExampleAnswer(str(row["prediction"]), **given)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InvalidRequest(
                f"{path.name}, line {number} has no id and prediction",
                param="candidate",
                remedy="Write them with --out",
            ) from None
    return found


def _side(name: str, answers: Mapping[str, ExampleAnswer] | None, rooms: Rooms | None) -> Ask:
    async def recorded(case: Example) -> ExampleAnswer:
        assert answers is not None
        if case.id not in answers:
            raise InvalidRequest(f"{name} has no prediction for the case {case.id:.100}", param="id")
        return answers[case.id]

    async def asked(case: Example) -> ExampleAnswer:
        assert rooms is not None
        context, began = Context(rooms.local, replay=next(iter(case.sources), _GATE)), time.perf_counter()
        request = ChatRequest(name, case.messages, options={"cache": False})
        try:
            answer = await collect(await rooms.responder.respond(request, context))
        except GuardRefused as refusal:
            # Only this error is an answer: an engine that is down says nothing of the candidate.
            return ExampleAnswer("", error=f"{refusal.code}: {refusal.told}")
        return ExampleAnswer(
            answer.text.strip(),
            model=answer.head.model,
            passages=tuple(each.quote for each in answer.citations),
            refused=None if answer.answered is None else not answer.answered,
            cost_nanousd=context.allowance.spent.cost_nanousd or answer.usage.cost_nanousd,
            duration_s=time.perf_counter() - began,
        )

    return asked if answers is None else recorded
