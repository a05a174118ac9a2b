"""Turns a question into a plan: applies the requested techniques in order and times each.

Rules come first. A model is asked if a technique needs its words; it decides (on follow-ups and parts) only if it is
capable. A failing technique leaves the question unchanged and records the failure in its step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import Message
from mainspring.engines.base import Embedder
from mainspring.rag.ingest.vocabulary import Vocabularies
from mainspring.rag.query import acronyms, complexity, condense, decompose, hyde, multi_query, query2doc
from mainspring.rag.query.model import ModelAsk
from mainspring.rag.query.plan import Query, QueryPlan, Steps, unique
from mainspring.rag.search import spelling
from mainspring.rag.search.scope import Groups
from mainspring.stores.documents.collections import Collection

Technique = Literal["condense", "spelling", "acronyms", "decompose", "multi_query", "query2doc", "hyde", "complexity"]
TECHNIQUES: tuple[Technique, ...] = get_args(Technique)
"""In the order of application."""
REWRITING: tuple[Technique, ...] = ("condense", "spelling", "acronyms")
"""The effect of ``rewrite_query``: rules and the documents' own words."""
_NEED_A_MODEL = ("multi_query", "query2doc", "hyde")
ASKING = frozenset({"condense", "decompose", *_NEED_A_MODEL})
"""The techniques that may ask a model."""
MAX_TOKENS = 400
# Weight of a rephrased query relative to the original.
_EXPANDED, _PART = 0.5, 0.5


def techniques(names: object, param: str = "techniques") -> tuple[Technique, ...]:
    """Checked names, in the order of application. Raises ``InvalidRequest`` for others."""
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise InvalidRequest(f"{param} must be a list of names", remedy=f"Known: {', '.join(TECHNIQUES)}", param=param)
    for name in names:
        if name not in TECHNIQUES:
            raise InvalidRequest(f"there is no technique {name}", remedy=f"Known: {', '.join(TECHNIQUES)}", param=param)
    return tuple(name for name in TECHNIQUES if name in names)


@dataclass(frozen=True, slots=True)
class QueryQuestion:
    """A question with its context: ``history`` are earlier messages, ``top_k`` the usual number of passages, ``groups``
    the asker's."""

    question: str
    collections: Sequence[Collection]
    groups: Groups
    history: Sequence[Message] = ()
    top_k: int = 5


class Understanding:
    """Makes plans. ``vocabularies`` are of the collections that are searched."""

    def __init__(self, vocabularies: Vocabularies, embedder: Embedder) -> None:
        self._vocabularies = vocabularies
        self._embedder = embedder

    async def plan(
        self,
        asked: QueryQuestion,
        names: Iterable[Technique],
        *,
        ask: ModelAsk | None = None,
        max_tokens: int = MAX_TOKENS,
        param: str = "techniques",
    ) -> QueryPlan:
        """The plan for a question. ``max_tokens`` limits a model's total input and output: it is asked only while its
        maximum output still fits.

        Raises ``Unsupported``, naming ``param``, if a technique needs a model and there is none.
        """
        wanted = set(names)
        for name in _NEED_A_MODEL:
            if name in wanted and ask is None:
                raise Unsupported(f"{name} needs a chat model", remedy="Configure one in models.chat", param=param)
        making = _Making(asked, ask, max_tokens, Steps(), Query(asked.question), [], None)
        QueryPlan.of(asked.question)
        for name in TECHNIQUES:
            if name in wanted:
                await getattr(self, f"_{name}")(making)
        queries = unique([making.query, *making.others])
        return QueryPlan(queries, tuple(making.steps.done), making.top_k).checked()

    async def _condense(self, making: _Making) -> None:
        with making.steps.step("condense") as step:
            found = await condense.condensed(making.query.text, making.asked.history, making.ask, step, making.room)
            making.query = replace(making.query, text=found)

    async def _spelling(self, making: _Making) -> None:
        with making.steps.step("spelling") as step:
            vocabulary = await self._vocabularies.of(making.asked.collections, making.asked.groups)
            count = self._embedder.count_tokens
            text, corrections = await asyncio.to_thread(spelling.correct, making.query.text, vocabulary, count)
            step.changed = bool(corrections)
            step.note = ", ".join(f"{each.written} -> {each.meant}" for each in corrections)
            making.query = replace(making.query, text=text)

    async def _acronyms(self, making: _Making) -> None:
        with making.steps.step("acronyms") as step:
            vocabulary = await self._vocabularies.of(making.asked.collections, making.asked.groups)
            found = acronyms.expand(making.query.text, vocabulary.expansions, vocabulary.meanings)
            step.changed = bool(found)
            step.note = ", ".join(f"{written} = {meant}" for written, meant in found)
            if found:
                added = " ".join(meant for _, meant in found)
                making.others.append(Query(f"{making.query.text} {added}", weight=_EXPANDED))

    async def _decompose(self, making: _Making) -> None:
        with making.steps.step("decompose") as step:
            parts = decompose.by_rules(making.query.text)
            if not parts and making.ask is not None and making.ask.capable:
                parts = await decompose.by_model(making.query.text, making.ask, step, making.room)
            step.changed = bool(parts)
            step.note = step.note or (f"{len(parts)} parts" if parts else "one part")
            making.others += [Query(part, weight=_PART) for part in parts]

    async def _multi_query(self, making: _Making) -> None:
        assert making.ask is not None
        with making.steps.step("multi_query") as step:
            making.others += await multi_query.rephrased(making.query, making.ask, step, making.room)

    async def _query2doc(self, making: _Making) -> None:
        assert making.ask is not None
        with making.steps.step("query2doc") as step:
            making.query = await query2doc.lengthened(making.query, making.ask, step, making.room)

    async def _hyde(self, making: _Making) -> None:
        assert making.ask is not None
        with making.steps.step("hyde") as step:
            making.query = await hyde.passage(making.query, making.ask, step, making.room)

    async def _complexity(self, making: _Making) -> None:
        with making.steps.step("complexity") as step:
            making.top_k, step.note = complexity.passages(making.query.text, making.asked.top_k)
            step.changed = making.top_k != making.asked.top_k


@dataclass(slots=True)
class _Making:
    """A plan while it is made."""

    asked: QueryQuestion
    ask: ModelAsk | None
    max_tokens: int
    steps: Steps
    query: Query
    others: list[Query]
    top_k: int | None

    @property
    def room(self) -> int:
        """Tokens that a model may still use."""
        return self.max_tokens - sum(step.tokens for step in self.steps.done)
