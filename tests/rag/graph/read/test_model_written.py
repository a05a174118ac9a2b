"""A capable model reads the graph: what it says is checked against the text, counted, and never required."""

from __future__ import annotations

import json

from mainspring.core.errors import EngineError
from mainspring.core.settings import RagSettings, Settings
from mainspring.core.types import Context, EventRecord, Principal
from mainspring.rag.assembly import graph_reader
from mainspring.rag.graph.read.graph_model import DocumentGraph, GraphPiece
from mainspring.rag.graph.read.model_written import ModelReader, ReadingCost, passages
from mainspring.rag.graph.read.reader import BuildReport, Reader
from mainspring.rag.graph.read.rules import extract
from tests.rag.query.test_understand import Model

TEXT = "The burr set wears out first. Replace it with part KG-02, which Maud Ellery sells.\n\nNobody else does."
REPLY = {
    "entities": ["burr set", "KG-02", "Maud Ellery", "Atlantis"],
    "relations": [
        {"subject": "burr set", "predicate": "Replaced  By", "object": "KG-02"},
        {"subject": "burr set", "predicate": "made in", "object": "Atlantis"},
        {"subject": "KG-02", "predicate": "", "object": "Maud Ellery"},
    ],
}


async def read(*replies: str | Exception) -> tuple[Model, DocumentGraph, DocumentGraph, ReadingCost]:
    model = Model(*replies)
    ruled = extract(TEXT, [GraphPiece("c", 0, len(TEXT))], [""])
    graph, spent = await ModelReader(model, "big").read(TEXT, ruled, Context(Principal("a", "ingest")))
    return model, ruled, graph, spent


async def test_what_the_passage_says_is_added_and_nothing_else() -> None:
    model, ruled, graph, spent = await read(json.dumps(REPLY))
    name = [entity.name for entity in graph.entities]
    added = [each for each in graph.relations if each not in ruled.relations]
    assert [(name[each.subject], each.predicate, name[each.object]) for each in added] == [
        ("burr set", "replaced by", "KG-02")
    ]
    assert "Atlantis" not in name
    assert TEXT[added[0].start : added[0].end] in TEXT
    assert graph.by == "big"
    assert (spent.calls, spent.tokens, spent.problems) == (1, 30, [])
    (request,) = model.requests
    assert request.sampling.grammar is not None
    assert request.sampling.temperature == 0.0


async def test_a_model_that_fails_leaves_what_rules_found() -> None:
    for reply in ("no JSON", '{"entities": []}', EngineError("down")):
        _, ruled, graph, spent = await read(reply)
        assert graph.relations == ruled.relations
        assert graph.mentions == ruled.mentions
        assert len(spent.problems) == 1


def test_passages_are_whole_sentences_and_bounded() -> None:
    text = "It rains here all day. " * 400
    found = passages(text)
    assert len(found) > 2
    assert all(end - start <= 2400 for start, end in found)
    assert all(text[end - 1] == "." for _, end in found)


class _Facts:
    def __init__(self) -> None:
        self.kept: list[EventRecord] = []

    async def append(self, *records: EventRecord) -> None:
        self.kept += records


async def test_tokens_are_counted_in_what_was_built() -> None:
    built = BuildReport()
    reader = Reader(ModelReader(Model(json.dumps(REPLY)), "big"), _Facts())  # type: ignore[arg-type]
    await reader.read("a", TEXT, [GraphPiece("c", 0, len(TEXT))], [""], "parts.txt", built)
    assert (built.documents, built.tokens) == (1, 30)


def test_a_model_that_is_not_grounded_is_never_asked() -> None:
    class Small:
        name, grounded = "small", False

    settings = Settings(rag=RagSettings(graph="model"))
    assert graph_reader([Small()], {}, None, settings)._model is None  # type: ignore[list-item,arg-type]
    assert graph_reader([], {}, None, Settings())._model is None  # type: ignore[arg-type]
