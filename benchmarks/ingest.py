"""Documents a second into a searchable, persisted index, against LlamaIndex with the same embedder.

    MAINSPRING_DATA=... python benchmarks/ingest.py [--pairs 5] [--abstracts 400] [--articles 6]

The documents are CACM abstracts as text files (one paragraph each) and SQuAD articles as Markdown files (dozens of
paragraphs each). Both sides read the files, cut them into chunks of about 200 tokens with 40 of overlap, embed them
with the very same embedder (our OpenVINO MiniLM, wrapped as a LlamaIndex ``BaseEmbedding``), and persist. Ours also
parses in a process of its own, commits each document, keeps every text and makes a full-text index; LlamaIndex keeps
a ``SimpleVectorStore`` and writes it as JSON at the end. Imports and the loading of the model are not counted.

LlamaIndex lives in an environment of its own below the cache folder, which the first run makes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _report import Figure, report, skip
from _stats import Spread, alternate, ratios

ROOT = Path(__file__).parent.parent
CHUNK_TOKENS, OVERLAP_TOKENS = 200, 40
PEER_PACKAGES = ("llama-index-core==0.14.25", "llama-index-readers-file")
# What LlamaIndex hands to an embedder at once unless told otherwise, and a batch in which it can sort by length.
DEFAULT_BATCH, LARGE_BATCH = 10, 256


@dataclass(frozen=True, slots=True)
class Ingested:
    """One ingestion: wall and CPU seconds, chunks made, tokens that the embedder read."""

    seconds: float
    cpu: float
    chunks: int
    tokens: int


def abstracts(data: Path, count: int) -> list[tuple[str, str]]:
    """(file name, text) of the first CACM records that have an abstract."""
    records = re.split(r"^\.I ", (data / "retrieval/cacm/cacm.all").read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = []
    for record in records[1:]:
        fields = re.split(r"^\.([A-Z])\n", record, flags=re.MULTILINE)
        parts = dict(zip(fields[1::2], fields[2::2], strict=False))
        if "W" in parts:
            found.append((f"cacm-{fields[0].strip()}.txt", f"{parts['T'].strip()}\n\n{parts['W'].strip()}\n"))
    return found[:count]


def articles(data: Path, count: int) -> list[tuple[str, str]]:
    """(file name, Markdown) of the first SQuAD articles."""
    found = json.loads((data / "qa/squad/dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    return [
        (
            f"{re.sub(r'[^A-Za-z0-9]+', '-', article['title'])}.md",
            "\n\n".join(
                [f"# {article['title'].replace('_', ' ')}", *(each["context"] for each in article["paragraphs"])]
            ),
        )
        for article in found[:count]
    ]


def peer_python() -> Path:
    """The interpreter of LlamaIndex's environment; ends the benchmark where it cannot be made."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    environment = cache / "mainspring" / "benchmarks" / "llama-index"
    python = environment / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    # Copies: NLTK, which LlamaIndex splits sentences with, refuses data files that are hard links into uv's cache.
    install = [*uv, "pip", "install", "--quiet", "--link-mode=copy", "--python", str(python)]
    commands = [
        [*uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(environment)],
        [*install, "--editable", str(ROOT), *PEER_PACKAGES],
    ]
    for command in commands:
        made = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        if made.returncode:
            skip(f"LlamaIndex's environment cannot be made: {(made.stderr.strip().splitlines() or ['?'])[-1]}")
    return python


def run_side(python: Path | str, side: str, folder: Path, batch: int = 0) -> Ingested:
    """One ingestion in a process of its own. Raises ``RuntimeError`` with what it wrote when it fails."""
    command = [str(python), str(Path(__file__).resolve()), "--side", side, "--batch", str(batch), str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if ran.returncode:
        raise RuntimeError(f"{side}: {ran.stderr[-2000:]}")
    return Ingested(**json.loads(ran.stdout.splitlines()[-1]))


async def ingest_ours(folder: Path) -> Ingested:
    from _library import bench

    async with bench() as library:
        await library.embedder.start()
        began, used = time.perf_counter(), _cpu()
        made = await library.ingestor.ingest_path(library.collection, [folder])
        seconds = time.perf_counter() - began
        if made.failed:
            raise RuntimeError(f"{len(made.failed)} documents were not read, the first: {made.failed[0]}")
    # The parser's process is waited for by now, and counts.
    return Ingested(seconds, _cpu() - used, made.chunks, made.tokens)


def ingest_peer(folder: Path, batch: int) -> Ingested:
    """As LlamaIndex's starter tutorial does, with its own reader, splitter and store."""
    from llama_index.core import (  # type: ignore[import-not-found]
        SimpleDirectoryReader,
        StorageContext,
        VectorStoreIndex,
    )
    from llama_index.core.node_parser import SentenceSplitter  # type: ignore[import-not-found]

    embedding, tokenizer = _peer_embedding(batch)
    splitter = SentenceSplitter(
        chunk_size=CHUNK_TOKENS,
        chunk_overlap=OVERLAP_TOKENS,
        tokenizer=lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
    )
    with tempfile.TemporaryDirectory() as target:
        began, used = time.perf_counter(), _cpu()
        reader = SimpleDirectoryReader(str(folder), file_metadata=lambda path: {"title": Path(path).stem})
        nodes = splitter.get_nodes_from_documents(reader.load_data())
        context = StorageContext.from_defaults()
        VectorStoreIndex(nodes, storage_context=context, embed_model=embedding)
        context.persist(target)
        return Ingested(time.perf_counter() - began, _cpu() - used, len(nodes), embedding.read_tokens())


def _peer_embedding(batch: int) -> tuple[Any, Any]:
    """Our embedder as LlamaIndex's, and its tokenizer."""
    from llama_index.core.embeddings import BaseEmbedding
    from pydantic import PrivateAttr
    from tokenizers import Tokenizer

    from mainspring.engines.embedder import OpenVinoEmbedder
    from mainspring.engines.pull import Puller
    from mainspring.settings import load

    settings = load().settings
    pulled = Puller(settings).local(settings.models.embedding)
    embedder = OpenVinoEmbedder(pulled, settings.engines.threads)
    asyncio.run(embedder.start())

    class Embedding(BaseEmbedding):  # type: ignore[misc]
        """Blocking, as LlamaIndex calls it."""

        _tokens: int = PrivateAttr(default=0)

        def read_tokens(self) -> int:
            return self._tokens

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            found = asyncio.run(embedder.embed(texts))
            self._tokens += found.tokens
            vectors: list[list[float]] = found.vectors.tolist()
            return vectors

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embeddings([query])[0]

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return await asyncio.to_thread(self._get_query_embedding, query)

    tokenizer = Tokenizer.from_file(str(pulled.files["tokenizer"]))
    # The file pads and cuts to lengths of its own, which would be counted.
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return Embedding(embed_batch_size=batch), tokenizer


def measure(data: Path, python: Path, options: argparse.Namespace) -> dict[str, Figure]:
    """All figures: each kind of documents against LlamaIndex's default batch and against a large one."""
    figures: dict[str, Figure] = {}
    kinds = {"abstracts": abstracts(data, options.abstracts), "articles": articles(data, options.articles)}
    for kind, documents in kinds.items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file, text in documents:
                (folder / file).write_text(text, encoding="utf-8")
            figures |= _compare(kind, folder, len(documents), python, options.pairs)
    return figures


def _compare(kind: str, folder: Path, count: int, python: Path, pairs: int) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for batch in (LARGE_BATCH, DEFAULT_BATCH):
        ours, theirs = alternate(
            lambda _: run_side(sys.executable, "ours", folder),
            lambda _, batch=batch: run_side(python, "peer", folder, batch),  # type: ignore[misc]
            pairs,
        )
        rate = ratios([each.seconds for each in theirs], [each.seconds for each in ours])
        work = ratios([each.cpu for each in theirs], [each.cpu for each in ours])
        peer = Spread.of([count / each.seconds for each in theirs]).median
        aside = "" if batch == DEFAULT_BATCH else ", batches of 256"
        figures[f"{kind}: documents/s against LlamaIndex{aside}"] = Figure(
            rate.median,
            "ratio",
            "higher",
            floor=2.0 if batch == LARGE_BATCH else None,
            aim=4.0 if batch == LARGE_BATCH else None,
            against=f"{peer:.1f} documents/s; {pairs} pairs, {rate.text()}; CPU seconds {work.median:.2f}x",
        )
    figures[f"{kind}: documents/s"] = Figure(
        Spread.of([count / each.seconds for each in ours]).median,
        "documents/s",
        "higher",
        against=f"{count} documents, {_size(ours)}; LlamaIndex {_size(theirs)}",
    )
    return figures


def _size(side: Sequence[Ingested]) -> str:
    return f"{side[0].chunks} chunks of {side[0].tokens / max(1, side[0].chunks):.0f} tokens"


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--abstracts", type=int, default=400)
    parser.add_argument("--articles", type=int, default=6)
    parser.add_argument("--side", choices=("ours", "peer"), help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, default=DEFAULT_BATCH, help=argparse.SUPPRESS)
    parser.add_argument("folder", type=Path, nargs="?", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        done = asyncio.run(ingest_ours(options.folder)) if options.side == "ours" else None
        done = done or ingest_peer(options.folder, options.batch)
        print(json.dumps({name: getattr(done, name) for name in Ingested.__slots__}))
        return
    from _library import data

    folder = data("retrieval/cacm").parent.parent
    data("qa/squad")
    report("ingest", measure(folder, peer_python(), options))


if __name__ == "__main__":
    main()
