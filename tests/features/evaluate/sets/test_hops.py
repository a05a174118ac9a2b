"""HotpotQA and MuSiQue in the shape that their files have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.features.evaluate.sets.loading import load


def put(folder: Path, name: str, questions: object, corpus: object) -> None:
    home = folder / "qa" / "hipporag"
    home.mkdir(parents=True, exist_ok=True)
    (home / f"{name}.json").write_text(json.dumps(questions))
    (home / f"{name}_corpus.json").write_text(json.dumps(corpus))


def test_hotpotqa_judges_the_passages_of_its_facts(tmp_path: Path) -> None:
    rows = [
        {"_id": f"q{n}", "question": f"Who {n}?", "answer": "Ada", "supporting_facts": [["A", 0], ["B", 1], ["A", 2]]}
        for n in range(3)
    ]
    put(tmp_path, "hotpotqa_train", rows, {"A": ["One.", " Two."], "B": ["Three."], "C": ["Four."]})
    found = load("hotpotqa", tmp_path)
    assert found.documents[0].read().decode() == "A\n\nOne. Two."
    assert [set(query.gains) for query in found.queries] == [{"h00000", "h00001"}] * 3
    assert [query.split for query in found.queries] == ["development", "reported", "development"]


def test_musique_keeps_questions_of_two_hops(tmp_path: Path) -> None:
    def row(name: str) -> dict[str, object]:
        parts = [("A", "x", True), ("A", "y", True), ("B", "z", False)]
        paragraphs = [{"title": t, "paragraph_text": p, "is_supporting": s} for t, p, s in parts]
        return {"id": name, "question": "Who?", "answer": "Ada", "answer_aliases": ["Eda"], "paragraphs": paragraphs}

    corpus = [{"title": t, "text": p} for t, p in (("A", "x"), ("A", "y"), ("B", "z"))]
    put(tmp_path, "musique_train", [row("2hop__1"), row("3hop1__2"), row("2hop__3")], corpus)
    found = load("musique", tmp_path)
    assert [query.id for query in found.queries] == ["2hop__1", "2hop__3"]
    assert found.queries[0].gains == {"m00000": 1, "m00001": 1}
    assert found.queries[0].answers == ("Ada", "Eda")
    assert [query.split for query in found.queries] == ["development", "reported"]


def test_what_is_not_there_or_has_another_shape_is_said(tmp_path: Path) -> None:
    for name in ("hotpotqa", "musique"):
        with pytest.raises(NotFound, match=r"evaluation\.md"):
            load(name, tmp_path)
    put(tmp_path, "hotpotqa_train", [], [])
    with pytest.raises(InvalidRequest):
        load("hotpotqa", tmp_path)
