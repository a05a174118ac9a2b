"""kill -9: what was acknowledged is there afterwards, once; what was half done is not seen."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mainspring import stores
from mainspring.core.settings import Settings

# Each loop prints what it was given only after the call that promises it has returned.
_CHILD = """
import asyncio, hashlib, itertools, sys, time
from pathlib import Path
from mainspring import stores
from mainspring.core.settings import Settings
from mainspring.core.facts.registry import read
from mainspring.stores.sql import ids
from mainspring.stores.documents.records import Publication
from mainspring.stores.sessions.conversations import SessionTurn
from mainspring.core.types import EventRecord, Message

async def settle(opened, worker):
    for n in itertools.count():
        text = f"text {worker} {n}"
        record = EventRecord(ids.new("event-"), time.time(), "a", "t", text, read("answer", {"n": n}), text)
        turn = SessionTurn("a", text, (Message("user", text), Message("assistant", text)), "t", time.time())
        await opened.events.settle([record], [turn])
        print("event", record.id, text, sep="\\t", flush=True)

async def publish(opened, worker):
    collection = await opened.collections.create("a", f"c{worker}", embedder="mini")
    for n in itertools.count():
        source, text = f"s{n % 3}", f"text {worker} {n}"
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        begun = await opened.collections.begin(collection, source, sha256, source)
        blob = await opened.blobs.put(text.encode())
        wanted = Publication(begun.document_id, begun.generation, len(text), 1, "text", blob, graph=f"graph of {text}")
        await opened.collections.publish_all(collection, [wanted])
        print("document", collection.name, source, begun.generation, text, sep="\\t", flush=True)

async def upload(opened, worker):
    for n in itertools.count():
        data = f"{worker} {n} ".encode() * 500
        info = await opened.files.add("a", f"{worker}-{n}", data, "assistants")
        print("file", info.id, hashlib.sha256(data).hexdigest(), sep="\\t", flush=True)

async def issue(opened, worker):
    for n in itertools.count():
        _, secret = await opened.keys.create(f"{worker}-{n}", tenant="a", scopes=frozenset({"chat"}))
        print("key", secret, sep="\\t", flush=True)

async def main():
    async with stores.open(Settings(home=Path(sys.argv[1]))) as opened:
        loops = [settle] * 8 + [publish, publish, upload, issue]
        await asyncio.gather(*(loop(opened, f"{sys.argv[2]}-{n}") for n, loop in enumerate(loops)))

asyncio.run(main())
"""


def run_and_kill(home: Path, round_: int, acknowledgements: int) -> list[list[str]]:
    """What the child acknowledged before it was killed, at a random moment after so many acknowledgements."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(home), str(round_)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    lines = []
    for line in child.stdout:
        lines.append(line)
        if len(lines) == acknowledgements:
            time.sleep(random.random() * 0.2)
            os.killpg(child.pid, signal.SIGKILL)
    lines.append(child.stdout.read())
    assert child.wait() == -signal.SIGKILL, child.stderr.read()
    child.stderr.close()
    child.stdout.close()
    # The last line may be cut in the middle.
    return [line.rstrip("\n").split("\t") for line in lines if line.endswith("\n")]


@pytest.mark.parametrize("acknowledgements", [40, pytest.param(400, marks=pytest.mark.kills)])
async def test_nothing_acknowledged_is_lost(tmp_path: Path, acknowledgements: int) -> None:
    said = [line for round_ in range(2) for line in run_and_kill(tmp_path, round_, acknowledgements)]
    kinds = {line[0] for line in said}
    assert kinds >= ({"event", "document", "file", "key"} if acknowledgements > 100 else {"event"})
    async with stores.open(Settings(home=tmp_path)) as opened:
        events = await opened.events.find("a", limit=1_000_000)
        assert len({each.id for each in events}) == len(events)
        contents = {each.id: each.content for each in events}
        newest: dict[tuple[str, str], tuple[int, str]] = {}
        for kind, *facts in said:
            if kind == "event":
                assert contents[facts[0]] == facts[1]
                assert [each.content for each in await opened.sessions.history("a", facts[1], 10)] == [facts[1]] * 2
            elif kind == "file":
                assert (await opened.files.get("a", facts[0])).sha256 == facts[1]
                await opened.files.content("a", facts[0])
            elif kind == "key":
                assert (await opened.keys.authenticate(facts[0])).tenant == "a"
            else:
                newest[facts[0], facts[1]] = (int(facts[2]), facts[3])
        await check_documents(opened, newest)


async def check_documents(opened: stores.Stores, newest: dict[tuple[str, str], tuple[int, str]]) -> None:
    """At least what was acknowledged is current, each source once, and every current text is whole."""
    for collection in await opened.collections.list("a"):
        documents = await opened.collections.documents(collection, None)
        assert len({each.source_key for each in documents}) == len(documents)
        current = await opened.collections.current(collection, None)
        graphs = await opened.graphs.read(collection, current)
        # Each has the graph of the generation that is read, and there is no other row.
        assert {name: made for name, (made, _) in (await opened.graphs.marks(collection)).items()} == current
        for document in documents:
            generation, text = newest.pop((collection.name, document.source_key), (0, ""))
            assert current.get(document.document_id, 0) == document.generation >= generation
            if document.generation:
                read = await opened.collections.text(document)
                assert len(read) == document.chars
                assert read == text or document.generation > generation
                assert graphs[document.document_id] == f"graph of {read}"
    assert newest == {}


@pytest.mark.parametrize(
    ("documents", "kills", "rounds"),
    [(60, 2, 1), pytest.param(200, 4, 5, marks=pytest.mark.kills)],
    ids=["few", "many"],
)
def test_an_ingest_that_is_killed_leaves_no_trace(documents: int, kills: int, rounds: int) -> None:
    """What ``benchmarks/kill_ingest.py`` does with thousands of documents: killed while it adds and while it changes,
    and afterwards equal to what was made without kills."""
    script = Path(__file__).parents[2] / "benchmarks" / "kill_ingest.py"
    named = {"documents": documents, "kills": kills, "rounds": rounds, "seed": random.randrange(10**6)}
    sizes = ("--trial", *(f"--{name}={value}" for name, value in named.items()))
    done = subprocess.run([sys.executable, str(script), *sizes], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (sizes, done.stdout, done.stderr)
    assert "nothing left over" in done.stdout
