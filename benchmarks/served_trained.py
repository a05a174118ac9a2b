"""How long it takes from the end of a training until what it made answers.

    python benchmarks/served_trained.py [--train PYTHON] [--times 3] [--dry]

Each recipe is run by the server's own worker, on a dozen rows and for two steps: what a version learned does not change
how long it takes to serve it. The clock runs from the call that serves the version (conversion, comparison with the
trained weights, entry into the catalogue, loading) until its first answer is there. The seconds of CPU of this process
and of its children are told beside them: others on the machine count in the first alone. The floor is a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from _report import Figure, report
from mainspring.core.settings import ModelsSettings, ServingSettings, Settings
from mainspring.features.train.service import Training
from mainspring.gateway.mount import mount
from mainspring.system import System
from mainspring.training.ports import Order

CHAT, RERANKER, EMBEDDER = "smollm2-135m-instruct", "ms-marco-minilm-l12-v2-int8", "all-minilm-l6-v2"
FLOOR_S, ROWS, TRAINING_S = 60.0, 12, 900.0
_TEXTS = [f"The lamp of room {number} hangs over the door with the number {number}." for number in range(ROWS)]
_ASKED = [f"Where does the lamp of room {number} hang?" for number in range(ROWS)]
_PAIRS = list(zip(_ASKED, _TEXTS, strict=True))
_CHAT = [
    {"messages": [{"role": "user", "content": one}, {"role": "assistant", "content": other}]} for one, other in _PAIRS
]
KINDS: Mapping[str, tuple[str, dict[str, Any], list[dict[str, Any]], str, dict[str, Any]]] = {
    "an adapter of the 135M": (
        CHAT,
        {"steps": 2, "batch": 2},
        _CHAT,
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 4},
    ),
    "a reranker": (
        RERANKER,
        {"steps": 2, "batch": 2},
        [{"query": one, "passage": other, "label": 1} for one, other in _PAIRS]
        + [{"query": _ASKED[0], "passage": other, "label": 0} for other in _TEXTS[1:]],
        "/v1/rerank",
        {"query": _ASKED[0], "documents": _TEXTS[:3]},
    ),
}
RECIPES = {"an adapter of the 135M": "sft", "a reranker": "reranker"}


def cpu() -> float:
    """Seconds of this process and of the children that have ended."""
    return sum(os.times()[:4])


async def trained(service: Training, who: Any, kind: str, folder: Path) -> str:
    """The label of a version."""
    base, options, rows, _, _ = KINDS[kind]
    folder.mkdir()
    (folder / "train.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    job = await service.order(who, Order(RECIPES[kind], options, folder=folder, base=base, suffix=RECIPES[kind]))
    async with asyncio.timeout(TRAINING_S):
        while (job := await service.training_job(who.tenant, job.id)).state not in ("succeeded", "failed"):
            await asyncio.sleep(0.2)
    if job.state != "succeeded":
        raise SystemExit(f"{kind}: {job.error}")
    return job.version


async def measured(python: str, times: int, folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Seconds and seconds of CPU of each time, by kind."""
    here, models = Settings().models.directory.expanduser(), folder / "models"
    models.mkdir()
    for name in (CHAT, RERANKER, EMBEDDER):
        (models / name).symlink_to(here / name)
    settings = Settings.model_validate(
        {
            "home": folder,
            "models": ModelsSettings(directory=models, chat=(), reranker="", answers=""),
            "serving": ServingSettings(requests_per_minute=10**6, tokens_per_minute=10**9, semantic_cache=False),
            "train": {"python": python},
        }
    )
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    async with (
        System.open(settings) as system,
        system.working(),
        httpx.AsyncClient(transport=httpx.ASGITransport(mount(system)), base_url="http://here", timeout=60) as client,
    ):
        info, secret = await system.stores.keys.create("bench", tenant="acme", scopes=frozenset({"admin"}))
        service, who = system.services[Training], info.principal()
        for turn in range(times):
            for kind, (_, _, _, path, body) in KINDS.items():
                label = await trained(service, who, kind, folder / f"{RECIPES[kind]}-{turn}")
                began, used = time.monotonic(), cpu()
                await service.serve_version(who, label)
                headers = {"authorization": f"Bearer {secret}"}
                answer = await client.post(path, json={"model": label, **body}, headers=headers)
                if answer.status_code != 200:
                    raise SystemExit(f"{kind}: {answer.text}")
                found[kind].append((time.monotonic() - began, cpu() - used))
                print(f"{label}: {found[kind][-1][0]:.1f} s, {found[kind][-1][1]:.1f} s of CPU", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", default=sys.executable, help="the python of an environment with the extra train")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--dry", action="store_true", help="write no result")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mainspring-served-") as folder:
        found = asyncio.run(measured(given.train, given.times, Path(folder)))
    if given.dry:
        return
    figures = {}
    for kind, taken in found.items():
        wall, used = (np.array(each) for each in zip(*taken, strict=True))
        figures[f"{kind}: longest"] = Figure(
            float(wall.max()),
            "s",
            "lower",
            FLOOR_S,
            against=f"of {len(taken)} times; {np.median(used):.1f} s of CPU each",
        )
    report("served_trained", figures)


if __name__ == "__main__":
    main()
