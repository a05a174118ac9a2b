"""How long lineage takes over a hundred thousand events, in both directions.

    python benchmarks/improve_lineage.py [--answers 50000] [--dry]

A tenant has 50,000 answers with a thumb each; the first 10,000 are what a variant is made of, which gave the last
25,000. Asked are, for answers and thumbs drawn at random: what gave this answer and what is that made of; what was made
of this thumb and which answers did it give. Both the time that passes and the CPU's are measured: others on the
machine count in the first alone. The baseline is the same without the tables of the loop: the events of the answer's
trace, by their index.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np

from _report import Figure, report, table
from mainspring import stores
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.settings import Settings
from mainspring.core.types import EventRecord, Principal
from mainspring.features.improve.lineage import store as lineage
from mainspring.features.improve.lineage.following import Following
from mainspring.features.improve.lineage.store import VariantStore
from mainspring.features.improve.lineage.tracing import Tracing
from mainspring.features.improve.policy.policy import Policy
from mainspring.features.improve.policy.store import PolicyStore
from mainspring.features.improve.settings import ImproveSettings
from mainspring.features.improve.stages.campaign import Campaign
from mainspring.features.improve.stages.folders import Folders
from mainspring.features.improve.stages.store import CampaignStore
from mainspring.features.improve.stages.tools import Tools
from mainspring.stores import Stores
from mainspring.stores.events.audit_log import LOCAL
from mainspring.training.ports import Candidate

ADMIN = Principal("acme", "root", frozenset({"admin"}))
POLICY = {
    "data": {"export": {"kind": "sft"}},
    "rungs": [{"recipe": "answers-shown", "kind": "answering"}],
    "offline": {"dataset": "held-out", "gain": {"name": "f1"}},
}
CANDIDATE = Candidate("answering", "docs", {"weights": {"near": 0.2}}, "docs@1")
ASKED = 200


async def filled(opened: Stores, answers: int) -> None:
    """The events, the variant, and what is followed of them."""
    settings = ImproveSettings()
    await PolicyStore(opened.database, opened.audit, settings).put(
        ADMIN, "docs", Policy.model_validate(POLICY), LOCAL, enabled=True
    )
    for begin in range(0, answers, 1000):
        records = []
        for number in range(begin, min(begin + 1000, answers)):
            variant = CANDIDATE.id if number >= answers // 2 else ""
            given = {"status": "completed", "requested": "docs", "key_id": "root", "variant": variant}
            facts = AnswerFacts.from_json(given)
            told = FeedbackFacts(key_id="root", rating="down", comment=None, edited=True)
            at = time.time()
            records.append(EventRecord(f"ans_{number}", at, "acme", f"trace-{number}", f"ans_{number}", facts))
            records.append(EventRecord(f"evt_{number}", at, "acme", f"trace-{number}", f"ans_{number}", told))
        await opened.events.settle(records, [])
    await Following(opened.database, settings.answers).follow()
    campaign = Campaign("acme", "imp_1", "docs", 1, Policy.model_validate(POLICY), "", "training")
    sources = [f"ans_{number}" for number in range(answers // 5)]
    await VariantStore(opened.database).link("acme", CANDIDATE.id, sources)
    await opened.database.write(lambda connection: lineage.admitted(connection, campaign, CANDIDATE))


async def timed(names: list[str], ask: Callable[[str], Awaitable[object]]) -> tuple[list[float], list[float]]:
    """Milliseconds that passed for each, and those of this process's CPU."""
    passed, computed = [], []
    for name in names:
        began, cpu = time.perf_counter(), time.process_time()
        await ask(name)
        passed.append((time.perf_counter() - began) * 1e3)
        computed.append((time.process_time() - cpu) * 1e3)
    return passed, computed


async def measure(answers: int) -> dict[str, Figure]:
    draw = random.Random(1)
    with tempfile.TemporaryDirectory() as home:
        async with stores.open(Settings(home=Path(home))) as opened:
            await filled(opened, answers)
            variants = VariantStore(opened.database)
            tools = Tools(
                CampaignStore(opened.database, ImproveSettings()),
                variants,
                opened.approvals,
                ImproveSettings(),
                Folders(Path(home)),
            )
            tracing = Tracing(variants, tools, opened.events, opened.database)
            late = [f"ans_{draw.randrange(answers // 2, answers)}" for _ in range(ASKED)]
            early = [f"evt_{draw.randrange(answers // 5)}" for _ in range(ASKED)]
            back = await timed(late, lambda name: tracing.of_answer(ADMIN, name))
            on = await timed(early, lambda name: tracing.of_feedback(ADMIN, name))
            plain = await timed(late, lambda name: opened.events.find("acme", trace_id=f"trace-{name[4:]}"))
    found: dict[str, Figure] = {}
    for name, ours in (("answer to feedback", back), ("feedback to answers", on)):
        for unit, times, others in zip(("ms", "ms of CPU"), ours, plain, strict=True):
            against = f"median {np.median(others):.1f} {unit} for the events of a trace alone"
            against += f", {2 * answers:,} events, {ASKED} asked"
            told = f"{name}{', CPU' if 'CPU' in unit else ''}"
            found[f"{told}, p95"] = Figure(float(np.quantile(times, 0.95)), unit, "lower", 100, against=against)
            found[f"{told}, median"] = Figure(float(np.median(times)), unit, "lower", against=against)
    return found


def main(arguments: argparse.Namespace) -> None:
    found = asyncio.run(measure(arguments.answers))
    if arguments.dry:
        print(table(found))
    else:
        report("improve_lineage", found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Time of lineage over many events")
    parser.add_argument("--answers", type=int, default=50_000)
    parser.add_argument("--dry", action="store_true", help="write no result")
    main(parser.parse_args())
