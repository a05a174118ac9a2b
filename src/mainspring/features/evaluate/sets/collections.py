"""Judged collections: documents, queries, and which documents answer which query.

Every collection has two halves of queries. The *development* half is for inspection, choices and tuning; the *reported*
half is for published figures. A collection that does not say otherwise is all development.

``loading.load`` knows some by name and reads other collections from your own folder: ``documents/`` with any files that
can be ingested, and ``questions.jsonl`` with one JSON object per line:

    {"question": "How long is the warranty?", "sources": ["warranty.pdf"], "answers": ["two years"]}

``sources`` are file names below ``documents/`` (a name, or an object of names and gains); ``answers`` are strings, and
a right answer contains one of them. A question without sources has no answer in the documents. Optional fields are
``id``, ``split`` (``development`` or ``reported``), ``kind``, ``all`` (lists of strings: a right answer contains one of
each), ``polarity`` (``yes`` or ``no``), ``within`` (file names: only these are searched) and ``type`` (your own label,
for counting answers).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

from mainspring.core.errors import InvalidRequest, NotFound

Split = Literal["development", "reported"]
Kind = Literal["answerable", "near_miss", "off_topic"]
Polarity = Literal["", "yes", "no"]


@dataclass(frozen=True, slots=True)
class Document:
    """A document by ``id``; ``name`` is the file name for ingesting the bytes of ``read``."""

    id: str
    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Query:
    """A question; ``gains`` are those of the relevant documents by id, ``answers`` gold strings if there are any.

    ``near_miss`` questions have a subject that the documents treat and no answer there; ``off_topic`` ones have nothing
    to do with the documents. Both have no gains. ``every`` are groups of strings, and a right answer contains one of
    each; ``polarity`` is the right answer to a yes-or-no question; ``form`` is the kind of question; ``within`` names
    the documents to search (none: all).
    """

    id: str
    text: str
    gains: Mapping[str, int]
    answers: tuple[str, ...] = ()
    kind: Kind = "answerable"
    split: Split = "development"
    every: tuple[tuple[str, ...], ...] = ()
    polarity: Polarity = ""
    form: str = ""
    within: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgedCollection:
    """A judged collection."""

    name: str
    documents: tuple[Document, ...]
    queries: tuple[Query, ...]

    def part(self, split: Split | Literal["all"], limit: int = 0) -> JudgedCollection:
        """The same documents with the queries of one half; ``limit`` (0: none) keeps evenly spaced ones.

        Raises ``InvalidRequest`` if no query is left.
        """
        chosen = [query for query in self.queries if split in ("all", query.split)]
        if not chosen:
            raise InvalidRequest(f"{self.name} has no {split} queries", remedy="Choose another split", param="split")
        if 0 < limit < len(chosen):
            chosen = [chosen[place * len(chosen) // limit] for place in range(limit)]
        return replace(self, queries=tuple(chosen))

    def judgements(self) -> dict[str, Mapping[str, int]]:
        """The gains by query id (``metrics.Judgements``)."""
        return {query.id: query.gains for query in self.queries}


def text_document(name: str, text: str) -> Document:
    """A document that is a text; its file name is ``name`` with ``.txt``."""
    return Document(name, f"{name}.txt", text.encode)


def load_own(folder: Path) -> JudgedCollection:
    """The collection in your own folder. Raises ``NotFound`` and ``InvalidRequest`` like ``load``."""
    home, questions = folder / "documents", folder / "questions.jsonl"
    for path in (home, questions):
        if not path.exists():
            raise NotFound(f"{folder} has no {path.name}", remedy="See docs/guides/evaluation.md for the layout")
    documents = files(home)
    queries = read_queries(questions, {document.id for document in documents})
    return JudgedCollection(folder.resolve().name, documents, tuple(queries))


def files(folder: Path) -> tuple[Document, ...]:
    """Every file below ``folder`` whose path has no hidden part, by its path below it."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    named_files = ((path, path.relative_to(folder)) for path in found)
    return tuple(
        Document(name.as_posix(), name.as_posix(), path.read_bytes)
        for path, name in named_files
        if not any(part.startswith(".") for part in name.parts)
    )


def read_queries(path: Path, known: set[str]) -> list[Query]:
    """The questions of a JSON-lines file. Raises ``InvalidRequest`` naming the line and the field at fault."""
    queries: list[Query] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path.name} line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InvalidRequest(f"{where} is not JSON: {error}", param="questions") from None
        queries.append(query_of(row, f"q{number}", where, known))
    if len({query.id for query in queries}) < len(queries):
        raise InvalidRequest(f"{path.name} has an id twice", remedy="Give each question its own id", param="id")
    return queries


def query_of(row: Any, default_id: str, where: str, known: set[str]) -> Query:
    """A question from its JSON object. Raises ``InvalidRequest`` that begins with ``where``."""
    fail = partial(_fail, where)
    if not isinstance(row, dict) or not isinstance(row.get("question"), str) or not row["question"].strip():
        raise fail("has no question", "question")
    gains = _gains(row.get("sources", ()), fail)
    for name in gains:
        if name not in known:
            raise fail(f"names {name}, which is not among the documents", "sources")
    answers = row.get("answers", [])
    if not _strings(answers):
        raise fail("needs a list of strings in answers", "answers")
    within = row.get("within", [])
    if not _strings(within) or not known.issuperset(within):
        raise fail("needs a list of file names in within", "within")
    every = row.get("all", [])
    if not isinstance(every, list) or not all(_strings(group) and group for group in every):
        raise fail("needs a list of lists of strings in all", "all")
    kind = row.get("kind", "answerable" if gains else "near_miss")
    split = row.get("split", "development")
    polarity = row.get("polarity", "")
    for field, value, allowed in (
        ("kind", kind, get_args(Kind)),
        ("split", split, get_args(Split)),
        ("polarity", polarity, get_args(Polarity)),
    ):
        if value not in allowed:
            raise fail(f"has an unknown {field} {value}; use {' or '.join(filter(None, allowed))}", field)
    return Query(
        str(row.get("id", default_id)),
        row["question"].strip(),
        gains,
        tuple(answers),
        kind,
        split,
        tuple(map(tuple, every)),
        polarity,
        str(row.get("type", "")),
        tuple(within),
    )


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each for each in value)


def _gains(sources: object, fail: Callable[[str, str], InvalidRequest]) -> dict[str, int]:
    if isinstance(sources, dict):
        if not all(isinstance(gain, int) and not isinstance(gain, bool) and gain > 0 for gain in sources.values()):
            raise fail("needs whole gains above 0 in sources", "sources")
        return {str(name): int(gain) for name, gain in sources.items()}
    if not isinstance(sources, Sequence) or isinstance(sources, str) or not all(isinstance(s, str) for s in sources):
        raise fail("needs a list of file names in sources", "sources")
    return dict.fromkeys(sources, 1)


def _fail(where: str, what: str, param: str) -> InvalidRequest:
    return InvalidRequest(f"{where} {what}", remedy="See docs/guides/evaluation.md for the layout", param=param)
