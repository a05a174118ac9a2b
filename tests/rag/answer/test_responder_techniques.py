"""What is done to a question before it is answered, where a request asks for it; and whole filters in requests."""

from __future__ import annotations

from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.path import collect
from mainspring.core.types import Context
from mainspring.rag.answer.generate import REFUSAL
from mainspring.rag.connect.base import Source
from mainspring.rag.query.model import ModelAsk
from tests.rag.answer.test_responder import ask, check_citations, fill
from tests.rag.conftest import Room
from tests.rag.query.test_understand import Model, understanding

LOAN = (
    "The annual percentage rate (APR) is set by the board. Nothing else is said here.\n\n"
    "An annual percentage rate above nine is never charged."
)


async def answered(room: Room, context: Context, *said: str, arguments: Any = None, **options: Any) -> str:
    answerer = room.answerer(understanding=understanding(room), **(arguments or {}))
    found = await collect(await answerer.respond(ask(*said, **options), context))
    await check_citations(room, found)
    return found.text


def steps(context: Context) -> dict[str, Any]:
    return {each["name"]: each for each in context.settlement.records[-1].facts.plain().get("steps", ())}


async def test_a_misspelt_question_is_answered_where_that_is_asked_for(room: Room, asker: Context) -> None:
    await fill(room)
    assert (await answered(room, asker, "Banannas?")).startswith(REFUSAL)
    assert steps(asker) == {}
    assert "Bananas are yellow" in await answered(room, asker, "Banannas?", techniques=["spelling"])
    assert steps(asker)["spelling"]["changed"] is True
    # The event outlives the documents: it has no word of theirs.
    assert "bananas" not in repr(asker.settlement.records[-1].facts).lower()


async def test_acronyms_that_the_documents_explain_are_known(room: Room, asker: Context) -> None:
    await room.ingestor.ingest(room.collection, [Source("loan.txt", "loan.txt", LOAN.encode)])
    assert "above nine" in await answered(room, asker, "Which APR is never charged?", techniques=["acronyms"])
    assert steps(asker)["acronyms"]["changed"] is True


async def test_a_passage_that_a_model_writes_helps_to_find(room: Room, asker: Context) -> None:
    await fill(room)
    model = Model("Bananas come from far away.")
    asking = {"ask": lambda context: ModelAsk(model, "m", context, capable=False)}
    await answered(room, asker, "Which fruit travels longest?", arguments=asking, techniques=["hyde"])
    assert (steps(asker)["hyde"]["tokens"], steps(asker)["hyde"]["changed"]) == (30, True)
    assert len(model.requests) == 1
    with pytest.raises(Unsupported) as raised:
        await answered(room, asker, "Which fruit travels longest?", techniques=["query2doc"])
    assert raised.value.param == "options.techniques"


async def test_lists_deserve_more_passages_than_one_fact(room: Room, asker: Context) -> None:
    texts = {f"{number}.txt": f"Orchard {number} grows apples of kind {number}." for number in range(12)}
    await room.ingestor.ingest(room.collection, [Source(name, name, text.encode) for name, text in texts.items()])
    found = {}
    for question in ("How many apples does orchard 3 have?", "List all orchards that grow apples"):
        await answered(room, asker, question, techniques=["complexity"], top_k=5)
        found[question] = len(asker.settlement.records[-1].facts.plain()["hits"])
    few, many = found.values()
    assert few == 3
    assert many == 10


@pytest.mark.parametrize(
    ("filters", "source"),
    [
        ({"type": "eq", "key": "name", "value": "leave.md"}, "leave.md"),
        ({"type": "and", "filters": [{"type": "ne", "key": "name", "value": "leave.md"}]}, "fruit.txt"),
        ({"name": "leave.md"}, "leave.md"),
        ({"name": ["fruit.txt"]}, "fruit.txt"),
    ],
)
async def test_filters_are_those_of_searches(room: Room, asker: Context, filters: Any, source: str) -> None:
    await fill(room)
    answerer = room.answerer()
    request = ask("Do days of holiday and green pears expire?", filters=filters)
    found = await collect(await answerer.respond(request, asker))
    assert {citation.source for citation in found.citations} == {source}


@pytest.mark.parametrize(
    ("options", "param"),
    [
        ({"techniques": "spelling"}, "options.techniques"),
        ({"techniques": ["magic"]}, "options.techniques"),
        ({"techniques": ["condense"]}, "options.techniques"),
        ({"filters": {"type": "near", "key": "name", "value": "a"}}, "options.filters.type"),
        ({"filters": {"type": "eq", "key": "name", "value": [1]}}, "options.filters.value"),
        ({"filters": {"colour": ["red"]}}, "options.filters"),
    ],
)
async def test_wrong_options_are_named(room: Room, asker: Context, options: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await answered(room, asker, "q", **options)
    assert raised.value.param == param
