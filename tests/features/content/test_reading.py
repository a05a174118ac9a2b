"""Whole documents are read beside the loop, and within bounds."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock, MagicMock

import numpy as np
import pytest

from mainspring.core.types import Context, Principal, TraceParent
from mainspring.features.content.notebook import reading
from mainspring.features.content.notebook.notebooks import Notebooks, OpenedNotebook
from mainspring.features.content.notebook.reading import Reading
from mainspring.features.content.settings import ContentSettings
from mainspring.features.content.text.article import Source
from mainspring.rag.text import sentences

SOURCE = Source("document", "doc_1", "a.md", "", "vs_1", "file_1")
MOST_NOTES = 2 * 240


class Flat:
    """An embedder of equal vectors, which counts texts."""

    texts = 0

    async def embed(self, texts: list[str]) -> Any:
        self.texts += len(texts)
        return SimpleNamespace(vectors=np.full((len(texts), 4), 0.5, np.float32))


async def test_sentences_are_split_in_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    split, threads = sentences.split, list[int]()

    def noting(text: str) -> Any:
        threads.append(threading.get_ident())
        return split(text)

    monkeypatch.setattr(sentences, "split", noting)
    found = await reading.read(SOURCE, "# Frames\n\nThe warranty of each frame lasts ten years.\n", cast(Any, Flat()))
    assert [each.heading for each in found.notes] == ["Frames"]
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_few_notes_are_compared_of_a_document_that_is_all_headings() -> None:
    part = "## Frame {0}\n\nThe warranty of the bicycle frame number {0} lasts ten years.\n\n"
    embedder = Flat()
    found = await reading.read(SOURCE, "".join(part.format(number) for number in range(900)), cast(Any, embedder))
    assert 240 <= len(found.notes) == embedder.texts <= MOST_NOTES
    assert found.notes[0].heading == "Frame 0"


def test_a_beginning_is_of_whole_lines() -> None:
    assert reading.beginning("one\ntwo\nthree\n", 9) == "one\ntwo\n"
    assert reading.beginning("one\ntwo", 7) == "one\ntwo"
    assert reading.beginning("x" * 50, 7) == "x" * 7


async def test_documents_share_what_a_study_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[int]()

    async def noting(source: Source, text: str, _: Any) -> Reading:
        read.append(len(text))
        return Reading(source, text)

    monkeypatch.setattr(reading, "read", noting)
    monkeypatch.setattr(reading, "MOST_CHARACTERS", 400)
    rooms = MagicMock()
    rooms.library.collections = AsyncMock(return_value=[])
    rooms.library.search.text = AsyncMock(side_effect=["a" * 1000, "b\n" * 500, "c", "d" * 101])
    made = Notebooks(rooms, ContentSettings())
    documents = tuple(
        ("vs_1", MagicMock(document_id=f"doc_{number}", file_id="", modified_at=0.0)) for number in range(4)
    )
    monkeypatch.setattr(made, "_filled", AsyncMock(return_value=OpenedNotebook(MagicMock(), documents, 0)))
    monkeypatch.setattr(made, "_settle", AsyncMock())
    context = Context(Principal("acme", "key_1"), TraceParent.new(), deadline=0.0)
    study = await made.study(context, "nb_1", "summary", ())
    assert read == [100, 100, 1, 100]
    assert any("3 of 4 documents only the first 100 characters" in each for each in study.remarks)
