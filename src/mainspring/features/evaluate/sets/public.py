"""Loaders of the public collections and of the sample handbook, each from the folder that holds its files.

This package contains none of their text and downloads nothing: docs/guides/evaluation.md says where to get them.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from mainspring.core.errors import NotFound
from mainspring.features.evaluate.sets.collections import (
    Document,
    JudgedCollection,
    Query,
    Split,
    files,
    query_of,
    text_document,
)

_SQUAD_SAMPLE = 500
_SQUAD_SEEDS: Mapping[Split, int] = {"reported": 2024, "development": 7}
# Every fourth article of SQuAD is reported by ``squad_articles``, and nothing is trained or chosen on it.
_KEPT_FROM_TRAINING = 4
_ARTICLES_SAMPLE = 400
# Every fifth article of SQuAD is left out of the corpus of ``squad_refusal``: its questions are off topic there.
_LEFT_OUT = 5


def cranfield(data: Path) -> JudgedCollection:
    """Cranfield: gains 1 (minimum interest) to 4 (complete answer); odd queries are development."""
    folder = _folder(data, "retrieval/cranfield", "cran.all.1400")
    texts = _smart((folder / "cran.all.1400").read_text(encoding="latin-1"))
    documents = tuple(text_document(name, text) for name, text in ((n, _abstract(f)) for n, f in texts) if text)
    gains: dict[int, dict[str, int]] = {}
    for line in (folder / "cranqrel").read_text(encoding="latin-1").splitlines():
        query, name, grade = line.split()[:3]
        # 1 is a complete answer, 4 of minimum interest; -1 is the document that the query came from.
        gains.setdefault(int(query), {})[name] = max(1, 5 - abs(int(grade)))
    # The judgements number the queries by position, not by the id that the query file gives.
    queries = [
        (place, " ".join(fields["W"].split()))
        for place, (_, fields) in enumerate(_smart((folder / "cran.qry").read_text(encoding="latin-1")), 1)
    ]
    return JudgedCollection("cranfield", documents, _halves(queries, gains))


def cacm(data: Path) -> JudgedCollection:
    """CACM: binary judgements; odd queries are development, and queries without judgements are left out."""
    folder = _folder(data, "retrieval/cacm", "cacm.all")
    texts = _smart((folder / "cacm.all").read_text(encoding="latin-1"))
    documents = tuple(text_document(name, text) for name, text in ((n, _abstract(f)) for n, f in texts) if text)
    gains: dict[int, dict[str, int]] = {}
    for line in (folder / "qrels.text").read_text(encoding="latin-1").splitlines():
        query, name = line.split()[:2]
        gains.setdefault(int(query), {})[str(int(name))] = 1
    queries = [
        (int(number), " ".join(fields["W"].split()))
        for number, fields in _smart((folder / "query.text").read_text(encoding="latin-1"))
        if "W" in fields
    ]
    return JudgedCollection("cacm", documents, _halves(queries, gains))


def med(data: Path) -> JudgedCollection:
    """Medline: binary judgements of its 30 queries; all are reported, and none influenced a choice."""
    folder = _folder(data, "retrieval/med", "MED.ALL")
    gains: dict[int, dict[str, int]] = {}
    for line in (folder / "MED.REL").read_text(encoding="latin-1").splitlines():
        query, _, name = line.split()[:3]
        gains.setdefault(int(query), {})[name] = 1
    return _untouched("med", _smart((folder / "MED.ALL").read_text(encoding="latin-1")), folder / "MED.QRY", gains)


def cisi(data: Path) -> JudgedCollection:
    """CISI: binary judgements; all queries that have some are reported."""
    folder = _folder(data, "retrieval/cisi", "CISI.ALL")
    gains: dict[int, dict[str, int]] = {}
    for line in (folder / "CISI.REL").read_text(encoding="latin-1").splitlines():
        query, name = line.split()[:2]
        gains.setdefault(int(query), {})[name] = 1
    return _untouched("cisi", _smart((folder / "CISI.ALL").read_text(encoding="latin-1")), folder / "CISI.QRY", gains)


def npl(data: Path) -> JudgedCollection:
    """NPL: titles and short abstracts of electronics, binary judgements; all queries are reported."""
    folder = _folder(data, "retrieval/npl", "doc-text")
    texts, asked, judged = (
        _slashed((folder / name).read_text(encoding="latin-1")) for name in ("doc-text", "query-text", "rlv-ass")
    )
    gains = {int(number): dict.fromkeys(names.split(), 1) for number, names in judged}
    queries = [(int(number), text.lower()) for number, text in asked]
    documents = tuple(text_document(name, text) for name, text in texts if text)
    return JudgedCollection("npl", documents, _all_reported(queries, gains))


def squad(data: Path) -> JudgedCollection:
    """SQuAD 2.0 (dev) as a corpus: each paragraph a document; 500 answerable questions a half, drawn by seed."""
    documents, questions = _squad_rows(articles(data))
    answerable = sorted((each for each in questions if each.kind == "answerable"), key=lambda each: each.id)
    return JudgedCollection("squad", documents, _draw(answerable, _SQUAD_SAMPLE))


def squad_refusal(data: Path) -> JudgedCollection:
    """Questions to refuse: SQuAD without every fifth article. 500 answerable, 500 adversarially unanswerable
    (``near_miss``) and 200 ``off_topic`` questions (about the omitted articles) per half."""
    everything = articles(data)
    kept = [article for number, article in enumerate(everything) if number % _LEFT_OUT]
    documents, questions = _squad_rows(kept)
    _, others = _squad_rows(everything[::_LEFT_OUT])
    away = [_off_topic(each) for each in others if each.kind == "answerable"]
    queries: list[Query] = []
    for kind, rows, size in (
        ("answerable", questions, _SQUAD_SAMPLE),
        ("near_miss", questions, _SQUAD_SAMPLE),
        ("off_topic", away, 200),
    ):
        queries += _draw(sorted((each for each in rows if each.kind == kind), key=lambda each: each.id), size)
    return JudgedCollection("squad-refusal", documents, tuple(queries))


def squad_articles(data: Path) -> JudgedCollection:
    """SQuAD halved by article, for readers that are trained: articles 4, 8, 12 and 16 are reported, the others are
    development. 400 answerable and 400 adversarially unanswerable questions (``near_miss``) a half, drawn by seed."""
    documents, queries = _squad_rows(articles(data))
    halves: dict[str, Split] = {
        row["id"]: "development" if number % _KEPT_FROM_TRAINING else "reported"
        for number, article in enumerate(articles(data), 1)
        for paragraph in article["paragraphs"]
        for row in paragraph["qas"]
    }
    drawn: list[Query] = []
    for split, seed in _SQUAD_SEEDS.items():
        for kind in ("answerable", "near_miss"):
            rows = [each for each in queries if each.kind == kind and halves[each.id] == split]
            rows = random.Random(seed).sample(sorted(rows, key=lambda each: each.id), min(_ARTICLES_SAMPLE, len(rows)))
            drawn += [replace(each, split=split) for each in rows]
    return JudgedCollection("squad-articles", documents, tuple(drawn))


def tatqa(data: Path) -> JudgedCollection:
    """TAT-QA: tables of financial reports with the surrounding text. The questions name no company, so each is confined
    to its own document. Questions of a single cell have the form ``cell``; others ``comparison``, ``arithmetic``,
    ``list``, ``count`` and ``text``. The published dev part is development, the test part reported."""
    folder = _folder(data, "qa/grounded/tatqa", "tatqa_dataset_dev.json.gz")
    documents: list[Document] = []
    queries: list[Query] = []
    parts: tuple[tuple[Split, str], ...] = (("development", "dev"), ("reported", "test_gold"))
    for split, part in parts:
        for number, row in enumerate(
            json.loads(gzip.decompress((folder / f"tatqa_dataset_{part}.json.gz").read_bytes()))
        ):
            name = f"{part}-{number:03}.md"
            text = "\n\n".join([_table(row["table"]["table"]), *(each["text"] for each in row["paragraphs"])])
            documents.append(Document(name, name, text.encode))
            cells = {_bare(cell) for line in row["table"]["table"] for cell in line}
            queries += [_tatqa_query(each, name, cells, split) for each in row["questions"]]
    return JudgedCollection("tatqa", tuple(documents), tuple(queries))


def _tatqa_query(row: Mapping[str, Any], name: str, cells: set[str], split: Split) -> Query:
    answers = tuple(str(each) for each in (row["answer"] if isinstance(row["answer"], list) else [row["answer"]]))
    form = {"arithmetic": "arithmetic", "multi-span": "list", "count": "count"}.get(row["answer_type"], "text")
    if form == "text" and row.get("req_comparison"):
        form = "comparison"
    elif form == "text" and "table" in row["answer_from"] and _bare(answers[0]) in cells:
        form = "cell"
    every = tuple((each,) for each in answers) if form == "list" else ()
    return Query(
        row["uid"], row["question"], {name: 1}, () if every else answers, "answerable", split, every, "", form, (name,)
    )


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(' '.join(cell.split()) for cell in row)} |" for row in rows]
    return "\n".join([lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]])


def _bare(cell: str) -> str:
    return cell.strip().strip("$ ").strip()


def handbook(data: Path) -> JudgedCollection:
    """The sample handbook with its development questions. ``data`` is the folder ``samples``, or one that holds it."""
    return _handbook(data, "handbook", "questions.yaml")


def handbook_2hop(data: Path) -> JudgedCollection:
    """The sample handbook with questions whose answer needs two of its documents; all are development."""
    return _handbook(data, "handbook-2hop", "twohop.yaml")


def two_wiki(data: Path) -> JudgedCollection:
    """2WikiMultihopQA's passages with the two-hop questions from ``multihop.build``; odd questions are for development.
    ``data`` is the corpus file, or a folder that holds ``2wikimultihopqa_corpus.json``."""
    from mainspring.features.evaluate.sets import multihop

    path = data if data.is_file() else data / multihop.FILE_NAME
    if not path.exists() and (data / "qa" / "hipporag" / multihop.FILE_NAME).exists():
        path = data / "qa" / "hipporag" / multihop.FILE_NAME
    if not path.exists():
        raise NotFound(f"there is no {path}", remedy="docs/guides/evaluation.md says where the corpus comes from")
    return multihop.judged(multihop.read(path))


def _handbook(data: Path, name: str, questions: str) -> JudgedCollection:
    samples = data / "samples" if (data / "samples").is_dir() else data
    if not (samples / "handbook").is_dir() or not (samples / questions).exists():
        raise NotFound(f"{data} does not hold handbook and {questions}", remedy="Give --data samples")
    documents: tuple[Document, ...] = files(samples / "handbook")
    known = {document.id for document in documents}
    rows = yaml.safe_load((samples / questions).read_text(encoding="utf-8"))["questions"]
    return JudgedCollection(
        name, documents, tuple(query_of(row, f"q{n}", f"{questions} {n}", known) for n, row in enumerate(rows, 1))
    )


def _folder(data: Path, part: str, file: str) -> Path:
    folder = data / part
    if not (folder / file).exists():
        raise NotFound(
            f"{data} has no {part}/{file}", remedy="docs/guides/evaluation.md says where the data sets come from"
        )
    return folder


def _smart(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """(id, fields by letter) of a SMART file."""
    for part in re.split(r"^\.I\s+", text, flags=re.MULTILINE)[1:]:
        number, _, body = part.partition("\n")
        fields = re.split(r"^\.([A-Z])\s*$", body, flags=re.MULTILINE)
        yield number.strip(), dict(zip(fields[1::2], fields[2::2], strict=False))


def _abstract(fields: Mapping[str, str]) -> str:
    parts = (" ".join(fields.get(letter, "").split()) for letter in ("T", "W"))
    return "\n\n".join(part for part in parts if part)


def _halves(queries: list[tuple[int, str]], gains: Mapping[int, Mapping[str, int]]) -> tuple[Query, ...]:
    return tuple(
        Query(str(number), text, gains[number], split="development" if number % 2 else "reported")
        for number, text in sorted(queries)
        if number in gains
    )


def _untouched(
    name: str, records: Iterator[tuple[str, dict[str, str]]], queries: Path, gains: Mapping[int, Mapping[str, int]]
) -> JudgedCollection:
    """A collection in SMART files whose judged queries are all reported."""
    documents = tuple(text_document(number, text) for number, text in ((n, _abstract(f)) for n, f in records) if text)
    asked = [
        (int(number), " ".join(fields["W"].split()))
        for number, fields in _smart(queries.read_text(encoding="latin-1"))
        if "W" in fields
    ]
    return JudgedCollection(name, documents, _all_reported(asked, gains))


def _all_reported(queries: list[tuple[int, str]], gains: Mapping[int, Mapping[str, int]]) -> tuple[Query, ...]:
    return tuple(
        Query(str(number), text, gains[number], split="reported") for number, text in sorted(queries) if number in gains
    )


def _slashed(text: str) -> list[tuple[str, str]]:
    """(id, text on one line) of a file of records that each begin with their number and end with a slash."""
    records = (part.split() for part in re.split(r"^[^\S\n]*/[^\S\n]*$", text, flags=re.MULTILINE))
    return [(words[0], " ".join(words[1:])) for words in records if words]


def articles(data: Path) -> list[Any]:
    """SQuAD's articles as in its file: each with ``paragraphs`` of a ``context`` and its ``qas``."""
    folder = _folder(data, "qa/squad", "dev-v2.0.json")
    found: list[Any] = json.loads((folder / "dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    return found


def _squad_rows(articles: list[Any]) -> tuple[tuple[Document, ...], list[Query]]:
    documents: list[Document] = []
    queries: list[Query] = []
    for article in articles:
        for paragraph in article["paragraphs"]:
            name = f"p{len(documents):04}"
            documents.append(text_document(name, paragraph["context"]))
            queries += [_squad_query(row, name) for row in paragraph["qas"]]
    return tuple(documents), queries


def _squad_query(row: Any, paragraph: str) -> Query:
    if row.get("is_impossible") or not row["answers"]:
        return Query(row["id"], row["question"], {}, kind="near_miss")
    answers = tuple(sorted({answer["text"] for answer in row["answers"]}))
    return Query(row["id"], row["question"], {paragraph: 1}, answers)


def _off_topic(query: Query) -> Query:
    return Query(query.id, query.text, {}, kind="off_topic")


def _draw(queries: list[Query], size: int) -> tuple[Query, ...]:
    """``size`` queries per half (or half of all), drawn by seed; the halves share none."""
    size = min(size, len(queries) // 2)
    reported = random.Random(_SQUAD_SEEDS["reported"]).sample(queries, size)
    taken = {each.id for each in reported}
    others = [each for each in queries if each.id not in taken]
    development = random.Random(_SQUAD_SEEDS["development"]).sample(others, size)
    return (*(_in(each, "development") for each in development), *(_in(each, "reported") for each in reported))


def _in(query: Query, split: Split) -> Query:
    return replace(query, split=split)
