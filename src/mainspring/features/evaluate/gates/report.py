"""The report of a gate: as Markdown for a comment of a continuous integration, and as JSON."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.judges import JudgeFigures
from mainspring.features.evaluate.gates.gate import GateOutcome
from mainspring.features.evaluate.gates.scores import told

FIELDS = ("model", "passages", "refused", "error", "cost_nanousd", "duration_s")
"""What a file of answers keeps of an answer besides its text, where it is known: scorers ask for it."""


def markdown(
    outcome: GateOutcome,
    candidate: str,
    incumbent: str,
    measure: str,
    judge: JudgeFigures | None = None,
    shown: int = 10,
) -> str:
    """The report as Markdown."""
    difference = outcome.difference
    said = {
        "worse": f"**{candidate} is worse than {incumbent}.**",
        "not worse": f"**{candidate} is not worse than {incumbent} by {outcome.margin:g} or more.**",
        "undecided": f"**Undecided after all {len(outcome.judged)} cases.** A margin of {outcome.margin:g} needs more.",
    }[outcome.verdict]
    lines = [
        said,
        "",
        f"| | {measure} |",
        "|---|---|",
        f"| {candidate} | {outcome.means['candidate']:.3f} |",
        f"| {incumbent} | {outcome.means['incumbent']:.3f} |",
        f"| difference | {difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}] |",
        f"| cases asked | {len(outcome.judged)}, {outcome.spared} spared |",
        *(f"| left out: {why} | {count} |" for why, count in outcome.left_out.items()),
    ]
    if judge is not None:
        lines += ["", _of_judge(judge)]
    if outcome.worst:
        lines += ["", "| lost | question | candidate | incumbent |", "|---|---|---|---|"]
        lines += [
            f"| {each.difference:+.2f} | {_cell(each.case.question)} | {_answer(each.candidate)} | "
            f"{_answer(each.incumbent)} |"
            for each in outcome.worst[:shown]
        ]
    return "\n".join(lines) + "\n"


def _of_judge(judge: JudgeFigures) -> str:
    found = told(judge)
    day = time.strftime("%Y-%m-%d", time.gmtime(judge.measured_at))
    known = [f"{name} {found[name]:.2f}" for name in ("agreement", "kappa") if found[name] is not None]
    return (
        f"Scores are raw scores of the judge {judge.judge}, measured on {day} with {judge.n} labels"
        f"{': ' if known else ''}{', '.join(known)}."
    )


def _answer(answered: ExampleAnswer) -> str:
    return _cell(answered.text or answered.error)


def _cell(text: str, most: int = 160) -> str:
    plain = " ".join(text.split()).replace("|", "\\|")
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def rows(found: GateOutcome) -> Iterator[dict[str, Any]]:
    """The answers and scores, of cases that were left out, too: a later gate may take the answers from them."""
    for each in found.judged:
        yield _row(each.case, each.candidate, each.incumbent, each.candidate_score, each.incumbent_score)
    for left in found.unscored:
        yield {**_row(left.case, left.candidate, left.incumbent, None, None), "left_out": left.why}


def _row(
    case: Example, candidate: ExampleAnswer, incumbent: ExampleAnswer, score: float | None, other: float | None
) -> dict[str, Any]:
    values = {name: getattr(candidate, name) for name in FIELDS}
    return {
        "id": case.id,
        "prediction": candidate.text,
        "score": score,
        "incumbent": incumbent.text,
        "incumbent_score": other,
    } | {name: value for name, value in values.items() if value not in (None, "", (), 0)}


def facts(found: GateOutcome, judge: JudgeFigures | None) -> dict[str, Any]:
    """The verdict as JSON."""
    made = {
        "verdict": found.verdict,
        "difference": {"value": found.difference.value, "low": found.difference.low, "high": found.difference.high},
        "candidate": found.means["candidate"],
        "incumbent": found.means["incumbent"],
        "cases": len(found.judged),
        "spared": found.spared,
        "left_out": found.left_out,
        "margin": found.margin,
    }
    return made if judge is None else {**made, "judge": told(judge)}
