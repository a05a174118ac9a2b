"""A batch against the same requests sent one by one, and the effect of a running batch on another caller.

    .venv/bin/python benchmarks/batch_vs_online.py

The default chat model in this process, through the whole request ring. Throughput: as many requests of one length
online at low concurrency and as a batch, in turns; no prompt is sent twice, so that no side finds the other's in the
engine's prefix cache. Interference: one client that asks again and again, without a batch and beside
one, in turns; figures are ratios of its times.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence

from _report import Figure, report
from mainspring.core.settings import Settings
from mainspring.core.types import ChatRequest, Context, Message, Principal, Sampling
from mainspring.features.batches.routes import create, working
from mainspring.features.batches.settings import BatchesSettings
from mainspring.stores.documents.files import REQUESTS
from mainspring.stores.work.batches import OVER, Batch
from mainspring.system import System

MODEL = "smollm2-135m-instruct"
ENDPOINT = "/v1/chat/completions"
TOPICS = ("rivers", "bridges", "clocks", "maps", "bread", "kites", "glass", "trains", "wool", "salt", "ink", "bells")


def prompt(number: int) -> str:
    return f"Write {number + 3} sentences about {TOPICS[number % len(TOPICS)]} and their history."


def request(number: int, tokens: int) -> ChatRequest:
    sampling = Sampling(max_tokens=tokens, temperature=0.0, ignore_eos=True)
    return ChatRequest(MODEL, (Message("user", prompt(number)),), sampling, options={"cache": False})


def line(number: int, tokens: int) -> str:
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": prompt(number)}],
        "max_tokens": tokens,
        "temperature": 0,
        "ignore_eos": True,
        "options": {"cache": False},
    }
    return json.dumps({"custom_id": f"c{number}", "method": "POST", "url": ENDPOINT, "body": body})


async def one(system: System, who: Principal, asked: ChatRequest) -> tuple[float, float]:
    """Seconds to the first event and to the end."""
    started = time.perf_counter()
    response = await system.respond(asked, Context(who))
    first = time.perf_counter() - started
    async with response:
        async for _ in response:
            pass
    return first, time.perf_counter() - started


async def online(system: System, who: Principal, numbers: Sequence[int], tokens: int, clients: int) -> float:
    """Seconds for all of them, ``clients`` at a time."""
    waiting = list(numbers)
    started = time.perf_counter()

    async def client() -> None:
        while waiting:
            await one(system, who, request(waiting.pop(), tokens))

    await asyncio.gather(*(client() for _ in range(clients)))
    return time.perf_counter() - started


async def submit(system: System, who: Principal, numbers: Sequence[int], tokens: int) -> Batch:
    data = "\n".join(line(number, tokens) for number in numbers).encode()
    file = await system.stores.files.add(who.tenant, "in.jsonl", data, REQUESTS, who.groups)
    return await create(
        system.stores.batches,
        system.stores.files,
        system.settings.section(BatchesSettings),
        who,
        input_file_id=file.id,
        endpoint=ENDPOINT,
        window="24h",
        metadata={},
    )


async def as_batch(system: System, who: Principal, numbers: Sequence[int], tokens: int) -> float:
    """Seconds from the first line's beginning to the last one's end."""
    batch = await submit(system, who, numbers, tokens)
    while (found := await system.stores.batches.get(who.tenant, batch.id)).status not in OVER:
        await asyncio.sleep(0.02)
    assert found.completed == len(numbers), found
    return found.times["completed"] - found.times["in_progress"]


async def asking(system: System, who: Principal, times: int, tokens: int, first: int) -> list[tuple[float, float]]:
    """What somebody sees who asks ``times`` times, with a pause for reading."""
    seen = []
    for number in range(times):
        seen.append(await one(system, who, request(first + number, tokens)))
        await asyncio.sleep(0.2)
    return seen


async def run(options: argparse.Namespace) -> dict[str, Figure]:
    ratios: dict[int, list[float]] = {1: [], 4: []}
    alone: list[tuple[float, float]] = []
    beside: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as home:
        async with System.open(Settings.model_validate({"home": home})) as system, working(system.rooms):
            info, _ = await system.stores.keys.create("bench", scopes=frozenset({"chat", "ingest"}))
            who = info.principal()
            await one(system, who, request(0, 8))
            number = 0
            for pair in range(options.pairs):
                for clients in ratios:
                    seconds: dict[bool, float] = {}
                    for batched in (False, True) if pair % 2 == 0 else (True, False):
                        numbers = range(number, number + options.requests)
                        number += options.requests
                        seconds[batched] = (
                            await as_batch(system, who, numbers, options.tokens)
                            if batched
                            else await online(system, who, numbers, options.tokens, clients)
                        )
                    ratios[clients].append(seconds[False] / seconds[True])
                    print(f"{clients} online / batch: {ratios[clients][-1]:.2f}", flush=True)
            for _ in range(options.pairs):
                alone += await asking(system, who, options.asked, 16, number)
                batch = await submit(system, who, range(number, number + 400), options.tokens)
                while not (await system.stores.batches.get(who.tenant, batch.id)).completed:
                    await asyncio.sleep(0.05)
                beside += await asking(system, who, options.asked, 16, number + 500)
                await system.stores.batches.cancel(who.tenant, batch.id, groups=who.groups)
                while (await system.stores.batches.get(who.tenant, batch.id)).status not in OVER:
                    await asyncio.sleep(0.05)
    return figures(ratios, alone, beside, options)


def figures(
    ratios: dict[int, list[float]],
    alone: Sequence[tuple[float, float]],
    beside: Sequence[tuple[float, float]],
    options: argparse.Namespace,
) -> dict[str, Figure]:
    made = {
        f"batch / online, {clients} at a time": Figure(
            statistics.median(found), "x", "higher", against=f"{options.requests} requests of {options.tokens} tokens"
        )
        for clients, found in ratios.items()
    }
    for index, name in enumerate(("first token", "whole answer")):
        for share, label in ((0.5, "p50"), (0.95, "p95")):
            quiet, busy = (_quantile([each[index] for each in seen], share) for seen in (alone, beside))
            made[f"interactive {name}, {label}, beside a batch / alone"] = Figure(
                busy / quiet, "x", "lower", against=f"{quiet * 1e3:.0f} ms alone, {len(alone)} requests"
            )
    return made


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--requests", type=int, default=24)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--asked", type=int, default=20)
    options = parser.parse_args()
    report("batch_vs_online", asyncio.run(run(options)))


if __name__ == "__main__":
    main()
