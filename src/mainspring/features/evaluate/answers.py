"""Scores whole answers: the right document cited first, the answer in the shown text, nothing false, refusals in place.

Every question goes through the path that serves (``Respond``), and its answer is scored without a model: gold strings
at word boundaries, numbers and number words alike whatever their form; numbers of an answer that neither its citations
nor the question have; a yes where no is right. Readers' judgements (``readings``) are reported beside it.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

from mainspring.core.path import Answer
from mainspring.core.types import ChatRequest, Context, Message, Principal, Request, Response, Text
from mainspring.features.evaluate.sets.collections import Kind, Query
from mainspring.rag.answer.generate import REFUSAL
from mainspring.statistics.curves import auroc
from mainspring.statistics.significance import Estimate

Respond = Callable[[Request, Context], Awaitable[Response]]
Evidence = Callable[[Context], Awaitable[float | None]]
"""The answerer's evidence for the request of a context, in [0, 1] (None: unknown)."""

_PIECE = re.compile(r"\d+(?:\.\d+)*|\w+|[%$£€]")
_MARKER = re.compile(r"\[\d+\]|^[^\S\n]*\d+[.)]\s", re.MULTILINE)
_THOUSANDS = re.compile(r"(?<=\d)[,\u00a0\u202f](?=\d{3}(?!\d))")
_WORDS = "zero one two three four five six seven eight nine ten eleven twelve".split()
_DIGITS = {word: str(value) for value, word in enumerate(_WORDS)}
_OPENING = re.compile(r"\W*(yes|no)\b", re.IGNORECASE)
_VALUES = frozenset({"number", "table", "identifier"})
Z = 1.959964


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """The outcome of a question. ``cited`` are the documents in the order of the citations, ``quotes`` their quotes.

    ``first`` and ``seconds`` are the times to the first text and to the end.
    """

    text: str
    cited: tuple[str, ...]
    quotes: tuple[str, ...]
    refused: bool
    first: float
    seconds: float
    evidence: float | None = None


@dataclass(frozen=True, slots=True)
class ScoredAnswer:
    """A question with its answer and the measures that need no reader.

    ``unsupported`` are numbers of the answer that are neither in a quote nor in the question. ``opposite``: it starts
    with yes when no is right, or the reverse. ``suspect``: it is shown, contains no gold string, and the question asks
    for a value, so that a reader must say whether the value is wrong.
    """

    query: Query
    shown: ShownAnswer
    right_first: bool
    right_any: bool
    contained: bool
    words: int
    unsupported: tuple[str, ...]
    opposite: bool
    suspect: bool


async def ask(
    respond: Respond,
    collection: str,
    query: Query,
    principal: Principal,
    evidence: Evidence | None = None,
    documents: Mapping[str, str] | None = None,
) -> ScoredAnswer:
    """Ask ``collection`` one question, past the caches, and score the answer. ``documents`` are the ids of documents by
    file name, where they differ."""
    options: dict[str, Any] = {"cache": False}
    if query.within:
        options["filters"] = {"name": list(query.within)}
    request = ChatRequest(collection, (Message("user", query.text),), options=options)
    context = Context(principal)
    began = time.perf_counter()
    first = 0.0
    response = await respond(request, context)
    answer = Answer(response.head)
    async with response:
        async for event in response:
            if not first and isinstance(event, Text) and event.text.strip():
                first = time.perf_counter() - began
            answer.add(event)
    seconds = time.perf_counter() - began
    known = documents or {}
    shown = ShownAnswer(
        answer.text.strip(),
        tuple(known.get(citation.source, citation.source) for citation in answer.citations),
        tuple(citation.quote for citation in answer.citations),
        refused(answer),
        first or seconds,
        seconds,
        None if evidence is None else await evidence(context),
    )
    return score(query, shown)


def refused(answer: Answer) -> bool:
    """Whether the system says that the documents do not answer."""
    if answer.answered is not None:
        return not answer.answered
    text = answer.text.strip()
    return not text or text.startswith(REFUSAL)


def score(query: Query, shown: ShownAnswer) -> ScoredAnswer:
    """The measures of an answer from its text, its citations and the gold strings."""
    contained = not shown.refused and holds(shown.text, query)
    opening = _OPENING.match(shown.text)
    said = opening.group(1).lower() if opening and not shown.refused else ""
    return ScoredAnswer(
        query,
        shown,
        bool(shown.cited) and shown.cited[0] in query.gains and not shown.refused,
        not shown.refused and any(source in query.gains for source in shown.cited),
        contained,
        0 if shown.refused else len(_MARKER.sub(" ", shown.text).split()),
        () if shown.refused else unsupported(query.text, shown),
        bool(query.polarity and said and said != query.polarity),
        query.kind == "answerable" and not shown.refused and not contained and query.form in _VALUES,
    )


def holds(text: str, query: Query) -> bool:
    """Whether ``text`` contains one of the gold answers, and one of each group of ``every``; False without any gold."""
    groups = [group for group in (query.answers, *query.every) if group]
    # In a table row, a comma may separate two numbers or groups of digits: both readings count.
    readings = [f" {_plain(text, joined)} " for joined in (False, True)]
    return bool(groups) and all(
        any(
            f" {_plain(answer, joined)} " in reading
            for answer in group
            for joined, reading in zip((False, True), readings, strict=True)
        )
        for group in groups
    )


def unsupported(question: str, shown: ShownAnswer) -> tuple[str, ...]:
    """The digits in an answer that neither a quote nor the question has, in either notation."""
    sources = "\n".join((question, *shown.quotes))
    known = {piece for joined in (False, True) for piece in _plain(sources, joined).split()}
    written = _THOUSANDS.sub("", _MARKER.sub(" ", unicodedata.normalize("NFKC", shown.text)))
    # Digits within a name (v2, N8770M) are part of the name.
    pieces = (piece for piece in _PIECE.findall(written) if piece[0].isdigit())
    return tuple(dict.fromkeys(each for each in pieces if each not in known))


def _plain(text: str, joined: bool) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    if joined:
        folded = _THOUSANDS.sub("", folded)
    return " ".join(_DIGITS.get(piece, piece) for piece in _PIECE.findall(folded))


def wilson(hits: int, n: int) -> Estimate:
    """A share with Wilson's 95 % interval; of nothing, 0 with everything possible."""
    if not n:
        return Estimate(0.0, 0.0, 1.0, 0)
    share = hits / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return Estimate(share, max(0.0, middle - half), min(1.0, middle + half), n)


def shares(found: Sequence[ScoredAnswer]) -> dict[str, Estimate]:
    """The figures that are shares, each of the questions that it is about; those about no question are left out."""
    kinds: dict[Kind, list[ScoredAnswer]] = {"answerable": [], "near_miss": [], "off_topic": []}
    for each in found:
        kinds[each.query.kind].append(each)
    asked = kinds["answerable"]
    answered = [each for each in found if not each.shown.refused]
    counted: dict[str, list[bool]] = {
        "right source cited first": [each.right_first for each in asked],
        "right source among the citations": [each.right_any for each in asked],
        "answer contained": [each.contained for each in asked],
        "answerable refused": [each.shown.refused for each in asked],
        "near miss refused": [each.shown.refused for each in kinds["near_miss"]],
        "off topic refused": [each.shown.refused for each in kinds["off_topic"]],
        "false: unsupported number or opposite": [bool(each.unsupported or each.opposite) for each in answered],
        "to be read: a value is asked and none is right": [each.suspect for each in asked],
    }
    for form in dict.fromkeys(each.query.form for each in asked if each.query.form):
        counted[f"answer contained, {form}"] = [each.contained for each in asked if each.query.form == form]
    return {label: wilson(sum(values), len(values)) for label, values in counted.items() if values}


def spreads(found: Sequence[ScoredAnswer]) -> dict[str, tuple[float, float]]:
    """Median and 95th percentile of the words of an answer and of the times, in milliseconds."""
    answered = [each for each in found if not each.shown.refused]
    columns = {
        "words of an answer": [float(each.words) for each in answered],
        "milliseconds to the first text": [1e3 * each.shown.first for each in found],
        "milliseconds to the end": [1e3 * each.shown.seconds for each in found],
    }
    return {label: (_quantile(values, 0.5), _quantile(values, 0.95)) for label, values in columns.items() if values}


def separation(found: Sequence[ScoredAnswer]) -> dict[Kind, Estimate]:
    """AUROC of the evidence: answerable questions against each other kind. Needs the extra ``eval``."""
    by_kind = _evidence(found)
    asked = by_kind.pop("answerable", [])
    return {kind: auroc(asked, values) for kind, values in by_kind.items() if asked}


def refusing(found: Sequence[ScoredAnswer]) -> list[tuple[float, dict[Kind, float]]]:
    """The curve of refusals: thresholds of the evidence, and the share of each kind whose evidence is below.

    The thresholds are those at which one more answerable question would be refused. Empty if the evidence is unknown.
    """
    by_kind = _evidence(found)
    return [
        (
            threshold,
            {kind: sum(value < threshold for value in values) / len(values) for kind, values in by_kind.items()},
        )
        for threshold in sorted(set(by_kind.get("answerable", ())))
    ]


def _evidence(found: Sequence[ScoredAnswer]) -> dict[Kind, list[float]]:
    by_kind: dict[Kind, list[float]] = {}
    for each in found:
        if each.shown.evidence is not None:
            by_kind.setdefault(each.query.kind, []).append(each.shown.evidence)
    return by_kind


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def as_json(name: str, found: Sequence[ScoredAnswer], more: Mapping[str, Any]) -> dict[str, Any]:
    """Figures, curve and every answer; ``more`` are further facts of the run."""
    return {
        "collection": name,
        **more,
        "shares": {label: asdict(estimate) for label, estimate in shares(found).items()},
        "spreads": {label: {"median": low, "p95": high} for label, (low, high) in spreads(found).items()},
        "refusing": [{"threshold": threshold, **below} for threshold, below in refusing(found)],
        "answers": [facts(each) for each in found],
    }


def facts(each: ScoredAnswer) -> dict[str, Any]:
    """One question with its answer, as JSON."""
    return {
        "id": each.query.id,
        "kind": each.query.kind,
        "type": each.query.form,
        "question": each.query.text,
        "text": each.shown.text,
        "cited": list(each.shown.cited),
        "quotes": list(each.shown.quotes),
        "refused": each.shown.refused,
        "right_first": each.right_first,
        "right_any": each.right_any,
        "contained": each.contained,
        "words": each.words,
        "unsupported": list(each.unsupported),
        "opposite": each.opposite,
        "suspect": each.suspect,
        "first_seconds": round(each.shown.first, 4),
        "seconds": round(each.shown.seconds, 4),
        "evidence": each.shown.evidence,
    }


def markdown(name: str, found: Sequence[ScoredAnswer]) -> str:
    """The figures as a table, and every answer for reading."""
    lines = [f"# {name}: {len(found)} questions", "", "| Figure | Share | Interval | n |", "|---|---:|---|---:|"]
    lines += [
        f"| {label} | {estimate.value:.3f} | {estimate.low:.3f} to {estimate.high:.3f} | {estimate.n} |"
        for label, estimate in shares(found).items()
    ]
    lines += ["", "| Spread | Median | 95th percentile |", "|---|---:|---:|"]
    lines += [f"| {label} | {low:.0f} | {high:.0f} |" for label, (low, high) in spreads(found).items()]
    curve = refusing(found)
    if curve:
        lines += ["", "| Refused below | Answerable | Near misses | Off topic |", "|---:|---:|---:|---:|"]
        lines += [
            f"| {threshold:.3f} | "
            + " | ".join(f"{below.get(kind, 0.0):.2f}" for kind in ("answerable", "near_miss", "off_topic"))
            + " |"
            for threshold, below in curve[: max(1, len(curve) // 5)]
        ]
    for each in found:
        lines += ["", *_read(each)]
    return "\n".join(lines) + "\n"


def _read(each: ScoredAnswer) -> list[str]:
    marks = {
        "right first": each.right_first,
        "right among": each.right_any and not each.right_first,
        "contained": each.contained,
        "refused": each.shown.refused,
        "opposite": each.opposite,
        "suspect": each.suspect,
        f"unsupported {', '.join(each.unsupported)}": bool(each.unsupported),
    }
    said = ", ".join(mark for mark, holds_good in marks.items() if holds_good)
    gold = " + ".join(" / ".join(group) for group in (each.query.answers, *each.query.every) if group)
    return [
        f"## {each.query.id} ({each.query.form or each.query.kind}): {each.query.text}",
        f"*{said or 'nothing right'}; {each.words} words, {each.shown.seconds:.2f} s*",
        f"Gold: {gold or 'none'}",
        f"Cited: {'; '.join(dict.fromkeys(each.shown.cited)) or 'nothing'}",
        f"Right: {'; '.join(each.query.gains) or 'nothing'}",
        "",
        *(f"> {line}" for line in each.shown.text.splitlines()),
    ]
