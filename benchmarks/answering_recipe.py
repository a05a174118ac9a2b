"""Whether the recipe ``answering`` makes answers from documents better than the shipped weights and evidence do.

    python benchmarks/answering_recipe.py [--questions 300] [--seed 0]

Questions of SQuAD 2.0's development set, each over its own paragraph and three others of its article; for half as many
the own paragraph is missing, so that nothing answers them. Articles are divided: what is fitted and chosen on two parts
is measured on the third. There an answer is chosen by the code that answers requests, with the shipped weights and with
the fitted ones, within the same budget. Needs the set in $MAINSPRING_DATA/qa/squad.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from _report import SKIPPED, Figure, report
from mainspring.core.errors import NothingLearned
from mainspring.core.settings import RagSettings, load
from mainspring.engines import builtin
from mainspring.engines.base import Embedder
from mainspring.rag.answer.verbatim.choice_weights import SHIPPED, ChoiceWeights
from mainspring.rag.answer.verbatim.extract import choose
from mainspring.statistics.significance import interval
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.recipes import find
from mainspring.training.run import Run
from mainspring.training.small.searched import looked, says

OTHERS = 3
Row = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=300, help="answerable questions of each part")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    parts = divided(given.questions, given.seed)
    with tempfile.TemporaryDirectory() as home:
        folder = Folder(Path(home))
        folder.create(RunRequest("answering", seed=given.seed))
        for side, rows in zip(("train", "validation", "test"), parts, strict=True):
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (folder.data / f"{side}.jsonl").write_text(lines, encoding="utf-8")
        try:
            made = Run(find("answering"), folder, folder.asked).do()
        except NothingLearned as error:
            sys.exit(f"nothing is reported: {error.message}")
    figures: dict[str, Figure] = {}
    if "weights" in made.value:
        old, new = asyncio.run(shown(parts[2], ChoiceWeights.of(made.value["weights"])))
        note(figures, "answer shown", new, old)
    for name, said in (("first_right", "first sentence right"), ("judged_right", "answered or refused rightly")):
        if name in made.figures:
            low, high = made.intervals[name]
            gain = next(note for note in made.notes if note.startswith(name))
            against = f"shipped {made.before[name]:.3f}, 95 % [{low:.3f}, {high:.3f}]; {gain}"
            figures[said] = Figure(made.figures[name], "share", "higher", against=against)
    print("\n".join(made.notes))
    print(json.dumps(made.value))
    report("answering_recipe", figures)


def note(figures: dict[str, Figure], name: str, new: Sequence[float], old: Sequence[float]) -> None:
    gain = interval([a - b for a, b in zip(new, old, strict=True)])
    against = f"shipped {sum(old) / len(old):.3f}, difference {gain.text()}, {len(new)} questions"
    figures[name] = Figure(sum(new) / len(new), "share", "higher", against=against)


async def shown(rows: Sequence[Row], fitted: ChoiceWeights) -> tuple[list[float], list[float]]:
    """Of each question that can be answered, whether the chosen sentences have the answer: shipped, and fitted."""
    settings = load().settings
    embedder = await builtin.embedder(settings)
    asked = [row for row in rows if row["answer"]]
    try:
        old = [await holds(row, SHIPPED, embedder, settings.rag) for row in asked]
        new = [await holds(row, fitted, embedder, settings.rag) for row in asked]
    finally:
        await embedder.close()
    return old, new


async def holds(row: Row, choice: ChoiceWeights, embedder: Embedder, rag: RagSettings) -> float:
    found = await looked(row["question"], row["documents"], embedder, choice)
    if found is None:
        return 0.0
    chosen = choose(found.passages, max_sentences=rag.max_sentences, max_words=rag.max_words, choice=choice)
    return float(says(" ".join(each.text for each in chosen), row["answer"]))


def divided(most: int, seed: int) -> list[list[Row]]:
    """The rows of three parts, with articles of their own."""
    path = Path(os.environ.get("MAINSPRING_DATA", ""), "qa", "squad", "dev-v2.0.json")
    if not path.is_file():
        print(f"there is no {path}: set MAINSPRING_DATA")
        sys.exit(SKIPPED)
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    drawn = random.Random(seed)
    drawn.shuffle(articles)
    parts: list[list[Row]] = []
    for part in range(3):
        rows = [row for article in articles[part::3] for row in asked(article, drawn)]
        answered = [row for row in rows if row["answer"]]
        missing = [row for row in rows if not row["answer"]]
        part_rows = drawn.sample(answered, min(most, len(answered)))
        part_rows += drawn.sample(missing, min(most // 2, len(missing)))
        drawn.shuffle(part_rows)
        parts.append(part_rows)
    return parts


def asked(article: Mapping[str, Any], drawn: random.Random) -> list[Row]:
    """Each question over its paragraph and others of the article, and over the others alone."""
    texts = [each["context"] for each in article["paragraphs"]]
    rows: list[Row] = []
    for place, paragraph in enumerate(article["paragraphs"]):
        others = [text for number, text in enumerate(texts) if number != place]
        for question in paragraph["qas"]:
            if question.get("is_impossible") or not question["answers"]:
                continue
            answer = question["answers"][0]["text"]
            beside = drawn.sample(others, min(OTHERS, len(others)))
            documents = [texts[place], *beside]
            drawn.shuffle(documents)
            rows.append({"question": question["question"], "documents": documents, "answer": answer})
            without = [text for text in beside if answer.casefold() not in text.casefold()]
            rows.append({"question": question["question"], "documents": without, "answer": ""})
    return rows


if __name__ == "__main__":
    main()
