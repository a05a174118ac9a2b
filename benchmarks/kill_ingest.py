"""kill -9 during an ingest, many times at random: afterwards the collection equals one that was made without kills.

    python benchmarks/kill_ingest.py                  # 5 collections of 1,500 documents, 20 kills each
    python benchmarks/kill_ingest.py --keep FOLDER --seconds 240      # in pieces: run it until it reports
    python benchmarks/kill_ingest.py --documents 300 --kills 3 --rounds 1 --trial

A scripted embedder (hashed words) stands in for the model, so that the time goes into what is under test. Documents,
chunks with their vectors, and search results are compared; the remains of killed processes must be gone. Only kills
before the end of an ingest count as such: rounds go on until as many hit as were asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

import numpy as np

from _report import Figure, report
from mainspring import stores
from mainspring.core.errors import NotFound
from mainspring.core.settings import RagSettings, Settings
from mainspring.engines.base import Embedded
from mainspring.rag.connect.folder import Folder
from mainspring.rag.graph.read.graph_model import DocumentGraph
from mainspring.rag.ingest.pipeline import Ingestor
from mainspring.rag.parse.parser import Parser
from mainspring.stores import Stores
from mainspring.stores.documents.collections import Collection

_WORDS = "apple pear plum quince cherry grape melon fig date lemon lime orange olive walnut almond hazel".split()
_QUERIES = ("apple pear", "quince and walnut", "document 17", "lemon lime orange", "fig date almond")


class Scripted:
    """An embedder of hashed words: deterministic, and fast."""

    name = "scripted"
    dimensions = 64
    max_tokens = 256

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:  # noqa: ARG002
        vectors = np.full((len(texts), self.dimensions), 1e-3, np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                vectors[row, zlib.crc32(word.encode()) % self.dimensions] += 1
        return Embedded(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), sum(self.count_tokens(texts)))

    async def close(self) -> None:
        return None


@dataclass(frozen=True)
class State:
    """What a collection holds, by source: comparable between two that were made apart."""

    documents: dict[str, tuple[Any, ...]]
    chunks: dict[str, list[tuple[Any, ...]]]
    results: dict[str, list[tuple[str, int]]]
    rows: int
    stale: int
    graphs: dict[str, list[str]]


class Round(TypedDict):
    """Kills that hit and were tried on one collection, and what was different afterwards."""

    hit: int
    tried: int
    wrong: list[str]


def write(folder: Path, count: int, seed: int = 0) -> None:
    """``count`` documents of one to four chunks, the same for the same seed."""
    chance = random.Random(seed)
    folder.mkdir(exist_ok=True)
    for number in range(count):
        words = [" ".join(chance.choices(_WORDS, k=12)) + "." for _ in range(chance.randint(2, 40))]
        (folder / f"{number:05}.txt").write_text(f"Document {number}. {' '.join(words)}")


def change(folder: Path, count: int, seed: int) -> None:
    """Change, move, delete and add a tenth of the documents each."""
    chance = random.Random(seed)
    files = sorted(folder.iterdir())
    # Into another folder: a document that moves keeps its chunks, and under another name they would have another title.
    moved = folder / "moved"
    moved.mkdir()
    chance.shuffle(files)
    tenth = max(1, count // 10)
    for number, file in enumerate(files[: 3 * tenth]):
        match number % 3:
            case 0:
                file.write_text(f"{file.read_text()} Changed {seed} {number}.")
            case 1:
                file.rename(moved / file.name)
            case 2:
                file.unlink()
    for number in range(tenth):
        (folder / f"new-{seed}-{number:05}.txt").write_text(f"New document {number} of {seed}. Apple pear.")


async def ingest(home: Path, folder: Path) -> None:
    """Bring the collection in ``home`` in step with the folder."""
    rag = RagSettings()
    async with stores.open(Settings(home=home, rag=rag)) as opened:
        parser = Parser(rag)
        ingestor = Ingestor(opened.collections, opened.blobs, opened.vectors, Scripted(), parser, rag)
        try:
            await ingestor.follow(await collection_of(opened), Folder(folder))
        finally:
            await parser.close()


async def collection_of(opened: Stores) -> Collection:
    try:
        return await opened.collections.get("default", "killed")
    except NotFound:
        return await opened.collections.create("default", "killed", embedder=Scripted.name)


async def state(home: Path) -> State:
    """What readers of the collection see, and what is in its table besides."""
    async with stores.open(Settings(home=home)) as opened:
        collection = await collection_of(opened)
        found = {each.document_id: each for each in await opened.collections.documents(collection, None)}
        names = {identity: Path(each.source_key).name for identity, each in found.items()}
        current = await opened.collections.current(collection, None)
        documents = {
            names[identity]: (each.status, each.sha256, each.chunks, each.chars, await opened.collections.text(each))
            for identity, each in found.items()
        }
        chunks: dict[str, list[tuple[Any, ...]]] = {name: [] for name in names.values()}
        everything = await opened.vectors.search(
            collection.id, vector=(await Scripted().embed(["x"])).vectors[0], k=10**6, current=current
        )
        for hit in everything:
            place = (hit.start, hit.end, hit.text, hit.page, hit.heading, round(hit.dense or 0.0, 5))
            chunks[names[hit.document_id]].append(place)
        results = {query: await _results(opened, collection, query, current, names) for query in _QUERIES}
        rows = await opened.vectors.count(collection.id)
        stale = len(await opened.collections.stale(collection))
        marks = await opened.graphs.marks(collection)
        read = await opened.graphs.read(collection, current)
        # One that belongs to no generation that is read stands under the id of its document.
        graphs: dict[str, list[str]] = {names.get(name, name): [] for name in marks}
        for name, text in read.items():
            graphs[names[name]] = [entity.name for entity in DocumentGraph.load(text).entities]
    return State(documents, {name: sorted(each) for name, each in chunks.items()}, results, rows, stale, graphs)


async def _results(
    opened: Stores, collection: Collection, query: str, current: Any, names: dict[str, str]
) -> list[tuple[str, int]]:
    vector = (await Scripted().embed([query])).vectors[0]
    hits = await opened.vectors.search(collection.id, vector=vector, k=10**6, current=current)
    best = sorted(hits, key=lambda hit: (-round(hit.dense or 0.0, 5), names[hit.document_id], hit.start))
    return [(names[hit.document_id], hit.start) for hit in best[:50]]


def run_and_kill(home: Path, folder: Path, seconds: float) -> bool:
    """Whether the ingest was killed, ``seconds`` after its start, before it came to its end."""
    child = subprocess.Popen(
        [sys.executable, __file__, "--child", str(home), str(folder)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout is not None
    # The imports are no part of it: the child says when it begins.
    child.stdout.readline()
    try:
        code = child.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return True
    finally:
        child.stdout.close()
    if code:
        raise SystemExit(f"the ingest itself failed with {code}")
    return False


def differences(killed: State, whole: State) -> list[str]:
    """What is not the same, and what is left over; empty when all is well."""
    found = [
        name for name in ("documents", "chunks", "results", "graphs") if getattr(killed, name) != getattr(whole, name)
    ]
    shown = sum(len(each) for each in killed.chunks.values())
    if killed.rows != shown:
        found.append(f"{killed.rows - shown} orphan rows")
    if killed.stale:
        found.append(f"{killed.stale} notes of stale chunks")
    return found


def trial(home: Path, documents: int, kills: int, seed: int) -> tuple[int, list[str], float]:
    """(kills that hit, differences, seconds that an ingest takes unharmed): half the kills hit the first ingest,
    half one of changes."""
    chance = random.Random(seed)
    folder = home / "documents"
    write(folder, documents)
    hit, seconds = 0, 0.0
    for phase in range(2):
        if phase:
            change(folder, documents, seed)
        whole = home / f"whole{phase}"
        if phase:
            shutil.copytree(home / "whole0", whole)
        begun = time.monotonic()
        asyncio.run(ingest(whole, folder))
        seconds = time.monotonic() - begun
        # What an ingest has done it need not do again: moments within a share each reach all of it, and all hit.
        count = kills // 2 + (kills % 2 if not phase else 0)
        for _ in range(count):
            hit += run_and_kill(home / "killed", folder, chance.uniform(0.0, 1.5 * seconds / count))
    asyncio.run(ingest(home / "killed", folder))
    return hit, differences(asyncio.run(state(home / "killed")), asyncio.run(state(home / "whole1"))), seconds


def rounds(kept: Path, chosen: argparse.Namespace) -> list[Round]:
    """The rounds until as many kills hit as were asked for, those of earlier runs from ``kept``. Ends the run after
    the round during which its time is up."""
    began = time.monotonic()
    found: list[Round] = []
    while sum(each["hit"] for each in found) < chosen.kills * chosen.rounds:
        path = kept / f"{chosen.documents}-{chosen.kills}-{chosen.seed + len(found)}.json"
        if not path.exists():
            if chosen.seconds and time.monotonic() - began > chosen.seconds:
                raise SystemExit(f"{len(found)} rounds are kept: run it again")
            with tempfile.TemporaryDirectory() as home:
                hit, wrong, seconds = trial(Path(home), chosen.documents, chosen.kills, chosen.seed + len(found))
            path.write_text(json.dumps({"hit": hit, "tried": chosen.kills, "wrong": wrong}))
            print(f"round {len(found) + 1}: {hit} of {chosen.kills} kills hit ({seconds:.0f} s unharmed)", flush=True)
        found.append(json.loads(path.read_text()))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--documents", type=int, default=1500)
    parser.add_argument("--kills", type=int, default=20, help="in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=int(hashlib.sha256(b"kill").hexdigest()[:6], 16))
    parser.add_argument("--keep", type=Path, help="folder of the rounds of earlier runs")
    parser.add_argument("--seconds", type=float, default=0.0, help="end after the round during which this has passed")
    parser.add_argument("--trial", action="store_true", help="print only, write no result")
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print("begun", flush=True)
        asyncio.run(ingest(*chosen.child))
        return
    with tempfile.TemporaryDirectory() as made:
        kept = chosen.keep or Path(made)
        kept.mkdir(parents=True, exist_ok=True)
        found = rounds(kept, chosen)
    hit, tried = sum(each["hit"] for each in found), sum(each["tried"] for each in found)
    wrong = [f"round {number}: {what}" for number, each in enumerate(found, 1) for what in each["wrong"]]
    print(f"{len(found)} collections of {chosen.documents} documents, {hit} of {tried} kills before the end")
    print("\n".join(wrong) if wrong else "equal to the collections made without kills, nothing left over")
    if not chosen.trial:
        against = f"{hit} kills; {len(found)} collections of {chosen.documents} documents ingested without kills"
        asked = chosen.kills * chosen.rounds
        figures = {
            "kills that hit": Figure(hit, "kills", "higher", floor=asked, against=f"what was asked for; {tried} tried"),
            "differences": Figure(len(wrong), "differences", "lower", floor=0, aim=0, against=against),
        }
        report("kill_ingest", figures)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
