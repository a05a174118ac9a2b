"""Several calls at once, and the smallest model: the rest of the function-calling leaderboard.

    MAINSPRING_DATA=... python benchmarks/tool_choice_parallel.py [--keep FILE] [--limit 16] [--minutes 4] [--report]

``parallel`` asks for several calls of one tool, ``parallel_multiple`` for calls of several tools among others. They are
asked of the larger model with the tools in its own prompt and behind the chooser of agents. ``multiple`` and
``irrelevance`` are asked of the 135M model in the same two ways (``tool_choice.py`` has them for the larger one). The
questions are evenly spaced, those of both ways are the same, and nothing was fitted or chosen on them. All calls must
be there, and no other; exact: with all arguments.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from _report import report, skip
from mainspring.core.errors import ModelNotPulled
from tool_choice import SMALL, WRITER, figures, kept, run

ASKED = (
    (SMALL, "choice", ("multiple", "irrelevance")),
    (SMALL, "native", ("multiple", "irrelevance")),
    (WRITER, "choice", ("parallel", "parallel_multiple")),
    (WRITER, "native", ("parallel", "parallel_multiple")),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--limit", type=int, default=16, help="questions of a part; of the small model twice as many")
    parser.add_argument("--minutes", type=float, default=4.0, help="of each model and way")
    parser.add_argument("--report", action="store_true", help="ask nothing")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        keep = arguments.keep or Path(folder) / "asked.jsonl"
        for model, method, parts in () if arguments.report else ASKED:
            limit = arguments.limit * (2 if model == SMALL else 1)
            asked = argparse.Namespace(
                keep=keep, model=[model], part=list(parts), limit=limit, minutes=arguments.minutes
            )
            try:
                asyncio.run(run(asked, method, model))
            except ModelNotPulled as error:
                skip(str(error))
        made = figures(kept(keep).values())
    report("tool_choice_parallel", made)


if __name__ == "__main__":
    main()
