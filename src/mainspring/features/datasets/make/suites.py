"""Test suites. Of a collection: questions that its documents answer, each with its passage. Of recorded answers:
questions whose answer people approve or have written. Near misses and attacks follow."""

from __future__ import annotations

import dataclasses
import json
import random
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from mainspring.core.errors import Conflict, InvalidRequest, MainspringError, Unsupported
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Grammar, Message, Principal, Priority, Sampling
from mainspring.evaluation.attacks import AttackSource, Attempt
from mainspring.evaluation.example_json import checked
from mainspring.evaluation.examples import Example
from mainspring.evaluation.near_duplicates import NearDuplicates, normal
from mainspring.feature import Rooms
from mainspring.features.datasets.make.traces import TraceFilter, Traces
from mainspring.rag.text import terms
from mainspring.stores.sql import rows
from mainspring.stores.sql.pages import Page

MOST = 100
"""Questions of one suite, and attacks."""
MISS = "near miss"
_DOCUMENTS = 100
_WORDS = 15
_CHARACTERS = 2_000
_TOKENS = 160
_INSTRUCTION = (
    "Write one question that the passage answers, and the answer as short as possible, in words of the passage. "
    'Reply with JSON: {"question": "...", "answer": "..."}'
)
_SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"question": {"type": "string"}, "answer": {"type": "string"}},
        "required": ["question", "answer"],
    }
)
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class SuiteWish:
    """A suite of ``count`` passages of ``collection``, whose questions ``model`` writes, or of ``count`` recorded
    answers that fit ``traces``; with so many ``attacks`` on the questions."""

    collection: str = ""
    model: str = ""
    count: int = 20
    seed: int = 1
    traces: TraceFilter | None = None
    attacks: int = 0


@dataclass(frozen=True, slots=True)
class _Source:
    """A passage that a question is made of."""

    document: str
    text: str
    collection: str = ""
    """Its id."""


class Suites:
    """Makes suites."""

    def __init__(self, rooms: Rooms, traces: Traces) -> None:
        self._rooms = rooms
        self._traces = traces
        self.attacks: AttackSource | None = None

    async def examples(self, context: Context, wish: SuiteWish) -> AsyncIterator[Example]:
        """Questions with their right answers, each followed by its near miss if one could be made, and then attacks.
        Raises ``InvalidRequest`` if the collection has no passage of some length, ``NotFound``, ``Unsupported``."""
        draw = random.Random(wish.seed)
        made: list[Example] = []
        if wish.traces is not None:
            found = self._recorded(context.principal, wish, wish.traces)
        else:
            found = self._asked(context, wish, draw)
        async for each in found:
            made.append(each)
            yield each
        questions = [each for each in made if each.tags.get("suite") != MISS]
        for attacked in await self._attacked(wish, questions):
            yield attacked

    async def _asked(self, context: Context, wish: SuiteWish, draw: random.Random) -> AsyncIterator[Example]:
        """Questions that a passage answers; others are dropped."""
        sources = await self._sources(context.principal, wish, draw)
        if not sources:
            raise InvalidRequest(f"{wish.collection} has no passage that is long enough", param="collection")
        everything = terms.content(" ".join(each.text for each in sources))
        for each in sources:
            made = await self._question(context, wish.model, each)
            if made is None:
                continue
            yield made
            if (miss := near_miss(made, everything, draw)) is not None:
                yield miss

    async def _recorded(self, principal: Principal, wish: SuiteWish, traces: TraceFilter) -> AsyncIterator[Example]:
        """Recorded questions whose right answer is known, no two of them near-duplicates. Where documents were behind
        the answer, a near miss follows."""
        seen, asked, count, draw = NearDuplicates(), set[str](), 0, random.Random(wish.seed)
        async for each in self._traces.examples(principal, traces):
            said = normal(each.question)
            if not each.references or not each.question or said in asked or len(seen.add(said)) > 1:
                continue
            asked.add(said)
            count += 1
            yield dataclasses.replace(each, id=f"suite_{each.id}", tags={**each.tags, "suite": "regression"})
            if each.passages:
                known = terms.content(" ".join((*each.passages, *each.references)))
                if (miss := near_miss(each, known, draw)) is not None:
                    yield dataclasses.replace(miss, id=f"suite_{miss.id}")
            if count == wish.count:
                return

    async def _attacked(self, wish: SuiteWish, questions: Sequence[Example]) -> list[Example]:
        """Attacks behind questions, in turn."""
        if not wish.attacks or not questions:
            return []
        if self.attacks is None:
            raise Unsupported("no feature has attacks here", remedy="Leave attacks out", param="attacks")
        found = await self.attacks.attempts(wish.attacks, wish.seed)
        return [_attack(questions[place % len(questions)], each) for place, each in enumerate(found)]

    async def _sources(self, principal: Principal, wish: SuiteWish, draw: random.Random) -> list[_Source]:
        library = self._rooms.library
        collection = await library.get(principal, wish.collection)
        page = await library.documents_page(principal, wish.collection, Page(_DOCUMENTS))
        documents = list(page.rows)
        draw.shuffle(documents)
        by_document: list[list[_Source]] = []
        for document in documents[: wish.count]:
            try:
                _, chunks = await library.chunks(principal, wish.collection, document.document_id)
            except Conflict:
                # It was not read.
                continue
            texts = [each.text[:_CHARACTERS] for each in chunks if len(each.text.split()) >= _WORDS]
            draw.shuffle(texts)
            by_document.append([_Source(document.document_id, text, collection.id) for text in texts])
        # One passage of each document, then a second one.
        found: list[_Source] = []
        while any(by_document) and len(found) < wish.count:
            for each in by_document:
                if each and len(found) < wish.count:
                    found.append(each.pop())
        return found

    async def _question(self, context: Context, model: str, source: _Source) -> Example | None:
        messages = (Message("system", _INSTRUCTION), Message("user", source.text))
        sampling = Sampling(max_tokens=_TOKENS, temperature=0.0, grammar=Grammar("json_schema", _SCHEMA))
        request = ChatRequest(model, messages, sampling, store=False, options={"cache": False})
        own = context.forked(priority=Priority.BACKGROUND)
        try:
            said = (await collect(await self._rooms.responder.respond(request, own))).text
            found = json.loads(said)
            question, answer = str(found["question"]).strip(), str(found["answer"]).strip()
        except (MainspringError, ValueError, KeyError, TypeError):
            return None
        words = terms.content(answer)
        if not question or not words or not words <= terms.content(source.text) or words <= terms.content(question):
            return None
        return checked(
            Example(
                id=f"suite_{rows.digest(question)[:20]}",
                messages=(Message("user", question),),
                references=(answer,),
                passages=(source.text,),
                refused=False,
                tags={"suite": "answerable"},
                group=source.document,
                documents=(source.document, source.collection),
            )
        )


def _attack(example: Example, attempt: Attempt) -> Example:
    """The question with an attack behind it. Its answer is not the point, so there is no reference."""
    system = Message("system", attempt.system)
    asked = dataclasses.replace(example.messages[-1], content=f"{example.question}\n\n{attempt.text}")
    return checked(
        dataclasses.replace(
            example,
            id=f"suite_{rows.digest(f'{example.id} {attempt.id}')[:20]}-attack",
            messages=(system, *(each for each in example.messages[:-1] if each.role != "system"), asked),
            references=(),
            passages=(),
            refused=None,
            tags={"suite": "attack", "category": attempt.category},
            extra={"attack": {"word": attempt.word, "category": attempt.category}},
        )
    )


def near_miss(example: Example, everything: frozenset[str], draw: random.Random) -> Example | None:
    """The same question about a number or a name that no passage has: the documents do not answer it. None: it has
    neither."""
    question, changed = example.question, ""
    if (number := _NUMBER.search(question)) is not None:
        numbers = [each for each in map(str, draw.sample(range(1000, 9999), 50)) if each not in everything]
        changed = question[: number.start()] + numbers[0] + question[number.end() :] if numbers else ""
    elif names := re.findall(r"(?<=\s)[A-Z][a-z]{2,}", question):
        others = [each for each in draw.sample(_NAMES, len(_NAMES)) if each.lower() not in everything]
        changed = question.replace(names[-1], others[0]) if others else ""
    if not changed or changed == question:
        return None
    return dataclasses.replace(
        example,
        id=f"{example.id}-miss",
        messages=(Message("user", changed),),
        references=(),
        passages=(),
        refused=True,
        tags={"suite": MISS},
        extra={},
    )


_NAMES: Sequence[str] = (
    "Zanzibar",
    "Quillfeather",
    "Tromso",
    "Okonkwo",
    "Vexley",
    "Bergstrand",
    "Ypsilanti",
    "Marrakesh",
)
