"""Articles that are assembled of cited sentences: are their questions answered, and are their citations right?

    MAINSPRING_DATA=... python benchmarks/content.py

Documents are the articles of SQuAD's development part, ten paragraphs each, in one collection. Each is the topic of
two briefs, of which twenty are drawn, each with three questions; the others are there to be mistaken for it. No rule of
the pipeline was set on SQuAD. A question counts as answered if its section has a gold answer. A statement's citation is
right if the quote stands at its place in the stored text and the document is the topic's. Support is that of the RAG
triad with the section's question, which the pipeline does not use: sentences that are taken word for word should pass.
No model writes here. CPU seconds are this process's; wall seconds are those from the brief to the
finished article, which the guide wants within 30 to 90.
Writes ``benchmarks/results/content.json``.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from _library import data
from _report import Figure, report
from mainspring.core.path import collect
from mainspring.core.settings import load
from mainspring.core.types import ChatRequest, Context, Message
from mainspring.features.content.service import Content
from mainspring.features.content.text.article import Article
from mainspring.rag.triad.metrics import Triad
from mainspring.system import System

TOPICS, QUESTIONS, PARAGRAPHS, SEED = 20, 3, 10, 11
WHOLE_S = 90.0
"""The guide's longest time of an article, with research and draft."""


def plain(text: str) -> str:
    """``text`` as answers are compared."""
    return " ".join(re.findall(r"\w+", text.lower()))


def topics(folder: Path) -> tuple[dict[str, str], list[tuple[str, list[tuple[str, list[str]]]]]]:
    """The documents by title, and (title, questions with their gold answers) of the briefs."""
    chance = random.Random(SEED)
    documents, briefs = {}, []
    for article in json.loads((folder / "dev-v2.0.json").read_text(encoding="utf-8"))["data"]:
        title, parts = article["title"].replace("_", " "), article["paragraphs"][:PARAGRAPHS]
        documents[title] = f"# {title}\n\n" + "\n\n".join(part["context"] for part in parts)
        asked = [
            (each["question"].strip(), sorted({one["text"] for one in each["answers"]}))
            for part in parts
            for each in part["qas"]
            if each["answers"] and not each.get("is_impossible")
        ]
        drawn = chance.sample(asked, 2 * QUESTIONS)
        briefs += [(title, drawn[:QUESTIONS]), (title, drawn[QUESTIONS:])]
    return documents, chance.sample(briefs, TOPICS)


def shown(article: Article, question: str) -> str:
    """The text of the section that answers ``question``."""
    found = next((each for each in article.sections if question in each.questions), None)
    parts = [] if found is None else found.paragraphs
    return " ".join(each.text for part in parts for each in part.statements if each.shown)


async def measured(folder: Path) -> dict[str, Figure]:
    """The figures of all briefs."""
    documents, briefs = topics(folder)
    loaded = load().settings
    counts: Counter[str] = Counter()
    seconds, walls, tokens = 0.0, list[float](), Counter[str]()
    with tempfile.TemporaryDirectory() as home:
        places = Path(home, "documents")
        places.mkdir()
        for title, text in documents.items():
            (places / f"{title}.md").write_text(text, encoding="utf-8")
        models = loaded.models.model_copy(update={"chat": ()})
        settings = loaded.model_copy(update={"home": Path(home, "home"), "models": models})
        async with System.open(settings) as system:
            await system.library.ingest(system.local, "encyclopaedia", [places])
            content, triad = system.services[Content], Triad(system.rooms.engines.embedder)
            for title, asked in briefs:
                options: dict[str, Any] = {"collections": ["encyclopaedia"], "questions": [each for each, _ in asked]}
                begun, started = time.process_time(), time.monotonic()
                request = ChatRequest("content", (Message("user", title),), options={**options, "length": "short"})
                answer = await collect(await system.respond(request, Context(system.local)))
                seconds += time.process_time() - begun
                walls.append(time.monotonic() - started)
                name = next(each.id for each in answer.notices if each.code == "content_article")
                kept = await content.articles.get(system.local, name)
                article = (await content.articles.version(kept)).article
                tokens.update({each.step: each.tokens for each in article.costs})
                await counted(article, title, asked, documents[title], triad, counts)
    return figures(counts, seconds, walls, tokens)


async def counted(
    article: Article, title: str, asked: list[tuple[str, list[str]]], text: str, triad: Triad, counts: Counter[str]
) -> None:
    """Add what one article has to ``counts``."""
    for question, gold in asked:
        said = plain(shown(article, question))
        counts["asked"] += 1
        counts["covered"] += any(f" {plain(each)} " in f" {said} " for each in gold)
        counts["silent"] += not said
    for section in article.sections:
        for each in (one for part in section.paragraphs for one in part.statements):
            cited = [article.evidence[at] for at in each.evidence]
            counts["statements"] += 1
            right = [one.quote in text and article.sources[one.source - 1].title == f"{title}.md" for one in cited]
            counts["right"] += bool(right) and all(right)
            claim = await triad.claim(each.text, [one.quote for one in cited], section.questions[0])
            counts["supported"] += claim.supported
    counts["words"] += sum(len(each.text.split()) for each in article.statements() if each.shown)
    counts["flagged"] += sum(not each.attributed for each in article.overlaps)


def figures(counts: Counter[str], seconds: float, walls: list[float], tokens: Counter[str]) -> dict[str, Figure]:
    """The figures for the report."""
    briefs, n = f"{TOPICS} briefs", f"{counts['statements']} statements"
    asked = f"{counts['asked']} questions of the briefs"
    found = {
        "questions answered": Figure(counts["covered"] / counts["asked"], "share", "higher", against=asked),
        "questions without a section": Figure(counts["silent"] / counts["asked"], "share", "lower", against=asked),
        "citations right": Figure(counts["right"] / counts["statements"], "share", "higher", 0.9, 0.98, n),
        "statements supported": Figure(
            counts["supported"] / counts["statements"], "share", "higher", against=f"the triad's check, {n}"
        ),
        "words": Figure(counts["words"] / TOPICS, "words an article", "higher", against=f"350 wanted, {briefs}"),
        "copied without citation": Figure(counts["flagged"] / TOPICS, "runs an article", "lower", 0.1, 0.0, briefs),
        "CPU": Figure(seconds / TOPICS, "s an article", "lower", against=f"extractive, {briefs}"),
        "brief to article, p50": Figure(statistics.median(walls), "s", "lower", against=f"extractive, {briefs}"),
        "brief to article, longest": Figure(max(walls), "s", "lower", WHOLE_S, against=f"the guide's 90 s, {briefs}"),
    }
    return found | {
        f"tokens of {step}": Figure(count / TOPICS, "tokens an article", "lower", against=briefs)
        for step, count in tokens.items()
    }


if __name__ == "__main__":
    report("content", asyncio.run(measured(data("qa/squad"))))
