"""Written answers against the documents' own words: what they hold, what stands in no source, how long they take.

    python benchmarks/written_answers.py [--dev] [--set handbook|squad|tatqa] [--limit N] [--model NAME]
        [--keep FOLDER] [--busy]

The same questions are answered twice from the same passages: written by the model, and verbatim. Of each: whether a
gold answer stands in it, refusals of questions that the documents do not answer, and words shown. Of the written ones:
numbers that stand in no cited passage (the check must leave none), sentences written again or quoted in the end, and
time to the first token and to the end, which ``--busy`` leaves out: beside other work they say nothing.

``--keep`` keeps the outcome of each question in a file of that folder, so that a run can be ended and gone on with.
``--dev`` uses the development questions only and writes no results; ``heldout.yaml`` and SQuAD's reported draw are
looked at only to report.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from _library import data
from _report import Figure, report, skip, table
from answers import draw, squad
from handbook import DEVELOPMENT, HELD_OUT, SAMPLES, questions
from mainspring.core.errors import ModelNotPulled, UnknownModel
from mainspring.core.path import Answer
from mainspring.core.settings import load
from mainspring.core.types import ChatRequest, Context, Message, Text
from mainspring.engines.catalogue.pull import Puller
from mainspring.features.evaluate.answers import wilson
from mainspring.rag.answer.generate import REFUSAL
from mainspring.rag.answer.write import claims
from mainspring.system import System

COLLECTION = "written"
WRITER = "qwen2.5-coder-1.5b-instruct"


@dataclass(frozen=True, slots=True)
class Question:
    """``answers`` are the gold ones; without any the documents do not answer it."""

    text: str
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a question: both answers; of the written one what it cites, which of its numbers stand in none of
    that, how many of its sentences are quoted, and seconds to its first words and to its end."""

    question: str
    answers: tuple[str, ...]
    written: str
    verbatim: str
    quotes: tuple[str, ...]
    unsupported: tuple[str, ...]
    quoted: int
    first_s: float
    total_s: float


Files = list[tuple[str, bytes]]


def handbook(development: bool) -> tuple[Files, list[Question]]:
    """The sample handbook and its questions."""
    files = sorted((SAMPLES / "handbook").iterdir())
    named = DEVELOPMENT if development else HELD_OUT
    asked = [
        Question(each.text, each.answers if each.kind == "answerable" else ())
        for file in named.values()
        for each in questions(SAMPLES / file)
    ]
    return [(file.name, file.read_bytes()) for file in files], asked


def paragraphs(development: bool) -> tuple[Files, list[Question]]:
    """SQuAD's paragraphs and questions that one of them answers."""
    texts, found = squad()
    drawn = [Question(each.text, each.answers) for each in draw(found, development)]
    return [(f"{name}.txt", text.encode()) for name, text in texts], drawn


def filings(development: bool) -> tuple[Files, list[Question]]:
    """TAT-QA's tables with their text, and the questions of a single span."""
    with gzip.open(data("qa/grounded") / "tatqa/tatqa_dataset_dev.json.gz", "rt", encoding="utf-8") as file:
        rows = json.load(file)
    chosen = rows[: len(rows) // 2] if development else rows[len(rows) // 2 :]
    files: Files = []
    asked: list[Question] = []
    for number, row in enumerate(chosen):
        cells = row["table"]["table"]
        lines = ["| " + " | ".join(cell.strip() or " " for cell in line) + " |" for line in cells]
        lines.insert(1, "|" + "---|" * len(cells[0]))
        text = "\n\n".join(["\n".join(lines), *(each["text"] for each in row["paragraphs"])])
        files.append((f"t{number:04}.md", text.encode()))
        asked += [
            Question(each["question"], tuple(map(str, each["answer"])))
            for each in row["questions"]
            if each["answer_type"] == "span" and len(each["answer"]) == 1
        ]
    return files, asked


SETS = {"handbook": handbook, "squad": paragraphs, "tatqa": filings}


@asynccontextmanager
async def opened(model: str, files: Files) -> AsyncIterator[System]:
    """A system with ``model`` as its writer, over ``files``."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load().settings
        # Whatever the catalogue says of it: this is what it would have to be said by.
        trusted = Path(folder) / "catalogue.yaml"
        trusted.write_text(f"models:\n  {model}:\n    grounded: true\n", encoding="utf-8")
        catalogues = (*settings.models.catalogues, trusted)
        models = settings.models.model_copy(update={"chat": (model,), "catalogues": catalogues})
        settings = settings.model_copy(update={"home": Path(folder) / "home", "models": models})
        try:
            Puller(settings).local(model)
        except (ModelNotPulled, UnknownModel) as error:
            skip(str(error))
        documents = Path(folder) / "documents"
        documents.mkdir()
        for name, content in files:
            (documents / name).write_bytes(content)
        async with System.open(settings) as system:
            await system.library.ingest(system.local, COLLECTION, [documents])
            yield system


async def ask(system: System, text: str, mode: str) -> tuple[Answer, int, float, float]:
    """(an answer through the whole request ring, its quoted sentences, seconds to its first words, to its end)."""
    request = ChatRequest(COLLECTION, (Message("user", text),), options={"mode": mode, "cache": False})
    began, first, quoted = time.perf_counter(), 0.0, 0
    response = await system.respond(request, Context(system.local))
    answer = Answer(response.head)
    async with response:
        async for event in response:
            if isinstance(event, Text):
                first = first or time.perf_counter() - began
                quoted += event.grounds == "verbatim"
            answer.add(event)
    return answer, quoted, first, time.perf_counter() - began


async def outcome(system: System, question: Question) -> Outcome:
    """Both answers to a question."""
    written, quoted, first, total = await ask(system, question.text, "written")
    verbatim, *_ = await ask(system, question.text, "verbatim")
    around = "\n".join(f"{each.source}\n{each.heading}\n{each.quote}" for each in written.citations)
    # What code worked out is no number of a source: the terms before its "=" are.
    bare = "" if refused(written.text) else marks(written.text).partition("=")[0]
    return Outcome(
        question.text,
        question.answers,
        written.text,
        verbatim.text,
        tuple(each.quote for each in written.citations),
        tuple(claims.unsupported_numbers(bare, around)),
        quoted,
        first,
        total,
    )


def kept_outcome(row: dict[str, Any]) -> Outcome:
    """An outcome that an earlier run wrote down."""
    told: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    return Outcome(**told)


def marks(text: str) -> str:
    """``text`` without the numbers of its citations."""
    return re.sub(r"\s*\[\d+\]", "", text)


def refused(text: str) -> bool:
    return text.strip().startswith(REFUSAL)


def holds(text: str, answers: Sequence[str]) -> bool:
    """Whether a gold answer stands in ``text``, whatever its case and its emphasis."""
    plain = re.sub(r"[*`]", "", text).casefold()
    return any(re.search(rf"(?<!\w){re.escape(answer.casefold())}(?!\w)", plain) for answer in answers)


def figures(name: str, found: Sequence[Outcome], model: str, *, busy: bool = False) -> dict[str, Figure]:
    """Shares over the questions of one set, and unless the machine was ``busy`` the times."""
    known = [each for each in found if each.answers]
    unknown = [each for each in found if not each.answers]
    against = f"{model}, {len(found)} questions"
    made: dict[str, Figure] = {}
    for label, texts in (("written", [e.written for e in known]), ("verbatim", [e.verbatim for e in known])):
        count = sum(holds(text, each.answers) for text, each in zip(texts, known, strict=True))
        words = statistics.mean(len(text.split()) for text in texts) if texts else 0.0
        told = f"{count} of {len(known)}, {words:.0f} words"
        made[f"{name}: {label}, gold answer contained"] = Figure(
            count / max(1, len(known)), "share", "higher", against=told
        )
        wrong = sum(map(refused, texts))
        made[f"{name}: {label}, answerable refused"] = Figure(
            wrong / max(1, len(known)), "share", "lower", against=against
        )
    if unknown:
        for label, texts in (("written", [e.written for e in unknown]), ("verbatim", [e.verbatim for e in unknown])):
            left = sum(map(refused, texts)) / len(unknown)
            made[f"{name}: {label}, unanswerable refused"] = Figure(
                left, "share", "higher", against=f"{len(unknown)} questions"
            )
    strange = sum(bool(each.unsupported) for each in found)
    share = wilson(strange, len(found))
    made[f"{name}: written answers with a number of no source"] = Figure(
        strange, "answers", "lower", 0, 0, f"{against}, [{share.low:.4f}, {share.high:.4f}] of them"
    )
    wrote = [each for each in found if not refused(each.written)]
    if wrote:
        quoted = sum(each.quoted > 0 for each in wrote) / len(wrote)
        made[f"{name}: a sentence quoted in the end"] = Figure(quoted, "share", "lower", against=against)
    if wrote and not busy:
        first, total = (statistics.median(times) for times in ([e.first_s for e in wrote], [e.total_s for e in wrote]))
        made[f"{name}: first words, p50"] = Figure(first, "s", "lower", 3.0, 1.5, against)
        made[f"{name}: whole answer, p50"] = Figure(total, "s", "lower", 8.0, 5.0, against)
    return made


async def run(name: str, files: Files, asked: Sequence[Question], model: str, keep: Path | None) -> list[Outcome]:
    """The outcome of each question, taken from ``keep`` where it stands there."""
    found: list[Outcome] = []
    async with opened(model, files) as system:
        for number, question in enumerate(asked, 1):
            digest = sha256(f"{name} {model} {question.text}".encode()).hexdigest()[:16]
            kept = keep / f"{digest}.json" if keep else None
            if kept is not None and kept.exists():
                found.append(kept_outcome(json.loads(kept.read_text(encoding="utf-8"))))
                continue
            found.append(await outcome(system, question))
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(json.dumps(asdict(found[-1])), encoding="utf-8")
            print(f"{number} of {len(asked)}", end="\r", file=sys.stderr)
    return found


async def main(arguments: argparse.Namespace) -> None:
    measured: dict[str, Figure] = {}
    for name in [arguments.set] if arguments.set else ["handbook", "squad"]:
        files, asked = SETS[name](arguments.dev)
        found = await run(name, files, asked[: arguments.limit], arguments.model, arguments.keep)
        measured |= figures(name, found, arguments.model, busy=arguments.busy)
        for each in found:
            if each.unsupported:
                print(f"{each.unsupported}: {each.question} -> {each.written}")
    if arguments.dev:
        print(table(measured))
    else:
        report("written_answers", measured)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--set", choices=sorted(SETS))
    parser.add_argument("--limit", type=int)
    parser.add_argument("--model", default=WRITER)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--busy", action="store_true", help="leave times out")
    asyncio.run(main(parser.parse_args()))
