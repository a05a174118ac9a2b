"""Disagreements and missing parts: how many are found, and how many reports are false.

    MAINSPRING_DATA=... python benchmarks/conflicts.py [--dev]

Disagreements: the reported pairs of samples/contradictions.yaml (written with the rules in mind, by one hand: recall on
free text is lower), and every disagreement that answers to SQuAD's and the handbook's questions show, where next to
none should be: each is printed. Parts: two questions of SQuAD in one, both about its paragraphs, or the second one
about paragraphs that were left out.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import yaml

from _library import Bench, bench, data
from _report import Figure, report, table
from answers import ask
from mainspring.core.path import Answer, collect
from mainspring.features.evaluate.sets import public
from mainspring.rag.answer.contradict import disagreements
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit

SAMPLES = Path(__file__).parent.parent / "samples"
QUESTIONS, PAIRS = 150, 30


def passage(document: str, text: str, heading: str) -> Passage:
    hit = Hit(document, document, "c", document, text, 0, len(text), None, heading, 1, 0.5, None, 1, None, "blob")
    return Passage(hit, text, 0, len(text), "sentence", heading, 1.0, 0.5)


def constructed(development: bool) -> dict[str, Figure]:
    """The rules on pairs of sentences."""
    pairs = yaml.safe_load((SAMPLES / "contradictions.yaml").read_text(encoding="utf-8"))["pairs"]
    fired = []
    for pair in pairs[0 if development else 1 :: 2]:
        heading = pair.get("heading", "Handbook")
        both = [passage("a", pair["one"], heading), passage("b", pair["other"], pair.get("heading2", heading))]
        fired.append((pair["conflict"], bool(disagreements(pair["question"], both[:1], both))))
    right = sum(conflict and found for conflict, found in fired)
    all_found = sum(found for _, found in fired)
    conflicts = sum(conflict for conflict, _ in fired)
    against = f"{len(fired)} pairs, {conflicts} of which disagree"
    return {
        "pairs: precision": Figure(right / max(1, all_found), "", "higher", 0.9, 1.0, against),
        "pairs: recall": Figure(right / conflicts, "", "higher", against=against),
    }


async def answered(library: Bench, question: str) -> Answer:
    return await collect(await library.answerer().respond(ask(question), library.context()))


async def squad(development: bool) -> dict[str, Figure]:
    """Disagreements and missing parts over SQuAD's paragraphs."""
    judged = public.squad_refusal(data(".")).part("development" if development else "reported")
    here = [each.text for each in judged.queries if each.kind == "answerable"]
    away = [each.text for each in judged.queries if each.kind == "off_topic"]
    async with bench() as library:
        await library.fill([(document.name, document.read().decode()) for document in judged.documents])
        shown = 0
        for question in here[:QUESTIONS]:
            found = await answered(library, question)
            shown += bool(found.contradictions)
            for each in found.contradictions:
                print(f"SQuAD: {question}\n  {[(claim.value, claim.source) for claim in each.claims]} {found.text}\n")
        told = silent = wrong = 0
        for number in range(PAIRS):
            first, second, other = here[number].rstrip(), here[-1 - number].rstrip(), away[number].rstrip()
            both = await answered(library, f"{first} {second}")
            wrong += bool(both.missing)
            half = await answered(library, f"{first} {other}")
            told += [each.part for each in half.missing] == [other]
            silent += not half.missing
    return {
        "SQuAD: answers that show a disagreement": Figure(
            shown / QUESTIONS, "", "lower", 0.02, 0.01, f"{QUESTIONS} questions, next to none should"
        ),
        "parts: the one that is off topic is named": Figure(
            told / PAIRS, "", "higher", 0.8, 0.9, f"{PAIRS} questions of two parts; not noticed in {silent}"
        ),
        "parts: one that is answerable is called missing": Figure(
            wrong / PAIRS, "", "lower", 0.1, 0.05, f"{PAIRS} questions of two parts"
        ),
    }


async def handbook() -> dict[str, Figure]:
    """Disagreements over the sample handbook, which has none that its questions touch."""
    rows = yaml.safe_load((SAMPLES / "questions.yaml").read_text(encoding="utf-8"))["questions"]
    rows += yaml.safe_load((SAMPLES / "twohop.yaml").read_text(encoding="utf-8"))["questions"]
    shown = 0
    async with bench() as library:
        await library.ingestor.sync(library.collection, [SAMPLES / "handbook"])
        for row in rows:
            found = await answered(library, row["question"])
            shown += bool(found.contradictions)
            for each in found.contradictions:
                print(f"handbook: {row['question']}\n  {each}\n")
    return {
        "handbook: answers that show a disagreement": Figure(
            shown / len(rows), "", "lower", 0.02, 0.0, f"{len(rows)} questions"
        )
    }


async def main(development: bool) -> None:
    figures = constructed(development)
    figures |= await handbook()
    figures |= await squad(development)
    if development:
        print(table(figures))
    else:
        report("conflicts", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true", help="only on what is for development; writes no results")
    asyncio.run(main(parser.parse_args().dev))
