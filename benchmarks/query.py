"""Query understanding, on and off: nDCG@10 of each technique on plain, misspelt and abbreviated queries.

    MAINSPRING_DATA=... python benchmarks/query.py [--dev] [--model NAME]

Misspelt are the queries of Cranfield and CACM by rule: in two of their longer words two letters change places, or
one is left out, doubled or replaced by its neighbour on the keyboard. Acronyms are queries of their own: the short form
of each that the documents explain, for which those documents are relevant that have the long form. ``--model``
measures the techniques that ask a chat model as well, which must be pulled; its tokens and milliseconds a query stand
beside the quality. Halves are those of ``retrieval.py`` (acronyms by their place in the alphabet): nothing that is
reported was looked at while a technique was made.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from _library import Bench, bench, data
from _report import Figure, report, table
from mainspring import engines
from mainspring.core.settings import ModelsSettings, Settings
from mainspring.engines import Engines
from mainspring.features.evaluate.sets.collections import JudgedCollection
from mainspring.features.evaluate.sets.loading import load
from mainspring.rag.ingest.vocabulary import Vocabularies, Vocabulary
from mainspring.rag.query.model import ModelAsk
from mainspring.rag.query.understand import QueryQuestion, Technique, Understanding
from mainspring.rag.search.selection import SearchOptions
from mainspring.rag.text import terms
from mainspring.statistics import ranking

DEPTH = 50
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_RULES: tuple[tuple[Technique, ...], ...] = (
    (),
    ("spelling",),
    ("acronyms",),
    ("spelling", "acronyms"),
    ("decompose",),
)
_MODELS: tuple[tuple[Technique, ...], ...] = (("multi_query",), ("query2doc",), ("hyde",))
_MISSPELT_WORDS = 2

AskOf = Callable[[], ModelAsk] | None


@dataclass(slots=True)
class Row:
    """What one technique came to: nDCG@10 of each query, milliseconds and tokens of understanding it."""

    quality: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    changed: int = 0


def misspelt(query: str, seed: int) -> str:
    """``query`` with an error in each of two of its longer words; the same for the same seed."""
    draw = random.Random(seed)
    words = [match for match in re.finditer(r"[a-z]{5,}", query.lower()) if not terms.stops(match.group())]
    chosen = sorted(draw.sample(words, min(_MISSPELT_WORDS, len(words))), key=lambda match: -match.start())
    for match in chosen:
        query = query[: match.start()] + _wrong(match.group(), draw) + query[match.end() :]
    return query


def _wrong(word: str, draw: random.Random) -> str:
    at = draw.randrange(1, len(word) - 1)
    kind = draw.choice(("swap", "drop", "double", "neighbour"))
    if kind == "swap":
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == "drop":
        return word[:at] + word[at + 1 :]
    if kind == "double":
        return word[:at] + word[at] + word[at:]
    row = next(row for row in _ROWS if word[at] in row)
    place = row.index(word[at])
    return word[:at] + row[place - 1 if place else 1] + word[at + 1 :]


def explained(texts: Mapping[str, str], vocabulary: Vocabulary) -> list[tuple[str, dict[str, int]]]:
    """(short form, gains of the documents that have the long form) of each acronym with at least two of them."""
    found = []
    plain = {name: " ".join(text.lower().split()) for name, text in texts.items()}
    for short, longs in sorted(vocabulary.expansions.items()):
        gains = {name: 1 for name, text in plain.items() if longs[0].lower() in text}
        if len(gains) > 1:
            found.append((short, gains))
    return found


async def measure(
    library: Bench, asked: Sequence[tuple[str, Mapping[str, int]]], names: Sequence[Technique], ask: AskOf
) -> Row:
    """One technique over (query, gains) pairs."""
    vocabularies = Vocabularies(library.retriever.scopes, library.retriever.text)
    understanding = Understanding(vocabularies, library.embedder)
    await vocabularies.of([library.collection], None)
    row = Row()
    for text, gains in asked:
        plan = await understanding.plan(
            QueryQuestion(text, [library.collection], None), names, ask=ask() if ask is not None else None
        )
        hits = await library.retriever.candidates(
            library.collection, text, DEPTH, groups=None, plan=plan, options=SearchOptions()
        )
        ranked = list(dict.fromkeys(hit.source.removesuffix(".txt") for hit in hits))
        row.quality.append(ranking.score({"q": gains}, {"q": ranked}, ("ndcg@10",)).mean("ndcg@10"))
        row.milliseconds.append(sum(step.milliseconds for step in plan.steps))
        row.tokens.append(plan.tokens)
        row.changed += any(step.changed for step in plan.steps)
    return row


async def compare(
    library: Bench, collection: JudgedCollection, texts: Mapping[str, str], ask: AskOf
) -> dict[str, Figure]:
    """The on/off table of one collection that has been ingested."""
    vocabulary = await Vocabularies(library.retriever.scopes, library.retriever.text).of([library.collection], None)
    half = int(collection.queries[0].id) % 2
    kinds: dict[str, list[tuple[str, Mapping[str, int]]]] = {
        "plain": [(query.text, query.gains) for query in collection.queries],
        "misspelt": [(misspelt(query.text, int(query.id)), query.gains) for query in collection.queries],
        "acronym": [pair for place, pair in enumerate(explained(texts, vocabulary)) if place % 2 == half],
    }
    figures: dict[str, Figure] = {}
    for kind, asked in kinds.items():
        if not asked:
            continue
        for names in (*_RULES, *(_MODELS if ask is not None and kind == "plain" else ())):
            row = await measure(library, asked, names, ask)
            label = f"{collection.name} {kind}, {' + '.join(names) or 'off'}"
            cost = f"{statistics.fmean(row.milliseconds):.1f} ms, {statistics.fmean(row.tokens):.0f} tokens a query"
            against = f"{len(asked)} queries, {row.changed} changed; {cost}"
            figures[f"{label}: nDCG@10"] = Figure(statistics.fmean(row.quality), "", "higher", against=against)
    return figures


@asynccontextmanager
async def chat_model(name: str | None) -> AsyncIterator[Callable[[Bench], AskOf]]:
    """Makes what asks the chat model ``name``, without the rings around it; None: nothing does."""
    if name is None:
        yield lambda _: None
        return
    async with engines.open(Settings(models=ModelsSettings(chat=(name,)))) as opened:
        yield lambda library: lambda: _asking(opened, name, library)


def _asking(opened: Engines, name: str, library: Bench) -> ModelAsk:
    model = opened.chat[name]
    return ModelAsk(model.responder, name, library.context(), capable=model.grounded)


async def main(development: bool, model: str | None) -> None:
    figures: dict[str, Figure] = {}
    async with chat_model(model) as asking:
        for name in ("cranfield", "cacm"):
            collection = load(name, data("")).part("development" if development else "reported")
            texts = {document.id: document.read().decode() for document in collection.documents}
            async with bench() as library:
                await library.fill(texts.items())
                figures |= await compare(library, collection, texts, asking(library))
    if development:
        print(table(figures))
    else:
        report("query", figures)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--dev", action="store_true", help="the development half, printed only")
    arguments.add_argument("--model", help="chat model for the techniques that ask one")
    given = arguments.parse_args()
    asyncio.run(main(given.dev, given.model))
