"""``mainspring eval gate``: whether a candidate may take the incumbent's place, for continuous integration."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from mainspring.command import whole_opener
from mainspring.terminal import show


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
    measure: Annotated[
        str, typer.Option(help="One of exact, f1, contains, rouge-1, rouge-2, rouge-l, meteor (default: f1)")
    ] = "",
    scorer: Annotated[
        str, typer.Option(help="Instead of a measure: NAME, NAME:OPTION=VALUE,... or NAME:JSON, as in experiments")
    ] = "",
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
    writes them. A judge as scorer must have published figures.
    """
    from mainspring.core.settings import load
    from mainspring.features.evaluate.gates import report as reports
    from mainspring.features.evaluate.gates.running import Wish, run

    wish = Wish(file, candidate, incumbent, measure, scorer, margin, alpha, beta, seed)
    settings = load(context.obj).settings
    with show.progress() as progress:
        opener = whole_opener(context)
        done = asyncio.run(run(opener, settings, wish, lambda asked, total: progress("Asking", asked, total)))
    text, found = done.markdown(), done.outcome
    if report is not None:
        report.write_text(text, encoding="utf-8")
    if out is not None:
        out.write_text("".join(json.dumps(row) + "\n" for row in reports.rows(found)), encoding="utf-8")
    if as_json:
        show.as_json(reports.facts(found, done.judge))
    else:
        print(show.printable(text), end="")
    raise typer.Exit({"not worse": 0, "worse": show.FAILED, "undecided": show.PARTLY}[found.verdict])
