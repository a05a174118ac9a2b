"""The context of completions over real repositories, and what the path to the model costs; no model is asked.

    python benchmarks/code_context.py FOLDER... [--holes 60] [--seed 0]

The folders are checkouts of repositories (here: pallets/click, encode/httpx, expressjs/express); they are no part of
this one. Bodies of functions and rests of lines are taken out, and snippets are gathered for each place.

- **useful snippets**: the share of the snippets in a prompt that have a name which the code that was taken out uses and
  which another file of the workspace defines; **random pieces**: the same share of as many pieces from anywhere.
- **snippets with a name that is not near**: the same, where the name is not in the lines near the cursor either.
- **recall of names**: the share of the names that the code uses and other files define which are in a snippet.
- Milliseconds of CPU: of the context (snippets and prompt), of the check, and of a whole request through HTTP,
  authentication, limits, guards and records, with a scripted engine in one process.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np

from _holes import Hole, catalogue, holes, sent
from _report import Figure, report
from mainspring import engines
from mainspring.core.settings import ServingSettings, Settings
from mainspring.engines import ChatModel, Engines
from mainspring.engines.base import Embedded
from mainspring.engines.catalogue import fim
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine
from mainspring.features.code.complete.checks import check
from mainspring.features.code.complete.prompt import prompt
from mainspring.features.code.index.catalogue import Catalogue
from mainspring.features.code.snippets.gather import gather, near_names
from mainspring.features.code.snippets.snippet import Snippet, chosen
from mainspring.features.code.syntax.symbols import words
from mainspring.gateway.mount import mount
from mainspring.system import System

BUDGET, PROMPT = 768, 2_048
SUFFIXES = ("py", "js")


def p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[18]


def used(hole: Hole, index: Catalogue) -> tuple[set[str], set[str]]:
    """The names that the hole's code uses and other files define: all, and those that are not near the cursor."""
    defined = {
        name for name in set(words(hole.truth)) if any(each.path != hole.place.path for each in index.definitions(name))
    }
    near = near_names(hole.place)
    return defined, {name for name in defined if name not in near}


def quality(found: Sequence[tuple[Hole, Catalogue, list[Snippet]]]) -> dict[str, Figure]:
    """The figures of the snippets."""
    kept = [(hole, index, snippets) for hole, index, snippets in found if used(hole, index)[0]]
    chance = random.Random(0)
    useful, exact, recalled, random_hits = [], [], [], []
    for hole, index, snippets in kept:
        names, hidden = used(hole, index)
        hits = [bool(names & set(words(each.text))) for each in snippets]
        useful += hits
        exact += [bool(hidden & set(words(each.text))) for each in snippets] if hidden else []
        seen = {name for each in snippets for name in words(each.text)}
        recalled.append(len(names & seen) / len(names))
        others = [file for file in index.files.values() if file.path != hole.place.path]
        pieces = [(file, symbol) for file in others for symbol in file.outline.symbols]
        for file, symbol in chance.sample(pieces, min(len(snippets), len(pieces))):
            text = file.part(symbol.first, min(symbol.last, symbol.first + 30))
            random_hits.append(bool(names & set(words(text))))
    against = f"n={len(kept)} places that use something of other files, {len(useful)} snippets"
    return {
        "useful snippets": Figure(round(statistics.mean(useful), 3), "share", "higher", against=against),
        "random pieces": Figure(round(statistics.mean(random_hits), 3), "share", "higher", against="the same places"),
        "snippets with a name that is not near": Figure(
            round(statistics.mean(exact), 3) if exact else 0.0, "share", "higher", against=f"{len(exact)} snippets"
        ),
        "recall of names": Figure(round(statistics.mean(recalled), 3), "share", "higher", against="mean over places"),
    }


class Unused:
    """An embedder that nothing asks."""

    name, dimensions, max_tokens = "unused", 8, 512

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str], kind: str = "passage") -> Embedded:  # noqa: ARG002
        return Embedded(np.full((len(texts), 8), 0.35, np.float32), 0)

    async def close(self) -> None:
        """Nothing is held."""


@asynccontextmanager
async def serving(home: Path) -> AsyncIterator[tuple[System, httpx.AsyncClient, dict[str, str]]]:
    """A system with a scripted model, over HTTP within this process."""
    engine = ScriptedEngine(lambda _: ["pass"], context_window=100_000)
    family = fim.of_family("qwen2.5-coder")
    responder = ModelResponder(engine, model_name="scripted", fingerprint="scripted", fim=family)
    model = ChatModel("scripted", engine, responder, False, "scripted")

    @asynccontextmanager
    async def given(settings: Settings, prepared: object = None) -> AsyncIterator[Engines]:  # noqa: ARG001
        yield Engines({"scripted": model}, Unused(), None)

    engines.open = given
    free = ServingSettings(requests_per_minute=10**6, tokens_per_minute=10**9)
    async with System.open(Settings(home=home, serving=free)) as system:
        _, secret = await system.stores.keys.create("bench", tenant="default", scopes=frozenset({"chat"}))
        transport = httpx.ASGITransport(mount(system))
        async with httpx.AsyncClient(transport=transport, base_url="http://here", timeout=60) as client:
            yield system, client, {"authorization": f"Bearer {secret}"}


async def costs(found: Sequence[Hole], folders: Sequence[Path]) -> tuple[list[float], float]:
    """Milliseconds of CPU: of each request, one at a time, and of a request that does nothing (the client's part)."""
    rest: list[float] = []
    idle: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        async with serving(Path(home)) as (_, client, headers):
            for root in folders:
                made = await client.post("/v1/code/workspaces", json={"name": root.name}, headers=headers)
                files = [{"path": each.path, "text": each.text} for each in sent(root)]
                url = f"/v1/code/workspaces/{made.json()['id']}/files"
                (await client.post(url, json={"files": files}, headers=headers)).raise_for_status()
            for number, hole in enumerate([*found[:5], *found]):
                body = {
                    "prefix": hole.place.before,
                    "suffix": hole.place.after,
                    "path": hole.place.path,
                    "workspace": hole.repository,
                    "options": {"check": False, "seed": number},
                }
                began = time.process_time()
                said = await client.post("/v1/code/complete", json=body, headers=headers)
                whole = (time.process_time() - began) * 1e3
                if said.status_code != 200:
                    raise SystemExit(said.text)
                if number >= 5:
                    rest.append(whole)
                began = time.process_time()
                await client.get("/healthz", headers=headers)
                idle.append((time.process_time() - began) * 1e3)
    return rest, statistics.median(idle)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--holes", type=int, default=60, help="of each kind, in each repository")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    gathered: list[tuple[Hole, Catalogue, list[Snippet]]] = []
    context, checks = [], []
    for root in args.folders:
        files = sent(root)
        index = catalogue(files)
        for hole in holes(root, files, SUFFIXES, args.holes, args.seed):
            began = time.process_time()
            snippets = chosen(gather(hole.place, index), BUDGET)
            prompt(hole.place, snippets, fim.of_family("qwen2.5-coder"), PROMPT, root.name)
            context.append((time.process_time() - began) * 1e3)
            began = time.process_time()
            check(hole.place, hole.truth)
            checks.append((time.process_time() - began) * 1e3)
            gathered.append((hole, index, snippets))
    figures = quality(gathered)
    figures["context, p50"] = Figure(
        round(statistics.median(context), 2), "ms", "lower", against=f"n={len(context)}, CPU"
    )
    figures["context, p95"] = Figure(round(p95(context), 2), "ms", "lower", floor=50.0, against="the guide's budget")
    figures["check, p95"] = Figure(round(p95(checks), 2), "ms", "lower", against="of what stood there, CPU")
    rest, idle = asyncio.run(costs([hole for hole, _, _ in gathered], args.folders))
    n = f"n={len(rest)}, CPU of one process, client included"
    figures["whole request, p50"] = Figure(round(statistics.median(rest), 2), "ms", "lower", against=n)
    figures["whole request, p95"] = Figure(
        round(p95(rest), 2), "ms", "lower", floor=60.0, against="gateway 10 + context 50"
    )
    gateway = [whole - inner - idle for whole, inner in zip(rest, context, strict=True)]
    less = f"each whole less its context and {idle:.2f} ms of the client and the route; the guide's budget"
    figures["gateway, p50"] = Figure(round(statistics.median(gateway), 2), "ms", "lower", against=less)
    figures["gateway, p95"] = Figure(round(p95(gateway), 2), "ms", "lower", floor=10.0, against=less)
    report("code_context", figures)


if __name__ == "__main__":
    main()
