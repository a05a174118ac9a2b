"""``mainspring eval gate``: whether a candidate may take the incumbent's place, for continuous integration."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.command import whole_opener
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.command import WholeOpener
    from mainspring.core.settings import Settings
    from mainspring.feature import Rooms, Services
    from mainspring.features.evaluate.gates.cases import Case
    from mainspring.features.evaluate.gates.gate import Ask, GateOutcome, Score
    from mainspring.statistics.sequential import Pairs

_DATA_SET = "dataset:"
_MEASURES = ("exact", "f1", "contains", "rouge-1", "rouge-2", "rouge-l", "meteor")


def gate(
    context: typer.Context,
    file: Annotated[
        str,
        typer.Argument(
            help="JSON lines with `question` (or `messages`), `reference(s)`, `source`; or dataset:NAME@VERSION"
        ),
    ],
    candidate: Annotated[str, typer.Option(help="A model, a collection or an agent; or a file of its answers")],
    incumbent: Annotated[str, typer.Option(help="The same, for the current version")],
    measure: Annotated[str, typer.Option(help=f"One of {', '.join(_MEASURES)}")] = "f1",
    margin: Annotated[float, typer.Option(help="The drop that the gate must not allow, between 0 and 1")] = 0.03,
    alpha: Annotated[float, typer.Option(help="Probability of rejecting a candidate that is not worse")] = 0.05,
    beta: Annotated[float, typer.Option(help="Probability of passing a candidate that is worse by the margin")] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed of the order of the cases")] = 1,
    report: Annotated[Path | None, typer.Option(help="Also write a report, as Markdown")] = None,
    out: Annotated[Path | None, typer.Option(help="Also write all answers and scores, as JSON lines")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Ask candidate and incumbent the same questions until it is certain whether the candidate is worse.

    It stops as soon as the verdict is certain. The exit status is 0 if the candidate is not worse by the margin, 1 if
    it is worse, and 3 if the cases did not suffice. A file of answers has lines with `id` and `prediction`, as --out
    writes them.
    """
    from mainspring.core.settings import load
    from mainspring.features.evaluate.gates import cases
    from mainspring.features.evaluate.gates.gate import markdown
    from mainspring.statistics.sequential import Pairs

    score = scorer(measure)
    asked = None if file.startswith(_DATA_SET) else cases.read(Path(file))
    pairs = Pairs(margin, alpha, beta)
    settings = load(context.obj).settings
    sides = [(side, _recorded(Path(side)) if Path(side).is_file() else None) for side in (candidate, incumbent)]
    found = asyncio.run(_run(whole_opener(context), settings, asked or file, sides, score, pairs, seed))
    text = markdown(found, candidate, incumbent, measure)
    if report is not None:
        report.write_text(text, encoding="utf-8")
    if out is not None:
        out.write_text("".join(json.dumps(row) + "\n" for row in _rows(found)), encoding="utf-8")
    if as_json:
        show.as_json(_facts(found))
    else:
        print(show.printable(text), end="")
    raise typer.Exit({"not worse": 0, "worse": show.FAILED, "undecided": show.PARTLY}[found.verdict])


def scorer(measure: str) -> Score:
    """The score of an answer by a measure of texts. Raises ``InvalidRequest``."""
    from mainspring.core.errors import InvalidRequest
    from mainspring.evaluation.texts.measures import plain
    from mainspring.evaluation.texts.measures import score as measured

    if measure not in _MEASURES:
        raise InvalidRequest(
            f"there is no measure {measure:.50} for single answers",
            param="measure",
            remedy=f"Use {', '.join(_MEASURES)}",
        )
    if measure == "contains":
        return lambda answer, case: float(any(plain(each) in plain(answer) for each in case.references))
    return lambda answer, case: measured([answer], [case.references], [measure])[measure].each[0]


async def _run(
    open_whole: WholeOpener,
    settings: Settings,
    wanted: list[Case] | str,
    sides: Sequence[tuple[str, Mapping[str, str] | None]],
    score: Score,
    pairs: Pairs,
    seed: int,
) -> GateOutcome:
    from contextlib import AsyncExitStack

    from mainspring.features.evaluate.gates.gate import gate as gated

    async with AsyncExitStack() as stack:
        served = isinstance(wanted, str) or any(answers is None for _, answers in sides)
        opened = await stack.enter_async_context(open_whole(settings)) if served else None
        rooms = None if opened is None else opened[0]
        cases = await _of_data_set(wanted, opened) if isinstance(wanted, str) and opened else wanted
        assert not isinstance(cases, str)
        ours, theirs = (_side(name, answers, rooms) for name, answers in sides)
        with show.progress() as progress:
            return await gated(
                cases,
                ours,
                theirs,
                score,
                pairs,
                seed=seed,
                progress=lambda done, total: progress("Asking", done, total),
            )


async def _of_data_set(text: str, opened: tuple[Rooms, Services]) -> list[Case]:
    """The examples of ``dataset:NAME@VERSION`` that have references. Raises ``InvalidRequest``, ``NotFound``."""
    from mainspring.core.errors import InvalidRequest
    from mainspring.evaluation.examples import ExampleStream
    from mainspring.features.evaluate.gates import cases

    rooms, services = opened
    stored = services.perhaps(ExampleStream)  # type: ignore[type-abstract]
    if stored is None:
        raise InvalidRequest("no feature keeps data sets", param="file")
    name, _, version = text.removeprefix(_DATA_SET).partition("@")
    wanted = await stored.version(rooms.local, name, int(version) if version.isdigit() else version or None)
    found = [
        cases.of_example(each) async for _, each in stored.stream(rooms.local, name, wanted.number) if each.references
    ]
    if not found:
        raise InvalidRequest(f"no example of {name}@{wanted.number} has a reference", param="file")
    return found


def _recorded(path: Path) -> dict[str, str]:
    """The answers of a file, by id. Raises ``InvalidRequest`` naming the line."""
    from mainspring.core.errors import InvalidRequest

    found: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found[str(row["id"])] = str(row["prediction"])
        except (ValueError, TypeError, KeyError):
            raise InvalidRequest(
                f"{path.name}, line {number} has no id and prediction",
                param="candidate",
                remedy="Write them with --out",
            ) from None
    return found


def _side(name: str, answers: Mapping[str, str] | None, rooms: Rooms | None) -> Ask:
    from mainspring.core.errors import InvalidRequest
    from mainspring.core.path import collect
    from mainspring.core.types import ChatRequest, Context

    async def recorded(case: Case) -> str:
        assert answers is not None
        if case.id not in answers:
            raise InvalidRequest(f"{name} has no prediction for the case {case.id:.100}", param="id")
        return answers[case.id]

    async def asked(case: Case) -> str:
        assert rooms is not None
        request = ChatRequest(name, case.messages, options={"cache": False})
        return (await collect(await rooms.responder.respond(request, Context(rooms.local)))).text.strip()

    return asked if answers is None else recorded


def _rows(found: GateOutcome) -> list[dict[str, Any]]:
    return [
        {
            "id": each.case.id,
            "prediction": each.candidate,
            "score": each.candidate_score,
            "incumbent": each.incumbent,
            "incumbent_score": each.incumbent_score,
        }
        for each in found.judged
    ]


def _facts(found: GateOutcome) -> dict[str, Any]:
    return {
        "verdict": found.verdict,
        "difference": {"value": found.difference.value, "low": found.difference.low, "high": found.difference.high},
        "candidate": found.means["candidate"],
        "incumbent": found.means["incumbent"],
        "cases": len(found.judged),
        "spared": found.spared,
        "margin": found.margin,
    }
