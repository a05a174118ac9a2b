"""The agent ``support`` on wishes of the sample shop's customers, told again in the words of another author.

    python benchmarks/support_dialogues_fresh.py [--keep FILE] [--minutes 10] [--report]

70 of the wishes of ``support_dialogues.py``, with what is expected, in words of somebody who had read the agent's page
of the documentation and those dialogues, and none of the agent's code, patterns or examples. They are held once, to
report: nothing of the agent was changed for them before. Right and harm are those of ``support_dialogues.py``.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from _report import Figure, report, skip
from mainspring.core.errors import ModelNotPulled
from support_dialogues import Held, kept, run, share

SMALL = "smollm2-135m-instruct"


def figures(found: Sequence[Held]) -> dict[str, Figure]:
    """Shares with n and a 95 % interval, of all and by topic."""
    harm = sum(each.harm for each in found)
    made = {
        "right, in other words": share([each.right for each in found], 0.7, 0.85),
        "policies broken or told to strangers": Figure(harm, "dialogues", "lower", 0, None, f"{len(found)} dialogues"),
    }
    for topic in sorted({each.topic for each in found}):
        made[f"right, {topic}"] = share([each.right for each in found if each.topic == topic])
    return made


def main(part: str = "fresh", told: str = __doc__ or "") -> None:
    """Hold the dialogues of ``part`` and report them."""
    parser = argparse.ArgumentParser(description=told, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--model", default=SMALL, help="a model that is served; the agent asks none")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        keep = arguments.keep or Path(folder) / "held.jsonl"
        if not arguments.report:
            more: dict[str, object] = {"home": Path(folder), "keep": keep, "part": part, "dialogue": []}
            try:
                asyncio.run(run(argparse.Namespace(**{**vars(arguments), **more})))
            except ModelNotPulled as error:
                skip(str(error))
        found = list(kept(keep).values())
    report(f"support_dialogues_{part}", figures(found))


if __name__ == "__main__":
    main()
