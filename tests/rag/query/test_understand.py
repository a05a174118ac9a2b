"""Plans: techniques in order, their cost, models that fail, budgets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mainspring.core.errors import EngineError, InvalidRequest, Unsupported
from mainspring.core.types import ChatRequest, Context, Event, Finish, Head, Message, Request, Response, Text, Usage
from mainspring.rag.ingest.vocabulary import Vocabularies
from mainspring.rag.query import multi_query
from mainspring.rag.query.model import ModelAsk, lines
from mainspring.rag.query.plan import PlanStep, Query, QueryPlan, described, unique
from mainspring.rag.query.understand import QueryQuestion, Understanding, techniques
from tests.rag.conftest import Room
from tests.rag.shelf import put

NOBODY: frozenset[str] = frozenset()


class Model:
    """Answers each request with the next reply; an exception is raised."""

    def __init__(self, *replies: str | Exception, tokens: int = 30) -> None:
        self.replies = list(replies)
        self.tokens = tokens
        self.requests: list[ChatRequest] = []

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, ChatRequest)
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply

        async def events() -> AsyncIterator[Event]:
            yield Text(reply)
            yield Usage(self.tokens - 10, 10)
            yield Finish("stop")

        return Response(Head("model"), events())


class Pieces:
    """Counts tokens as a model does that knows common words."""

    def __init__(self, inner: Any) -> None:
        self.embed, self.name, self.dimensions = inner.embed, inner.name, inner.dimensions

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [1 if text in ("a", "open", "shop") else 2 for text in texts]


def understanding(room: Room) -> Understanding:
    return Understanding(Vocabularies(room.retriever.scopes, room.retriever.text), Pieces(room.embedder))  # type: ignore[arg-type]


async def plan(room: Room, question: str, *names: str, model: Model | None = None, **arguments: Any) -> QueryPlan:
    capable = arguments.pop("capable", True)
    asker: Context = arguments.pop("asker", None) or _context()
    asked = QueryQuestion(question, [room.collection], arguments.pop("groups", NOBODY), arguments.pop("history", ()))
    ask = ModelAsk(model, "model", asker, capable=capable) if model else None
    return await understanding(room).plan(asked, techniques(list(names)), ask=ask, **arguments)


def _context() -> Context:
    from mainspring.core.types import Principal

    return Context(Principal("default", "key"))


async def test_without_techniques_the_question_is_searched_as_it_is(room: Room) -> None:
    found = await plan(room, "gridner")
    assert found.queries == (Query("gridner"),)
    assert found.steps == ()


async def test_rewriting_by_the_words_of_the_documents(room: Room) -> None:
    await put(room, "a.txt", "The Annual Percentage Rate (APR) of the grinder is fixed.")
    found = await plan(room, "gridner APR", "acronyms", "spelling")
    assert [query.text for query in found.queries] == ["grinder APR", "grinder APR Annual Percentage Rate"]
    assert [step.name for step in found.steps] == ["spelling", "acronyms"]
    assert found.steps[0].note == "gridner -> grinder"
    assert all(step.changed and step.milliseconds > 0 for step in found.steps)
    (event, _) = found.progress()
    assert event.stage == "query.spelling"
    assert "gridner -> grinder" in event.detail


async def test_words_and_acronyms_of_other_groups_are_not_known(room: Room) -> None:
    await put(room, "a.txt", "The shop is open.")
    await put(room, "b.txt", "Project Nightjar uses the Quarterly Review Board (QRB).", groups=frozenset({"board"}))
    hidden = await plan(room, "Nightjat QRB", "spelling", "acronyms")
    assert [query.text for query in hidden.queries] == ["Nightjat QRB"]
    shown = await plan(room, "Nightjat QRB", "spelling", "acronyms", groups=frozenset({"board"}))
    assert [query.text for query in shown.queries][-1] == "Nightjar QRB Quarterly Review Board"


async def test_the_vocabulary_follows_the_documents(room: Room) -> None:
    one = understanding(room)

    async def text(question: str) -> str:
        return (await one.plan(QueryQuestion(question, [room.collection], NOBODY), ("spelling",))).text

    assert await text("gridner") == "gridner"
    await put(room, "a.txt", "The grinder is red.")
    assert await text("gridner") == "grinder"
    await put(room, "a.txt", "The kettle is red.")
    assert await text("gridner") == "gridner"


async def test_hyde_and_query2doc_lengthen_the_query(room: Room) -> None:
    model = Model("A pseudo document.", "A passage.")
    found = await plan(room, "when open", "hyde", "query2doc", model=model)
    (query,) = found.queries
    assert query.text == "when open"
    assert query.passages == ("A passage.",)
    assert query.dense == "when open\nA pseudo document."
    assert query.lexical == "when open when open when open when open when open A pseudo document."
    assert [step.tokens for step in found.steps] == [30, 30]
    assert found.tokens == 60
    assert all(request.sampling.max_tokens for request in model.requests)


async def test_multi_query_adds_other_wordings(room: Room) -> None:
    model = Model("1. opening hours\n- 'when does it open'\n\nopening hours\nfour\nfive")
    found = await plan(room, "when open", "multi_query", model=model)
    assert [(query.text, query.weight) for query in found.queries] == [
        ("when open", 1.0),
        ("opening hours", 0.5),
        ("when does it open", 0.5),
        ("four", 0.5),
    ]


async def test_decomposition_asks_a_capable_model_where_rules_find_nothing(room: Room) -> None:
    question = "Is the grinder that Leeds sells quieter than the one from York?"
    parts = "Which grinder does Leeds sell?\nWhich grinder does York sell?"
    found = await plan(room, question, "decompose", model=Model(parts))
    assert [query.text for query in found.queries] == [question, *parts.splitlines()]
    assert (await plan(room, question, "decompose", model=Model(), capable=False)).queries == (Query(question),)
    ruled = await plan(room, "What is open and when does it close?", "decompose")
    assert len(ruled.queries) == 3


async def test_follow_ups_are_condensed(room: Room) -> None:
    history = (Message("user", "When does the Leeds shop open?"), Message("assistant", "At nine."))
    ruled = await plan(room, "And York?", "condense", history=history)
    assert ruled.text == "When does the Leeds shop open?\nAnd York?"
    model = Model("When does the York shop open?")
    asked = await plan(room, "And York?", "condense", history=history, model=model)
    assert asked.text == "When does the York shop open?"
    assert "At nine." in model.requests[0].messages[-1].content
    alone = await plan(room, "How long is the warranty on motors?", "condense", history=history, model=Model())
    assert alone.text == "How long is the warranty on motors?"


async def test_a_failing_model_leaves_the_question_and_says_why(room: Room) -> None:
    model = Model(EngineError("it broke"), "", EngineError("again"))
    found = await plan(room, "when open", "multi_query", "query2doc", "hyde", model=model)
    assert found.queries == (Query("when open"),)
    assert [(step.changed, step.note) for step in found.steps] == [
        (False, "the model failed: engine_error"),
        (False, "the model wrote nothing"),
        (False, "the model failed: engine_error"),
    ]


async def test_a_spent_budget_ends_the_asking(room: Room) -> None:
    model = Model("other words", tokens=200)
    found = await plan(room, "when open", "multi_query", "hyde", model=model, max_tokens=250)
    assert [step.note for step in found.steps] == ["", "the token budget is spent"]
    assert len(model.requests) == 1


async def test_other_errors_are_not_swallowed(room: Room) -> None:
    with pytest.raises(ZeroDivisionError):
        await plan(room, "when open", "hyde", model=Model(ZeroDivisionError()))


async def test_complexity_says_how_many_passages(room: Room) -> None:
    assert (await plan(room, "List all open shops", "complexity")).top_k == 10
    assert (await plan(room, "List all open shops")).top_k is None


async def test_what_needs_a_model_says_so(room: Room) -> None:
    with pytest.raises(Unsupported, match="hyde"):
        await plan(room, "when open", "hyde")
    with pytest.raises(InvalidRequest, match="telepathy"):
        techniques(["telepathy"])
    with pytest.raises(InvalidRequest):
        await plan(room, " ", "spelling")


def test_steps_are_described() -> None:
    assert described(PlanStep("hyde", 12.34, 30, True)) == "12.3 ms, 30 tokens"
    assert described(PlanStep("hyde", 1, note="the model failed: x")) == "1.0 ms unchanged: the model failed: x"


def test_equal_queries_become_one() -> None:
    assert unique([Query("When open"), Query("when  open", weight=0.5)]) == (Query("When open", weight=1.5),)


def test_lines_of_a_reply() -> None:
    assert lines('1) "one"\n2. two\n\n* two\n---\nthree', 3) == ["one", "two", "three"]
    assert multi_query.MAX_TOKENS > 0
