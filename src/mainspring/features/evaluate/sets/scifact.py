"""SciFact (Wadden et al. 2020): claims about medicine and biology, and what abstracts of papers say to them.

The claims are queries, and the abstracts that they cite are relevant, as in BEIR. The claims of ``train`` are the
development half and those of ``validation`` (the published ``dev``) the reported one; the published test part has no
public labels.

The folder holds either the files of the release (``corpus.jsonl``, ``claims_train.jsonl``, ``claims_dev.jsonl``) or
the same as CSV (``corpus_train.csv``, ``claims_train.csv``, ``claims_validation.csv``).
"""

from __future__ import annotations

import ast
import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.features.evaluate.sets.collections import JudgedCollection, Query, Split, text_document

_PART = "retrieval/scifact"
_HALVES: Mapping[Split, tuple[str, ...]] = {
    "development": ("claims_train",),
    "reported": ("claims_dev", "claims_validation"),
}
# A list of strings as numpy prints it: no commas between them.
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_FIELD_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Claim:
    """A row of a claims file: ``verdicts`` by the id of the abstract that gives them."""

    id: str
    text: str
    cited: tuple[str, ...]
    verdicts: Mapping[str, str]


def scifact(data: Path) -> JudgedCollection:
    """The judged collection. Raises ``NotFound`` and ``InvalidRequest`` as ``loading.load`` does."""
    folder = home(data)
    documents = tuple(
        text_document(name, "\n\n".join(part for part in (title, " ".join(sentences)) if part))
        for name, title, sentences in corpus(folder)
    )
    known = {document.id for document in documents}
    queries = [
        Query(claim.id, claim.text, {name: 1 for name in claim.cited if name in known}, split=half)
        for half, claims in halves(folder)
        for claim in claims
    ]
    return JudgedCollection("scifact", documents, tuple(query for query in queries if query.gains))


def home(data: Path) -> Path:
    """The folder of the set. Raises ``NotFound``."""
    folder = data / _PART
    if not any((folder / name).exists() for name in ("corpus.jsonl", "corpus_train.csv")):
        raise NotFound(
            f"{data} has no {_PART} with corpus.jsonl or corpus_train.csv",
            remedy="docs/guides/evaluation.md says where the data sets come from",
        )
    return folder


def corpus(folder: Path) -> Iterator[tuple[str, str, list[str]]]:
    """(id, title, sentences) of every abstract."""
    path = next(folder / name for name in ("corpus.jsonl", "corpus_train.csv") if (folder / name).exists())
    for number, row in enumerate(_rows(path), 1):
        try:
            sentences = row["abstract"] if isinstance(row["abstract"], list) else _strings(row["abstract"])
            yield str(row["doc_id"]), row["title"], sentences
        except (KeyError, SyntaxError) as error:
            raise InvalidRequest(f"{path.name} record {number} is not of SciFact's form: {error}") from None


def halves(folder: Path) -> Iterator[tuple[Split, list[Claim]]]:
    """The claims of each half. Raises ``NotFound``."""
    for half, names in _HALVES.items():
        files = [folder / f"{name}{ending}" for name in names for ending in (".jsonl", ".csv")]
        found = next((path for path in files if path.exists()), None)
        if found is None:
            raise NotFound(f"{folder} has no {names[0]}.jsonl", remedy="See docs/guides/evaluation.md for the files")
        yield half, (_released(found) if found.suffix == ".jsonl" else _merged(found))


def _released(path: Path) -> list[Claim]:
    claims = []
    for row in _rows(path):
        evidence = row.get("evidence") or {}
        verdicts = {str(name): parts[0]["label"] for name, parts in evidence.items() if parts}
        claims.append(Claim(str(row["id"]), row["claim"], tuple(map(str, row["cited_doc_ids"])), verdicts))
    return claims


def _merged(path: Path) -> list[Claim]:
    """In the CSV a claim has a row for each piece of its evidence."""
    claims: dict[str, Claim] = {}
    for row in _rows(path):
        verdicts = dict(claims[row["id"]].verdicts) if row["id"] in claims else {}
        if row["evidence_doc_id"]:
            verdicts[row["evidence_doc_id"]] = row["evidence_label"]
        cited = tuple(re.findall(r"\d+", row["cited_doc_ids"]))
        claims[row["id"]] = Claim(row["id"], row["claim"], cited, verdicts)
    return list(claims.values())


def _rows(path: Path) -> Iterator[Any]:
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            yield from (json.loads(line) for line in file if line.strip())
        else:
            csv.field_size_limit(_FIELD_CHARACTERS)
            yield from csv.DictReader(file)


def _strings(printed: str) -> list[str]:
    return [str(ast.literal_eval(literal)).strip() for literal in _STRING.findall(printed)]
