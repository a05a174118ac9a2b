"""Long documents are cut, and their graphs read, in a child: the same chunks, and nothing of it in this process."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import UnreadableDocument
from mainspring.core.settings import RagSettings
from mainspring.rag import workers
from mainspring.rag.chunk import chunking
from mainspring.rag.chunk.base import Chunk
from mainspring.rag.chunk.chunking import chunker
from mainspring.rag.cutting import cutter as cutting
from mainspring.rag.cutting import messages
from mainspring.rag.cutting.cutter import Cutter
from mainspring.rag.graph.read import reader
from mainspring.rag.graph.read.graph_model import DocumentGraph, GraphPiece
from mainspring.rag.graph.read.rules import extract
from mainspring.rag.ingest import publish
from mainspring.rag.ingest.digests import digest
from mainspring.rag.parse.frames import LENGTH
from mainspring.rag.parse.parsed import Heading, Page, Parsed
from tests.rag.conftest import Room, WordEmbedder, furnish

PARAGRAPH = "Ferry {n} of Harbour Lines leaves at {n}:15. It carries {n} cars, says Nora Voss.\n\n"


class FiledEmbedder(WordEmbedder):
    """Counts tokens by a tokenizer in a file, as other processes can."""

    def __init__(self, folder: Path) -> None:
        from tokenizers import Tokenizer, models, pre_tokenizers

        super().__init__()
        self._tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
        self._tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        self.tokenizer_file = str(folder / "tokenizer.json")
        self._tokenizer.save(self.tokenizer_file)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(one.ids) for one in self._tokenizer.encode_batch(list(texts))]


def parsed(paragraphs: int = 400) -> Parsed:
    text = "# Ferries\n\n" + "".join(PARAGRAPH.format(n=number) for number in range(paragraphs))
    middle = text.index("Ferry 200 ")
    pages = (Page(1, 0, middle), Page(2, middle, len(text)))
    return Parsed(text, pages, (Heading(1, "Ferries", 0, len("# Ferries")),), kind="md")


@pytest.fixture
async def cutter() -> AsyncIterator[Cutter]:
    made = Cutter(RagSettings())
    yield made
    await made.close()


@pytest.fixture
async def filed(tmp_path: Path) -> AsyncIterator[Room]:
    async for made in furnish(tmp_path / "home", FiledEmbedder(tmp_path), RagSettings(refuse_below=0.05)):
        yield made
        await made.ingestor.close()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["structure", "sentence", "fixed", "recursive", "parent_child", "sentence_window"])
async def test_a_child_cuts_as_a_thread_does(cutter: Cutter, tmp_path: Path, strategy: str) -> None:
    embedder, document = FiledEmbedder(tmp_path), parsed()
    made = chunker(RagSettings(chunker=strategy), embedder)
    cut = await cutter.cut(made, "words", document, name="f.md", title="ferries", graph="doc.1")
    here = await made.chunk(document, name="f.md", title="ferries")
    assert cut.chunks == here
    assert cut.digests == [digest("words", one.embedded) for one in here]
    pieces = [GraphPiece(f"doc.1.{number}", one.start, one.end) for number, one in enumerate(here)]
    graph = extract(document.text, pieces, [one.heading for one in here], "ferries")
    assert cut.graph is not None
    assert DocumentGraph.load(cut.graph) == graph
    assert [worker.served for worker in cutter._idle] == [1]


@pytest.mark.slow
async def test_nothing_of_a_long_document_is_cut_or_read_in_the_servers_process(
    filed: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    here: list[str] = []
    monkeypatch.setattr(chunking, "cut_by", lambda *_, **__: here.append("cut"))
    monkeypatch.setattr(reader, "extract", lambda *_: here.append("graph"))
    document = await filed.ingestor.ingest_file(filed.collection, "ferries.md", parsed().text.encode(), "file-1")
    assert document.status == "completed"
    assert document.chunks > 50
    assert here == []
    graphs = await filed.stores.graphs.missing(filed.collection, {document.document_id: document.generation})
    assert graphs == {}
    found = await filed.retriever.search(filed.collection, "ferry 77", groups=None)
    assert any("Ferry 77 " in hit.text for hit in found)


@pytest.mark.slow
async def test_a_long_document_is_embedded_and_written_a_part_at_a_time(
    filed: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "WRITTEN_AT_ONCE", 32)
    written: list[int] = []
    told: list[tuple[str, int, int]] = []
    write = filed.stores.vectors.write

    async def counted(collection_id: str, rows: Sequence[Any]) -> None:
        written.append(len(rows))
        await write(collection_id, rows)

    monkeypatch.setattr(filed.stores.vectors, "write", counted)
    document = await filed.ingestor.ingest_file(
        filed.collection, "ferries.md", parsed().text.encode(), "file-1", advance=lambda *step: told.append(step)
    )
    assert max(written) == 32
    assert sum(written) == document.chunks == await filed.stores.vectors.count(filed.collection.id)
    assert [step for step in told if step[0] == "writing"][-1] == ("writing", document.chunks, document.chunks)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


@pytest.mark.slow
async def test_a_child_that_is_killed_is_asked_again(
    cutter: Cutter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, exchange = 0, workers._exchange

    async def killed_once(process: Any, *arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            process.kill()
        return await exchange(process, *arguments)

    monkeypatch.setattr(workers, "_exchange", killed_once)
    cut = await cutter.cut(chunker(RagSettings(), FiledEmbedder(tmp_path)), "words", parsed())
    assert cut.chunks
    assert asked == 2


async def test_a_short_document_asks_no_child(cutter: Cutter, tmp_path: Path) -> None:
    cut = await cutter.cut(chunker(RagSettings(), FiledEmbedder(tmp_path)), "words", Parsed("Apples are red."))
    assert [one.embedded for one in cut.chunks] == ["Apples are red."]
    assert cut.digests == [digest("words", "Apples are red.")]
    assert not cutter._idle
    assert len(parsed().text) > cutting.SHORT


# --- answers ----------------------------------------------------------------------------------------------------------

TEXT = "One two. Three four."
CHUNKS = [Chunk(0, 8, None, "", 2, "One two."), Chunk(9, 20, 3, "A > B", 2, "A > B\nThree four.", (0, 20))]


def answer(chunks: Sequence[Chunk] = CHUNKS, graph: str = "{}") -> tuple[bytes, bytes]:
    """(head, what is behind it)."""
    framed, *behind = messages.cut_answer(TEXT, chunks, [bytes([n]) * 32 for n in range(len(chunks))], graph)
    return framed[LENGTH.size :], b"".join(behind)


def test_an_answer_says_what_was_cut() -> None:
    head, behind = answer()
    found = messages.cut_of(messages.cut_head(head, TEXT), behind, TEXT)
    assert list(found.chunks) == CHUNKS
    assert found.digests == ["00" * 32, "01" * 32]
    assert found.graph == "{}"


@pytest.mark.parametrize(
    "changed",
    [{"end": 21}, {"start": -1}, {"start": 9, "end": 9}, {"page": -2}, {"tokens": -1}, {"parent": (0, 21)}],
    ids=str,
)
def test_chunks_outside_the_text_are_no_answer(changed: dict[str, Any]) -> None:
    head, behind = answer([dataclasses.replace(CHUNKS[0], **changed)])
    with pytest.raises(ValueError, match="outside"):
        messages.cut_of(messages.cut_head(head, TEXT), behind, TEXT)


@pytest.mark.parametrize("column", [3, 5])
def test_headings_and_leads_that_are_not_there_are_no_answer(column: int) -> None:
    head, behind = answer()
    numbers = np.frombuffer(behind, np.int64, 2 * messages.COLUMNS).reshape(2, -1).copy()
    numbers[1, column] = 2
    with pytest.raises(ValueError, match="outside"):
        messages.cut_of(messages.cut_head(head, TEXT), numbers.tobytes() + behind[numbers.nbytes :], TEXT)


def test_more_chunks_than_characters_are_no_answer() -> None:
    with pytest.raises(ValueError, match="more chunks"):
        messages.cut_head(b'{"chunks":21}', TEXT)


def test_a_failure_is_raised_as_what_it_is() -> None:
    (framed,) = messages.cut_failed(UnreadableDocument("too much", remedy="Split it"))
    with pytest.raises(UnreadableDocument, match="too much") as raised:
        messages.cut_head(framed[LENGTH.size :], TEXT)
    assert raised.value.remedy == "Split it"
