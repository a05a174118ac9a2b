"""Questions to the sample handbook, answered by the whole system: sources found, refusals, verbatim quotes.

    python benchmarks/handbook.py [--dev]

``samples/questions.yaml``, ``development.yaml`` and ``third.yaml`` are the development questions, on which settings may
be chosen; ``third_reported.yaml`` and ``heldout.yaml`` are only counted. ``--dev`` leaves both alone and
writes no results. Every sentence that is shown must be a verbatim span of the stored text at the
place that its citation names; one that is not ends the benchmark with an error. "The documents do not say: PART" is no
such sentence: it must repeat, word for word, a part that the answer reports as missing.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import sys
import tempfile
import time
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from _report import Figure, report, skip, table
from mainspring.core.errors import ModelNotPulled
from mainspring.core.path import Answer, collect
from mainspring.core.settings import load
from mainspring.core.types import ChatRequest, Citation, Context, Message
from mainspring.rag.answer.generate import REFUSAL
from mainspring.system import System

SAMPLES = Path(__file__).parent.parent / "samples"
DEVELOPMENT = {
    "development": "questions.yaml",
    "second development": "development.yaml",
    "third development": "third.yaml",
}
HELD_OUT = {"held out": "heldout.yaml"}
REPORTED = {"third, reported": "third_reported.yaml", **HELD_OUT}
"""Only counted, and asked by no ``--dev`` run."""
COLLECTION = "handbook"
PROVEN = "answers proven verbatim"
_MARKER = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the samples. ``kind`` is ``answerable``, ``off_topic`` or ``near_miss``."""

    text: str
    kind: str
    sources: frozenset[str]
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a question. ``unproven`` are shown pieces that no citation proves."""

    question: Question
    cited: tuple[str, ...]
    text: str
    unproven: tuple[str, ...]
    seconds: float

    @property
    def refused(self) -> bool:
        return self.text.startswith(REFUSAL)

    @property
    def right_first(self) -> bool:
        return bool(self.cited) and self.cited[0] in self.question.sources

    @property
    def right_any(self) -> bool:
        return not self.question.sources.isdisjoint(self.cited)

    @property
    def holds_answer(self) -> bool:
        shown = f" {_plain(self.text)} "
        return any(f" {_plain(answer)} " in shown for answer in self.question.answers)


def questions(path: Path) -> list[Question]:
    """The questions of one file."""
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))["questions"]
    return [
        Question(row["question"], row["kind"], frozenset(row["sources"]), tuple(row.get("answers", ()))) for row in rows
    ]


async def ask(system: System, question: Question) -> Outcome:
    """Put one question through the whole request ring."""
    request = ChatRequest(COLLECTION, (Message("user", question.text),), options={"cache": False})
    began = time.perf_counter()
    answer = await collect(await system.respond(request, Context(system.local)))
    seconds = time.perf_counter() - began
    cited = tuple(citation.source for citation in answer.citations)
    return Outcome(question, cited, answer.text, await unproven(system, answer), seconds)


async def unproven(system: System, answer: Answer) -> tuple[str, ...]:
    """What is shown without proof: quotes that are not at their place, and text that no quote covers."""
    if answer.answered is False:
        return ()
    documents = {each.document_id: each for each in await system.library.documents(system.local, COLLECTION)}
    wrong, texts = [], []
    for citation in answer.citations:
        stored = (await system.stores.blobs.get(documents[citation.document_id].text_blob)).decode()
        texts.append(stored)
        if stored[citation.start : citation.end] != citation.quote:
            wrong.append(citation.quote)
    # What is said of missing.parts is said by the system, of the question, and is no sentence of a document.
    notes = [f"The documents do not say: {missing.part}" for missing in answer.missing]
    return (*wrong, *uncovered(answer.text, answer.citations, notes, texts))


def uncovered(
    text: str, citations: Sequence[Citation], notes: Sequence[str] = (), texts: Sequence[str] = ()
) -> list[str]:
    """The pieces of ``text`` that are neither a quote of a citation, nor a marker such as ``[1]``, nor in ``notes``,
    nor a line in one of the cited ``texts`` that leads in to a quote.

    Values in bold are read without their marks, lines as one. Of a row some cells may be shown: its words are the
    quote's, in order.
    """
    lines = text.replace("**", "").split("\n")
    text = _one_line("\n".join(line for line in lines if line not in notes))
    quotes = [_one_line(citation.quote.replace("**", "")) for citation in citations]
    leads = _one_line("\n".join(texts))
    for quote in sorted(quotes, key=len, reverse=True):
        text = text.replace(quote, "\0")
    rows = [quote for quote in quotes if " | " in quote]
    pieces = [piece.strip() for piece in _MARKER.sub("\0", text).split("\0")]
    pieces = [piece for piece in pieces if not (piece.endswith(":") and piece in leads)]
    return [piece for piece in pieces if re.search(r"\w", piece) and not any(_of_row(piece, row) for row in rows)]


def _one_line(text: str) -> str:
    """``text`` with the breaks at which its source was wrapped read as spaces."""
    return " ".join(text.split())


def _of_row(piece: str, row: str) -> bool:
    """Whether ``piece`` shows cells of ``row``, or is the head of a table of such rows."""
    quoted = re.findall(r"\w+", row)
    left = iter(quoted)
    in_order = all(word in left for word in re.findall(r"\w+", piece))
    return in_order or (piece.startswith("|") and set(re.findall(r"\w+", piece)) <= set(quoted))


def figures(half: str, outcomes: Sequence[Outcome]) -> dict[str, Figure]:
    """Counts of one half, each as a share of the questions that it is about."""
    by_kind = {
        kind: [each for each in outcomes if each.question.kind == kind]
        for kind in ("answerable", "off_topic", "near_miss")
    }
    answerable = by_kind["answerable"]

    def share(found: Sequence[bool]) -> Figure:
        return Figure(sum(found) / len(found), "share", "higher", against=f"{sum(found)} of {len(found)}")

    measured = {
        f"{half}: right source cited first": share([each.right_first for each in answerable]),
        f"{half}: right source among the citations": share([each.right_any for each in answerable]),
        f"{half}: gold answer shown": share([each.holds_answer for each in answerable]),
        f"{half}: answerable question refused": replace(share([each.refused for each in answerable]), better="lower"),
        f"{half}: {PROVEN}": replace(
            share([not each.unproven for each in outcomes if not each.refused]), floor=1.0, aim=1.0
        ),
    }
    for kind, label in (("off_topic", "off-topic question refused"), ("near_miss", "near miss refused")):
        if by_kind[kind]:
            measured[f"{half}: {label}"] = share([each.refused for each in by_kind[kind]])
    return measured


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\d+(?:[.,]\d+)*|\w+|[%$£€]", folded))


async def run(halves: Mapping[str, str]) -> dict[str, Figure]:
    """Ingest the handbook into a new home and ask everything; ``halves``: label to file of questions."""
    measured: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as home:
        settings = load().settings.model_copy(update={"home": Path(home)})
        async with System.open(settings) as system:
            ingested = await system.library.ingest(system.local, COLLECTION, [SAMPLES / "handbook"])
            measured["documents read"] = Figure(
                len(ingested.added), "files", "higher", against=f"{len(ingested.failed)} not read"
            )
            everything = []
            for half, name in halves.items():
                outcomes = [await ask(system, question) for question in questions(SAMPLES / name)]
                measured |= figures(half, outcomes)
                everything += outcomes
            times = [1e3 * each.seconds for each in everything]
            measured["time to an answer, median"] = Figure(statistics.median(times), "ms", "lower")
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", action="store_true", help="only on what is for development; writes no results")
    development = parser.parse_args().dev
    try:
        measured = asyncio.run(run(DEVELOPMENT if development else DEVELOPMENT | REPORTED))
    except ModelNotPulled as error:
        skip(str(error))
    if development:
        print(table(measured))
    else:
        report("handbook", measured)
    if any(figure.value < 1 for label, figure in measured.items() if label.endswith(PROVEN)):
        sys.exit("an answer shows what its citations do not prove")


if __name__ == "__main__":
    main()
