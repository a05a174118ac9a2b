"""Documents a second into a searchable, persisted index, against LlamaIndex with the same embedder.

    MAINSPRING_DATA=... python benchmarks/ingest.py [--pairs 5] [--abstracts 200] [--articles 6]

The documents are CACM abstracts as text files (one paragraph each) and SQuAD articles as Markdown files (dozens of
paragraphs each). Both sides read the files, cut them into chunks of about 200 tokens with 40 of overlap, embed them
with the very same embedder (our OpenVINO MiniLM, wrapped as a LlamaIndex ``BaseEmbedding``), and persist. Ours also
parses in a process of its own, commits each document, keeps every text and makes a full-text index; LlamaIndex keeps
a ``SimpleVectorStore`` and writes it as JSON at the end. Imports and the loading of the model are not counted.

Beside it, where torch for processors can be installed: the same weights in LlamaIndex's usual runtime,
sentence-transformers. LlamaIndex lives in an environment of its own below the cache folder, which the first run makes.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _report import Figure, report, skip
from _stats import Spread, alternate, ratios

if TYPE_CHECKING:
    from mainspring.engines.catalogue.pull import PulledModel

ROOT = Path(__file__).parent.parent
CHUNK_TOKENS, OVERLAP_TOKENS = 200, 40
PEER_PACKAGES = ("llama-index-core==0.14.25", "llama-index-readers-file")
# Texts that LlamaIndex hands to our embedder at once: many, which it sorts by length, or its default.
BATCHES = {"our embedder in both": 256, "our embedder in both, batches of 10": 10}
FAIREST = "our embedder in both"
TORCH = "the same weights in sentence-transformers"
# What LlamaIndex hands over at once where nobody says otherwise.
TORCH_BATCH = 10


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
    made = _uv("venv", "--allow-existing", "--python", sys.executable, str(environment))
    made = made or _install(python, "--editable", str(ROOT), *PEER_PACKAGES)
    if made:
        skip(f"LlamaIndex's environment cannot be made: {made}")
    return python


def add_torch(python: Path) -> str:
    """Put sentence-transformers beside LlamaIndex; why that cannot be done, or nothing.

    Only with a torch for processors: the default one brings gigabytes of libraries for GPUs.
    """
    problem = _install(python, "--torch-backend", "cpu", "torch")
    links = os.environ.get("PIP_FIND_LINKS")
    if problem and links:
        problem = _install(python, "--no-index", "--no-deps", "--find-links", links, "torch")
    return problem or _install(python, "llama-index-embeddings-huggingface")


def _install(python: Path, *arguments: str) -> str:
    # Copies: NLTK, which LlamaIndex splits sentences with, refuses data files that are hard links into uv's cache.
    return _uv("pip", "install", "--link-mode=copy", "--python", str(python), *arguments)


def _uv(*arguments: str) -> str:
    """Run uv; the last line of what went wrong, or nothing."""
    command = [sys.executable, "-m", "uv", "--quiet", *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    return (ran.stderr.strip().splitlines() or ["no reason given"])[-1].strip() if ran.returncode else ""


def run_side(python: Path | str, side: str, folder: Path) -> Ingested:
    """One ingestion in a process of its own. Raises ``RuntimeError`` with what it wrote when it fails."""
    command = [str(python), str(Path(__file__).resolve()), "--side", side, str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if ran.returncode:
        raise RuntimeError(f"{side}: {ran.stderr[-2000:]}")
    return Ingested(**json.loads(ran.stdout.splitlines()[-1]))


async def ingest_ours(folder: Path) -> Ingested:
    import lancedb  # noqa: F401 - LlamaIndex's parts are imported beforehand as well

    from _library import bench
    from mainspring.core.settings import RagSettings

    rag = RagSettings(chunk_tokens=CHUNK_TOKENS, chunk_overlap=OVERLAP_TOKENS)
    async with bench(rag) as library:
        await library.embedder.start()
        began, used = time.perf_counter(), _cpu()
        made = await library.ingestor.ingest_path(library.collection, [folder])
        seconds = time.perf_counter() - began
        if made.failed:
            raise RuntimeError(f"{len(made.failed)} documents were not read, the first: {made.failed[0]}")
    # The parser's process is waited for by now, and counts.
    return Ingested(seconds, _cpu() - used, made.chunks, made.tokens)


def ingest_peer(folder: Path, side: str) -> Ingested:
    """As LlamaIndex's starter tutorial does, with its own reader, splitter and store."""
    from llama_index.core import (  # type: ignore[import-not-found]
        SimpleDirectoryReader,
        StorageContext,
        VectorStoreIndex,
    )
    from llama_index.core.node_parser import SentenceSplitter  # type: ignore[import-not-found]

    pulled = _pulled()
    embedding = _torch_embedding(pulled) if side == TORCH else _our_embedding(pulled, BATCHES[side])
    tokenizer = Tokenizer(pulled)
    splitter = SentenceSplitter(chunk_size=CHUNK_TOKENS, chunk_overlap=OVERLAP_TOKENS, tokenizer=tokenizer.ids)
    with tempfile.TemporaryDirectory() as target:
        began, used = time.perf_counter(), _cpu()
        reader = SimpleDirectoryReader(str(folder), file_metadata=lambda path: {"title": Path(path).stem})
        nodes = splitter.get_nodes_from_documents(reader.load_data())
        context = StorageContext.from_defaults()
        VectorStoreIndex(nodes, storage_context=context, embed_model=embedding)
        context.persist(target)
        seconds, cpu = time.perf_counter() - began, _cpu() - used
    # Two special tokens a text, as ours are counted.
    tokens = sum(len(tokenizer.ids(node.get_content(metadata_mode="embed"))) + 2 for node in nodes)
    return Ingested(seconds, cpu, len(nodes), tokens)


class Tokenizer:
    """The embedding model's tokenizer, without the padding that its file asks for."""

    def __init__(self, pulled: PulledModel) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(pulled.files["tokenizer"]))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _pulled() -> PulledModel:
    from mainspring.core.settings import load
    from mainspring.engines.catalogue.pull import Puller

    settings = load().settings
    return Puller(settings).local(settings.models.embedding)


def _our_embedding(pulled: PulledModel, batch: int) -> Any:
    """Our embedder as LlamaIndex's."""
    from llama_index.core.embeddings import BaseEmbedding  # type: ignore[import-not-found]

    from mainspring.engines.encode.embedder import OpenVinoEmbedder

    embedder = OpenVinoEmbedder(pulled)
    asyncio.run(embedder.start())

    class Embedding(BaseEmbedding):  # type: ignore[misc]
        """Blocking, as LlamaIndex calls it."""

        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            vectors: list[list[float]] = asyncio.run(embedder.embed(texts)).vectors.tolist()
            return vectors

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embeddings([query])[0]

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return await asyncio.to_thread(self._get_query_embedding, query)

    return Embedding(embed_batch_size=batch)


def _torch_embedding(pulled: PulledModel) -> Any:
    """The same weights in sentence-transformers. Raises ``RuntimeError`` when its vectors are not ours."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from llama_index.embeddings.huggingface import HuggingFaceEmbedding  # type: ignore[import-not-found]

    embedding = HuggingFaceEmbedding(
        str(pulled.directory), max_length=pulled.entry.max_tokens, device="cpu", embed_batch_size=TORCH_BATCH
    )
    sentence = "Refunds are paid within ten days."
    theirs = embedding.get_text_embedding(sentence)
    ours = _our_embedding(pulled, 1).get_text_embedding(sentence)
    if sum(a * b for a, b in zip(ours, theirs, strict=True)) < 0.99:
        raise RuntimeError("sentence-transformers computes other vectors from these weights")
    return embedding


def measure(data: Path, python: Path, options: argparse.Namespace) -> dict[str, Figure]:
    """All figures: each kind of documents against each way of running LlamaIndex."""
    figures: dict[str, Figure] = {}
    sides = list(BATCHES)
    if problem := add_torch(python):
        print(f"no comparison with sentence-transformers: {problem}", file=sys.stderr)
    else:
        sides.append(TORCH)
    kinds = {"abstracts": abstracts(data, options.abstracts), "articles": articles(data, options.articles)}
    for kind, documents in kinds.items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for file, text in documents:
                (folder / file).write_text(text, encoding="utf-8")
            for side in sides:
                figures |= _compare(kind, side, folder, len(documents), python, options.pairs)
    return figures


def _compare(kind: str, side: str, folder: Path, count: int, python: Path, pairs: int) -> dict[str, Figure]:
    pairs = pairs if side == FAIREST else min(3, pairs)
    ours, theirs = alternate(
        lambda _: run_side(sys.executable, "ours", folder), lambda _: run_side(python, side, folder), pairs
    )
    rate = ratios([each.seconds for each in theirs], [each.seconds for each in ours])
    work = ratios([each.cpu for each in theirs], [each.cpu for each in ours])
    our_rate, their_rate = (Spread.of([count / each.seconds for each in runs]).median for runs in (ours, theirs))
    return {
        f"{kind}: against LlamaIndex, {side}": Figure(
            rate.median,
            "x documents/s",
            "higher",
            floor=2.0 if side == FAIREST else None,
            aim=4.0 if side == FAIREST else None,
            against=f"{our_rate:.1f} to {their_rate:.1f} documents/s, {rate.text()} in {pairs} pairs of {count}; "
            f"{_size(ours)} to {_size(theirs)}; {work.median:.2f}x the CPU time",
        )
    }


def _size(side: Sequence[Ingested]) -> str:
    return f"{side[0].chunks} chunks of {side[0].tokens / max(1, side[0].chunks):.0f} tokens"


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--abstracts", type=int, default=200)
    parser.add_argument("--articles", type=int, default=6)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    parser.add_argument("folder", type=Path, nargs="?", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        ours = options.side == "ours"
        done = asyncio.run(ingest_ours(options.folder)) if ours else ingest_peer(options.folder, options.side)
        print(json.dumps(asdict(done)))
        return
    from _library import data

    folder = data("retrieval/cacm").parent.parent
    data("qa/squad")
    report("ingest", measure(folder, peer_python(), options))


if __name__ == "__main__":
    main()
