"""Judged collections: a user's folder, and the public ones if their data are here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.features.evaluate.sets.loading import load
from tests.conftest import ROOT


def test_a_folder_of_ones_own(folder: Path) -> None:
    mine = load(str(folder))
    assert mine.name == "mine"
    assert [document.id for document in mine.documents] == ["more/bees.txt", "more/rope.txt", "otters.md", "tides.txt"]
    assert mine.documents[0].read().startswith(b"A honey bee")
    first, otters, bee, _, moon = mine.queries
    assert (first.id, first.gains, first.answers, first.kind) == (
        "q1",
        {"tides.txt": 1},
        ("13.6 metres",),
        "answerable",
    )
    assert (bee.id, bee.gains) == ("bee", {"more/bees.txt": 2})
    assert (moon.gains, moon.kind) == ({}, "near_miss")
    assert [query.id for query in mine.part("reported").queries] == [otters.id]
    assert len(mine.part("development").queries) == 4
    assert [query.id for query in mine.part("all", limit=2).queries] == ["q1", "bee"]
    assert mine.part("development").documents == mine.documents


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("{", "line 1 is not JSON"),
        ({"sources": []}, "line 1 has no question"),
        ({"question": "?", "sources": ["nothing.txt"]}, "names nothing.txt, which is not among the documents"),
        ({"question": "?", "sources": "tides.txt"}, "a list of file names in sources"),
        ({"question": "?", "sources": {"tides.txt": 0}}, "whole gains above 0"),
        ({"question": "?", "answers": "13.6"}, "a list of strings in answers"),
        ({"question": "?", "all": ["13.6"]}, "a list of lists of strings in all"),
        ({"question": "?", "polarity": "maybe"}, "unknown polarity maybe; use yes or no"),
        ({"question": "?", "within": ["nothing.txt"]}, "a list of file names in within"),
        ({"question": "?", "split": "test"}, "unknown split test; use development or reported"),
    ],
)
def test_a_question_that_cannot_be_used_is_named(folder: Path, row: Any, wrong: str) -> None:
    (folder / "questions.jsonl").write_text(row if isinstance(row, str) else json.dumps(row))
    with pytest.raises(InvalidRequest, match=wrong):
        load(str(folder))


def test_what_is_no_collection_is_refused_with_what_there_is(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="Collections: cranfield, cacm"):
        load("cranfeild")
    with pytest.raises(NotFound, match="--data"):
        load("cranfield")
    with pytest.raises(NotFound, match="has no retrieval/cranfield"):
        load("cranfield", tmp_path)
    (folder / "questions.jsonl").unlink()
    with pytest.raises(NotFound, match=r"has no questions.jsonl"):
        load(str(folder))
    with pytest.raises(InvalidRequest, match="no reported queries"):
        load("handbook", ROOT / "samples").part("reported")


def test_the_handbook_is_all_development() -> None:
    for name, count in (("handbook", 18), ("handbook-2hop", 18)):
        found = load(name, ROOT / "samples")
        assert len(found.documents) == count
        assert {query.split for query in found.queries} == {"development"}
    assert all(len(query.gains) == 2 for query in load("handbook-2hop", ROOT / "samples").queries)


def test_answers_over_two_hops_stand_in_the_second_document_only() -> None:
    for query in load("handbook-2hop", ROOT / "samples").queries:
        texts = {name: (ROOT / "samples" / "handbook" / name) for name in query.gains}
        readable = [path.read_text() for path in texts.values() if path.suffix in (".md", ".txt", ".html")]
        held = sum(any(answer in text for answer in query.answers) for text in readable)
        assert held <= 1, query.id


@pytest.mark.parametrize(("name", "documents", "halves"), [("cranfield", 1398, (113, 112)), ("cacm", 3204, (26, 26))])
def test_the_classic_collections(data: Path, name: str, documents: int, halves: tuple[int, int]) -> None:
    found = load(name, data)
    assert abs(len(found.documents) - documents) <= 2
    parts = [found.part(split).queries for split in ("development", "reported")]
    assert abs(len(parts[0]) - halves[0]) <= 3
    assert abs(len(parts[1]) - halves[1]) <= 3
    assert all(int(query.id) % 2 for query in parts[0])
    assert not any(int(query.id) % 2 for query in parts[1])


def test_halves_of_squad_share_no_question(data: Path) -> None:
    for name in ("squad", "squad-refusal"):
        found = load(name, data)
        halves = [
            {query.id for query in found.queries if query.split == split} for split in ("development", "reported")
        ]
        assert not halves[0] & halves[1]
        assert len(halves[0]) == len(halves[1])
    texts = {document.id: document.read().decode() for document in found.documents}
    for query in found.queries:
        assert (query.kind == "answerable") == bool(query.gains) == bool(query.answers)
        assert all(any(answer in texts[name] for answer in query.answers) for name in query.gains)
    assert {query.kind for query in found.queries} == {"answerable", "near_miss", "off_topic"}
