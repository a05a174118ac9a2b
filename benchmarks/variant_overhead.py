"""What a placement adds to a request: the same question of an application with variants, and of one without.

    python benchmarks/variant_overhead.py [--pairs 300]

The whole path within this process, with a model that answers at once, so that nothing but the path takes time. Requests
of two tenants take turns: one has a current prompt and a candidate on half of its traffic, the other has nothing. Each
pair is compared; the ratio is that of CPU time.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import mainspring.engines
from _report import Figure, report
from mainspring.core.path import collect
from mainspring.core.settings import ServingSettings, Settings
from mainspring.core.types import ChatRequest, Context, Message, Principal
from mainspring.engines import ChatModel, Engines
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine
from mainspring.features.variants.service import Variants
from mainspring.statistics.significance import interval
from mainspring.system import System
from mainspring.testing.embedders import WordEmbedder
from mainspring.training.ports import Candidate

PLAIN, PLACED = "plain", "placed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=300)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        ratios, times = asyncio.run(measured(Path(home), given.pairs))
    found = interval(ratios)
    against = f"without a placement; mean {found.text()}, {found.n} pairs, {times:.0f} us of CPU a request without"
    report(
        "variant_overhead", {"CPU with a placement": Figure(statistics.median(ratios), "x", "lower", against=against)}
    )


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[System]:
    def instant(name: str) -> ChatModel:
        engine = ScriptedEngine(lambda _: ["Yes", "."], templates=True)
        return ChatModel(name, engine, ModelResponder(engine, model_name=name, fingerprint=name), False, "scripted")

    @asynccontextmanager
    async def given(settings: Settings, prepared: object = None) -> AsyncIterator[Engines]:  # noqa: ARG001
        yield Engines({"instant": instant("instant")}, WordEmbedder())

    mainspring.engines.open = given
    free = ServingSettings(requests_per_minute=10**6, tokens_per_minute=10**9)
    async with System.open(Settings(home=home, serving=free)) as system:
        yield system


async def measured(home: Path, pairs: int) -> tuple[list[float], float]:
    """The ratio of each pair, and microseconds of CPU of a request without a placement (the median)."""
    async with opened(home) as system:
        prompts = system.rooms.path.services.prompts
        assert prompts is not None
        variants = system.services[Variants]
        admin = Principal(PLACED, "root", frozenset({"admin"}))
        for text in ("Be terse.", "Be kind."):
            made, _ = await prompts.add(PLACED, "tone", [Message("system", text)])
            candidate = Candidate("prompt", "instant", {"prompt": "tone", "version": made.version})
            if text == "Be terse.":
                await variants.promote(admin, candidate)
            else:
                await variants.canary(admin, candidate, 0.5)
        for number in range(20):
            await asked(system, (PLAIN, PLACED)[number % 2], number)
        ratios, plain = [], []
        for number in range(pairs):
            order = (PLAIN, PLACED) if number % 2 else (PLACED, PLAIN)
            took = {tenant: await asked(system, tenant, number) for tenant in order}
            ratios.append(took[PLACED] / took[PLAIN])
            plain.append(took[PLAIN] * 1e6)
        return ratios, statistics.median(plain)


async def asked(system: System, tenant: str, number: int) -> float:
    """Seconds of this process's CPU for a request through the whole ring."""
    request = ChatRequest("instant", (Message("user", f"Is {number} a number?"),), user=f"user-{number}")
    context = Context(Principal(tenant, "key", frozenset({"chat"})))
    began = time.process_time()
    await collect(await system.respond(request, context))
    return time.process_time() - began


if __name__ == "__main__":
    main()
