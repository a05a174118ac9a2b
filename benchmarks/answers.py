"""Answers from documents on SQuAD: does what is shown hold the gold answer (`hit_rates.py`: is the paragraph found).

    MAINSPRING_DATA=... python benchmarks/answers.py [--dev] [--generative N]

All paragraphs are one collection, each a document; 500 answerable questions are drawn with a fixed seed. Extractive
answers show at most three sentences and 90 words; an answer counts when it contains a gold string at token boundaries.
The weights of sentences, of fusion and of refusal were set on other questions of the same file (``--dev`` draws from
those; the two draws share no question).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from _library import Bench, bench, data
from _report import Figure, report, table
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Message
from mainspring.rag.answer.generate import UNSUPPORTED
from mainspring.rag.search.hit import Hit

SAMPLE = 500
SEED = 2024
DEVELOPMENT_SEED = 7


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the name of the paragraph that answers it, and the answers that annotators gave."""

    id: str
    text: str
    paragraph: str
    answers: tuple[str, ...]


def squad() -> tuple[list[tuple[str, str]], list[Question]]:
    """(name, text) of each paragraph, and the answerable questions by id."""
    articles = json.loads((data("qa/squad") / "dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    paragraphs: list[tuple[str, str]] = []
    questions: list[Question] = []
    for article in articles:
        for paragraph in article["paragraphs"]:
            name = f"p{len(paragraphs):04}"
            paragraphs.append((name, paragraph["context"]))
            questions += [
                Question(each["id"], each["question"], name, tuple(sorted({a["text"] for a in each["answers"]})))
                for each in paragraph["qas"]
                if each["answers"] and not each.get("is_impossible")
            ]
    return paragraphs, sorted(questions, key=lambda each: each.id)


def draw(questions: Sequence[Question], development: bool) -> list[Question]:
    """The reported questions, or others."""
    reported = random.Random(SEED).sample(questions, SAMPLE)
    if not development:
        return reported
    taken = {each.id for each in reported}
    others = [each for each in questions if each.id not in taken]
    return random.Random(DEVELOPMENT_SEED).sample(others, SAMPLE)


def holds(shown: str, answers: Sequence[str]) -> bool:
    """Whether a gold answer stands in ``shown``, not inside a longer word."""
    return any(re.search(rf"(?<!\w){re.escape(answer)}(?!\w)", shown) for answer in answers)


def rank(hits: Sequence[Hit], name: str) -> int:
    """The place of a document among the documents of ``hits``, from 1; a large number where it is absent."""
    order = list(dict.fromkeys(hit.source.removesuffix(".txt") for hit in hits))
    return order.index(name) + 1 if name in order else 1_000_000


def by_words(hits: Sequence[Hit]) -> list[Hit]:
    return sorted((hit for hit in hits if hit.lexical_rank), key=lambda hit: hit.lexical_rank or 0)


def by_vectors(hits: Sequence[Hit]) -> list[Hit]:
    return sorted((hit for hit in hits if hit.dense_rank), key=lambda hit: hit.dense_rank or 0)


async def extract(library: Bench, questions: Sequence[Question]) -> dict[str, Figure]:
    """What extractive answers show."""
    answerer = library.answerer()
    held = refused = shown_words = shown = 0
    for question in questions:
        answer = await collect(await answerer.respond(ask(question.text), library.context()))
        quotes = [citation.quote for citation in answer.citations]
        refused += answer.answered is False
        held += any(holds(quote, question.answers) for quote in quotes)
        shown_words += sum(len(quote.split()) for quote in quotes)
        shown += len(quotes)
    count = len(questions)
    against = f"{count} questions, {shown / count:.1f} sentences and {shown_words / count:.0f} words shown on average"
    return {
        "extractive: gold answer shown": Figure(held / count, "share", "higher", against=against),
        "extractive: wrongly refused": Figure(refused / count, "share", "lower", against=f"{count} questions"),
    }


async def write(library: Bench, questions: Sequence[Question]) -> dict[str, Figure]:
    """What the default chat model writes from the same passages."""
    from mainspring import engines
    from mainspring.rag.answer.generate import AnswerWriter
    from mainspring.rag.answer.responder import DocumentAnswerer

    async with engines.open(library.settings) as opened:
        model = next(iter(opened.chat.values()))
        await model.engine.start()
        writer = AnswerWriter(
            model.responder,
            library.embedder,
            model=model.name,
            context_window=model.engine.capabilities.context_window,
        )
        answerer = DocumentAnswerer(
            library.retriever,
            library.collections,
            library.settings.rag,
            collection=library.collection,
            writer=writer,
        )
        held = marked = sentences = checked = checked_held = 0
        for question in questions:
            request = ask(question.text, mode="generative")
            answer = await collect(await answerer.respond(request, library.context()))
            right = holds(answer.text, question.answers)
            held += right
            unsupported = answer.text.count(UNSUPPORTED)
            marked += unsupported
            sentences += unsupported + len(re.findall(r"\[\d+\]", answer.text))
            if not unsupported and answer.citations:
                checked += 1
                checked_held += right
    against = f"{model.name}, {len(questions)} questions"
    return {
        "generative: gold answer written": Figure(held / len(questions), "", "higher", against=against),
        "generative: sentences marked unsupported": Figure(marked / max(1, sentences), "", "lower", against=against),
        "generative: gold where all sentences passed": Figure(
            checked_held / max(1, checked), "", "higher", against=f"{checked} answers: the check is a heuristic"
        ),
    }


def ask(question: str, **options: object) -> ChatRequest:
    return ChatRequest("bench", (Message("user", question),), options=options)


async def main(development: bool, generative: int) -> None:
    paragraphs, questions = squad()
    drawn = draw(questions, development)
    async with bench() as library:
        filled = await library.fill(paragraphs)
        print(f"{len(paragraphs)} paragraphs, {filled.chunks} chunks, {filled.seconds:.0f} s")
        figures = await extract(library, drawn)
        if generative:
            figures |= await write(library, drawn[:generative])
    if development:
        print(table(figures))
    else:
        report("answers", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true", help="only on what is for development; writes no results")
    parser.add_argument("--generative", type=int, default=50, metavar="N", help="questions that a model answers")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.dev, arguments.generative))
