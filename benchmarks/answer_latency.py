"""How long a quoted answer takes over a collection of ten thousand chunks, and what it costs of the processor.

    MAINSPRING_DATA=... python benchmarks/answer_latency.py [--chunks 10000] [--questions 100]

A server of its own has SQuAD's paragraphs, and documents of ARES (Wikipedia and web pages) until there are enough
chunks. Questions of SQuAD are asked one after the other by the default way of answering, with the reranker and the
reader; none is repeated. The first five are not counted. The floor is a P95 of 300 ms.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _report import Figure, data_sets, report
from _server import UNLIMITED, Server, cpu_seconds, serving
from mainspring.features.evaluate.sets.loading import load

FIRST, DRAWS = 5, 1_000


def others(seen: set[str]) -> Iterator[str]:
    """Documents of ARES, each once."""
    for path in sorted((data_sets() / "qa/grounded/ares_synthetic").glob("*.zip")):
        with zipfile.ZipFile(path) as packed, packed.open(packed.namelist()[0]) as raw:
            for row in csv.DictReader(io.TextIOWrapper(raw, "utf-8"), delimiter="\t"):
                text = row["document"].strip()
                if len(text.split()) > 30 and text not in seen:
                    seen.add(text)
                    yield text


def fill(folder: Path, chunks: int) -> list[str]:
    """Write documents of about so many chunks; returns the questions. A file has sections of some hundred words, each
    of which is a chunk: thousands of files would take longer to find than to read."""
    judged = load("squad", data_sets()).part("reported")
    texts = [each.read().decode("utf-8") for each in judged.documents]
    seen = set(texts)
    texts += [text for text, _ in zip(others(seen), range(chunks), strict=False)]
    for number in range(0, len(texts), 40):
        parts = [
            f"## {hashlib.sha256(text.encode()).hexdigest()[:6]}\n\n{text}\n" for text in texts[number : number + 40]
        ]
        (folder / f"part{number}.md").write_text("\n".join(parts), encoding="utf-8")
    return [each.text for each in judged.queries if each.kind == "answerable"]


def call(server: Server, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
    headers = {"authorization": f"Bearer {server.key}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(server.url + path, data, headers), timeout=120) as answer:
        found: dict[str, object] = json.loads(answer.read())
    return found


def kept(server: Server) -> int:
    """Chunks of the only collection."""
    stores = call(server, "/v1/vector_stores")["data"]
    assert isinstance(stores, list)
    found, after = 0, ""
    while True:
        page = call(server, f"/v1/vector_stores/{stores[0]['id']}/files?limit=100{after}")
        files = page["data"]
        assert isinstance(files, list)
        found += sum(int(each["chunks"]) for each in files)
        if not page["has_more"]:
            return found
        after = f"&after={files[-1]['id']}"


def p95(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """With its interval of 95 % by a bootstrap."""
    drawn = np.random.default_rng(4).choice(values, size=(DRAWS, len(values)))
    low, high = np.quantile(np.quantile(drawn, 0.95, axis=1), (0.025, 0.975))
    return float(np.quantile(values, 0.95)), float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=10_000, help="chunks of the collection, at the least")
    parser.add_argument("--questions", type=int, default=100, help="questions that are counted")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mainspring-") as place:
        folder = Path(place) / "documents"
        folder.mkdir()
        questions = fill(folder, asked.chunks)
        ingest = ("--ingest", str(folder))
        with serving(Path(place) / "home", *ingest, settings=UNLIMITED, patience_s=3_000) as server:
            chunks = kept(server)
            wall: list[float] = []
            cpu: list[float] = []
            refused = 0
            for text in questions[: FIRST + asked.questions]:
                began, used = time.perf_counter(), cpu_seconds(server.pid)
                message = {"role": "user", "content": text}
                found = call(server, "/v1/chat/completions", {"model": "document-qa", "messages": [message]})
                wall.append(1e3 * (time.perf_counter() - began))
                cpu.append(1e3 * (cpu_seconds(server.pid) - used))
                refused += not found.get("answered", True)
    taken, spent = np.array(wall[FIRST:]), np.array(cpu[FIRST:])
    of = f"{len(taken)} questions one after the other, {chunks:,} chunks, {refused} refused"
    most, low, high = p95(taken)
    report(
        "answer_latency",
        {
            "quoted answer, p95": Figure(
                round(most, 1), "ms", "lower", 300.0, against=f"[{low:.0f}, {high:.0f}]; {of}"
            ),
            "quoted answer, p50": Figure(round(float(np.median(taken)), 1), "ms", "lower", against=of),
            "CPU of the server, p50": Figure(round(float(np.median(spent)), 1), "ms", "lower", against=of),
        },
    )


if __name__ == "__main__":
    main()
