"""The assistant's prompt enhancer: what it repairs, what it harms, and whether searches find more with it.

    MAINSPRING_DATA=... python benchmarks/assistant_enhancer.py

Typos are made over questions of SQuAD by a generator (``_mistyped.py``): one slip in one word of each. The rules were
looked at with the articles of even number; these figures are of the others, and of sets that were not looked at.
Clean texts are questions, commands and dialogues in English, the same questions in lower case (their names are words
like others then), sentences of other languages, and programs. They have typing errors of their own: every change was
read, and those that repair none are counted as harm (``HARMS``; new ones are printed). Searches go over the paragraphs
of those articles through the product's own retriever; a question counts if its paragraph is first. Differences are of
pairs. Writes ``benchmarks/results/assistant_enhancer.json``.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from _library import bench
from _mistyped import Mistyped, mistyped
from _report import Figure, data_sets, report
from mainspring.core.settings import RagSettings
from mainspring.features.assistant.enhance.enhancer import Enhanced, enhanced
from mainspring.features.assistant.enhance.typos import english
from mainspring.features.evaluate.answers import wilson
from mainspring.rag.search.selection import SearchOptions
from mainspring.statistics.significance import interval

PARAGRAPHS, SEARCHES = 250, 250
HARM_FLOOR = 0.005
HARMS = {
    *(("decnet", "decent"), ("savery", "slavery"), ("fundraise", "fundraiser")),
    *(("referted", "referred"), ("curreng", "current")),
}
"""The changes in clean texts that are no repair, by reading them all."""


def squad(folder: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """The paragraphs of the articles that are reported on, and (question, paragraph) of those."""
    found = json.loads((folder / "qa/squad/dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    names = sorted({each["title"] for each in found})
    held = set(names[1::2])
    paragraphs, questions = [], []
    for article in (each for each in found if each["title"] in held):
        for paragraph in article["paragraphs"]:
            paragraphs.append(paragraph["context"])
            questions += [(each["question"].strip(), paragraph["context"]) for each in paragraph["qas"]]
    return paragraphs, questions


def clean(folder: Path, questions: Sequence[str]) -> dict[str, list[str]]:
    """Texts in which nothing should change."""
    safety, dialogue = folder / "safety", folder / "agents/support_dialogue"
    with (safety / "xstest_prompts.csv").open(encoding="utf-8", newline="") as file:
        prompts = [row["prompt"] for row in csv.DictReader(file)]
    gsm8k = (folder / "qa/gsm8k/test.jsonl").read_text(encoding="utf-8").splitlines()
    with gzip.open(folder / "qa/humaneval/HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        programs = [json.loads(line)["prompt"] for line in file]
    with (dialogue / "banking77/test.csv").open(encoding="utf-8", newline="") as file:
        bank = [row["text"] for row in csv.DictReader(file)]
    return {
        "questions (SQuAD)": list(questions),
        "the same in lower case": [each.lower() for each in questions],
        "safe and unsafe prompts (XSTest)": prompts,
        "word problems (GSM8K)": [json.loads(line)["question"] for line in gsm8k[600:]],
        "customers of a bank (Banking77)": bank,
        "programs (HumanEval)": programs,
        **{f"sentences in {name}": each for name, each in foreign(folder).items()},
    }


def foreign(folder: Path) -> dict[str, list[str]]:
    """Sentences of Tatoeba in French and Spanish."""
    found = {}
    for code, name in (("fra", "French"), ("spa", "Spanish")):
        text = (folder / f"sequence/tatoeba/laser_test/tatoeba.{code}-eng.{code}").read_text(encoding="utf-8")
        found[name] = [line for line in text.splitlines() if line]
    return found


def repaired(texts: Sequence[Mistyped]) -> dict[str, Figure]:
    """What becomes of each typo."""
    counts: Counter[str] = Counter()
    for each in texts:
        found = read(each.text)
        changed = {change.written: change.read for change in found.changes}
        if found.text == each.meant:
            counts["as it was meant"] += 1
        elif each.typed in changed and changed[each.typed] != each.word:
            counts["as another word"] += 1
        else:
            counts["left"] += 1
    figures = {}
    for name in ("as it was meant", "left", "as another word"):
        found_share = wilson(counts[name], len(texts))
        figures[f"typos: {name}"] = Figure(
            counts[name] / len(texts),
            "share",
            "higher" if name == "as it was meant" else "lower",
            against=f"{len(texts)} questions with one typo, {found_share.low:.3f}-{found_share.high:.3f}",
        )
    return figures


def read(text: str) -> Enhanced:
    return enhanced(text, english())


def harmed(sets: dict[str, list[str]]) -> dict[str, Figure]:
    """The share of clean texts that change, and of those that change for the worse."""
    figures = {}
    for name, texts in sets.items():
        changes = [{(one.written, one.read) for one in read(text).changes} for text in texts]
        print(f"{name}: {sorted(set().union(*changes))}")
        for label, count, floor in (
            ("changed", sum(map(bool, changes)), None),
            ("harmed", sum(bool(each & HARMS) for each in changes), HARM_FLOOR),
        ):
            found = wilson(count, len(texts))
            told = f"{len(texts)} texts, {found.low:.4f}-{found.high:.4f}"
            figures[f"clean texts {label}: {name}"] = Figure(count / len(texts), "share", "lower", floor, None, told)
    return figures


async def searched(paragraphs: Sequence[str], pairs: Sequence[tuple[Mistyped, str]]) -> dict[str, Figure]:
    """Whether the paragraph of a question is first, for the question as it was meant, as typed, and as read."""
    figures = {}
    async with bench(RagSettings(refuse_below=0.0)) as library:
        names = {text: f"p{number:04}" for number, text in enumerate(paragraphs)}
        await library.fill((name, text) for text, name in names.items())
        firsts: dict[str, list[int]] = {"as it was meant": [], "as typed": [], "as read": []}
        for each, paragraph in pairs:
            texts = (each.meant, each.text, read(each.text).text)
            for way, text in zip(firsts, texts, strict=True):
                hits = await library.retriever.candidates(
                    library.collection, text, 5, groups=None, options=SearchOptions()
                )
                found = bool(hits) and hits[0].source.removesuffix(".txt") == names[paragraph]
                firsts[way].append(int(found))
    for way, values in firsts.items():
        share = wilson(sum(values), len(values))
        figures[f"search finds the paragraph first: {way}"] = Figure(
            sum(values) / len(values),
            "share",
            "higher",
            against=f"{len(values)} questions, {share.low:.3f}-{share.high:.3f}",
        )
    gained = interval([one - other for one, other in zip(firsts["as read"], firsts["as typed"], strict=True)])
    figures["search: as read against as typed"] = Figure(
        gained.value, "share", "higher", 0.0, None, f"{len(pairs)} pairs, {gained.low:+.3f} to {gained.high:+.3f}"
    )
    return figures


def cost(texts: Sequence[str]) -> Figure:
    read(texts[0])
    begun = time.process_time()
    for text in texts:
        read(text)
    each = (time.process_time() - begun) / len(texts)
    return Figure(each * 1e3, "CPU ms a message", "lower", 50.0, 1.0, f"{len(texts)} questions; the guide allows 50 ms")


def main() -> None:
    folder = data_sets()
    paragraphs, asked = squad(folder)
    generator = random.Random(20261128)
    figures = harmed(clean(folder, [each for each, _ in asked]))
    made = [(typed, paragraph) for question, paragraph in asked if (typed := mistyped(question, generator)) is not None]
    figures |= repaired([each for each, _ in made])
    figures["cost"] = cost([each.text for each, _ in made])
    some = paragraphs[:PARAGRAPHS]
    pairs = [each for each in made if each[1] in set(some)]
    figures |= asyncio.run(searched(some, generator.sample(pairs, min(SEARCHES, len(pairs)))))
    report("assistant_enhancer", figures)


if __name__ == "__main__":
    main()
