"""Follow-up questions: is the right source cited with and without condensing, over the sample handbook.

    python benchmarks/followups.py [--dev]

Twenty dialogues of two turns (samples/followups.yaml), half of them for development. Arms: the follow-up alone, both
questions joined, and the conversation as it is, which the answerer condenses by its rules.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from _library import Bench, bench
from _report import Figure, report, table
from mainspring.core.path import Answer, collect
from mainspring.core.types import ChatRequest, Message

SAMPLES = Path(__file__).parent.parent / "samples"
ARMS: dict[str, Callable[[str, str], tuple[str, ...]]] = {
    "alone": lambda _, second: (second,),
    "joined": lambda first, second: (f"{first}\n{second}",),
    "condensed": lambda first, second: (first, second),
}


async def answered(library: Bench, said: Sequence[str]) -> Answer:
    request = ChatRequest("bench", tuple(Message("user", text) for text in said))
    return await collect(await library.answerer().respond(request, library.context()))


async def main(development: bool) -> None:
    rows = yaml.safe_load((SAMPLES / "followups.yaml").read_text(encoding="utf-8"))["dialogues"]
    rows = rows[0 if development else 1 :: 2]
    figures: dict[str, Figure] = {}
    async with bench() as library:
        await library.ingestor.sync(library.collection, [SAMPLES / "handbook"])
        for name, arm in ARMS.items():
            cited = shown = 0
            for row in rows:
                found = await answered(library, arm(row["first"], row["second"]))
                right = any(citation.source in row["sources"] for citation in found.citations)
                gold = any(
                    gold.lower() in citation.quote.lower() for gold in row["answers"] for citation in found.citations
                )
                cited, shown = cited + right, shown + gold
                if development:
                    print(name, right, gold, repr(arm(row["first"], row["second"])))
            against = f"{len(rows)} dialogues"
            figures[f"{name}: right source cited"] = Figure(cited, "", "higher", against=against)
            figures[f"{name}: gold answer shown"] = Figure(shown, "", "higher", against=against)
    if development:
        print(table(figures))
    else:
        report("followups", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true", help="only on what is for development; writes no results")
    asyncio.run(main(parser.parse_args().dev))
