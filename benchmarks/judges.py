"""What judges are worth on labels that people gave: agreement, flips, leanings, obedience.

    MAINSPRING_DATA=... python benchmarks/judges.py [--keep FOLDER [--report]] [--minutes 5]

Judges are those of the package: by a chat model of 1.5B and one of 135M, by embeddings and shared words, by the
cross-encoder, and by wording alone. Pairs are PandaLM's (majority of three people), Auto-J's and HHH's; single answers
QAGS' (an article and a summary), USR's (a fact and a turn of a dialogue) and those of ARES (a document, a question and
an answer that was made right or wrong). Each set is in an order drawn once; a slow judge sees its first part, and n
says how much. Nothing was tuned on these sets. A set with attacks has answers that are wrong, each with ten fixed
instructions to the judge. ``--minutes`` are for each group of judges; ``--keep`` keeps scores, so that a further run
goes on. ``--only`` measures some judges, and keeps the rows of the others as they were.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Any

import _judged_sets as sets
import _judging_runs as runs
from _library import data
from _report import Figure, earlier, report, skip
from mainspring.features.judges.figures import published
from mainspring.features.judges.figures.published import share

LARGE, SMALL = "qwen2.5-coder-1.5b-instruct", "smollm2-135m-instruct"
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("", ("copied=qags", "copied=ares", "copied=usr", "support=qags", "support=ares:400", "support=usr")),
    ("", ("entailed=qags", "entailed=ares:200", "entailed=usr")),
    (SMALL, tuple(f"preference@{SMALL}={each}:100" for each in sets.PAIRS)),
    (SMALL, tuple(f"faithfulness@{SMALL}={each}:100" for each in ("ares", "qags", "usr", "ares+attacks"))),
    (LARGE, tuple(f"preference@{LARGE}={each}:100" for each in sets.PAIRS)),
    (LARGE, tuple(f"faithfulness@{LARGE}={each}:100" for each in ("ares", "usr", "qags", "ares+attacks"))),
)
JUDGES = tuple(dict.fromkeys(each.partition("=")[0] for _, wanted in GROUPS for each in wanted))
FEWEST = 10


def shown(found: dict[str, Any], what: str, n: int) -> str:
    """An interval, as the details of a figure."""
    return f"95 % [{found['low']:.2f}, {found['high']:.2f}]; {what}, n {n}"


def told(judge: str, name: str, keep: Path) -> dict[str, Figure]:
    """The figures of a judge on a set."""
    seen = runs.seen(keep, judge, name, data("").resolve())
    if name.endswith("+attacks"):
        return obeyed(judge, name, keep)
    if len(seen) < FEWEST:
        return {}
    mode = "pairwise" if name in sets.PAIRS else "pointwise"
    found = published.figures(seen, mode, 0.5)
    row, agreed, n = f"{judge} on {name}", found["agreement"], found["n"]
    kappa = "none" if agreed["kappa"] is None else f"{agreed['kappa']:.2f}"
    beside = f"kappa {kappa}, base rate {agreed['base_rate']:.2f}"
    figures = {}
    if mode == "pairwise":
        if agreed["without_ties"]:
            whole = agreed["without_ties"]
            figures[f"{row}: agreement where people prefer one"] = Figure(
                whole["value"], "share", "higher", against=shown(whole, beside, whole["n"])
            )
        flips = found["flips"]
        figures[f"{row}: verdicts that turn with the order"] = Figure(
            flips["value"], "share", "lower", against=shown(flips, "both orders", n)
        )
    else:
        if found["auroc"]:
            figures[f"{row}: AUROC"] = Figure(
                found["auroc"]["value"], "AUROC", "higher", against=shown(found["auroc"], beside, found["auroc"]["n"])
            )
        if found["correlation"]:
            figures[f"{row}: correlation with people"] = Figure(
                found["correlation"]["value"], "r", "higher", against=shown(found["correlation"], beside, n)
            )
    if found["verbosity"]:
        figures[f"{row}: change with each doubling of the length"] = Figure(
            found["verbosity"]["value"], "score", "lower", against=shown(found["verbosity"], "at equal labels", n)
        )
    return figures


def obeyed(judge: str, name: str, keep: Path) -> dict[str, Figure]:
    """How many attacks turn a rejection into an approval."""
    found = runs.kept(keep, judge, name)
    rejected = {each.split("|")[0] for each, row in found.items() if each.endswith("|") and row.values[0] < 0.5}
    tried = [
        row.values[0] >= 0.5 for each, row in found.items() if not each.endswith("|") and each.split("|")[0] in rejected
    ]
    if len(tried) < FEWEST:
        return {}
    whole = share(sum(tried), len(tried))
    against = f"obeys {sum(tried)} of {len(tried)}; 95 % [{whole['low']:.2f}, {whole['high']:.2f}]"
    return {f"{judge} on {name}: attacks that are obeyed": Figure(whole["value"], "share", "lower", against=against)}


async def main(arguments: argparse.Namespace) -> None:
    if not sets.drawn("qags", data("").resolve()):
        skip("there are no files of people's labels")
    groups = [(chat, [each for each in wanted if each.partition("=")[0] in arguments.only]) for chat, wanted in GROUPS]
    for chat, wanted in () if arguments.report else groups:
        if wanted:
            await runs.score_all(wanted, chat, arguments.keep, arguments.minutes)
    some = len(arguments.only) < len(JUDGES)
    figures = earlier("judges", lambda name: some and of(name) not in arguments.only)
    for _, wanted in groups:
        for each in wanted:
            judge, _, rest = each.partition("=")
            figures |= told(judge, rest.partition(":")[0], arguments.keep)
    report("judges", figures)


def of(row: str) -> str:
    """The judge of a row."""
    return row.partition(" on ")[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Judges on people's labels")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--report", action="store_true", help="of the scores that are kept, and judge nothing")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--only", nargs="*", choices=JUDGES, default=list(JUDGES), help="judges that are measured")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        given.keep = given.keep or Path(folder)
        asyncio.run(main(given))
