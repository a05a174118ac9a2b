"""HotpotQA (Yang et al., EMNLP 2018) and MuSiQue (Trivedi et al., TACL 2022) as judged collections.

Both are read in the shape in which HippoRAG's repository has its samples of them: a file of questions and one with
the passages of all. People wrote these questions; each needs every passage that is judged relevant to it. Questions of
odd number are development.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.features.evaluate.sets.collections import JudgedCollection, Query, Split, text_document

FOLDER = "qa/hipporag"


def hotpotqa(data: Path) -> JudgedCollection:
    """HotpotQA's sample: 994 passages, and 100 questions that need two of the passages."""
    questions, corpus = _files(data, "hotpotqa_train")
    if not isinstance(corpus, Mapping):
        raise InvalidRequest("the corpus of HotpotQA is an object of titles and sentences", param="data")
    names = {title: f"h{number:05}" for number, title in enumerate(corpus)}
    documents = tuple(
        text_document(names[title], f"{title}\n\n{''.join(sentences)}") for title, sentences in corpus.items()
    )
    queries: list[Query] = []
    for number, row in enumerate(questions, 1):
        gains = {names[title]: 1 for title, _ in row["supporting_facts"]}
        queries.append(Query(row["_id"], row["question"], gains, (row["answer"],), split=_split(number)))
    return JudgedCollection("hotpotqa", documents, tuple(queries))


def musique(data: Path) -> JudgedCollection:
    """MuSiQue's sample: 1,890 passages, and the 68 of its 100 questions that need two of the passages."""
    questions, corpus = _files(data, "musique_train")
    if not isinstance(corpus, list):
        raise InvalidRequest("the corpus of MuSiQue is a list of objects with title and text", param="data")
    names = {(row["title"], row["text"]): f"m{number:05}" for number, row in enumerate(corpus)}
    documents = tuple(text_document(name, f"{title}\n\n{text}") for (title, text), name in names.items())
    queries: list[Query] = []
    for row in (row for row in questions if row["id"].startswith("2hop")):
        relevant = [part for part in row["paragraphs"] if part["is_supporting"]]
        gains = {names[part["title"], part["paragraph_text"]]: 1 for part in relevant}
        answers = (row["answer"], *row["answer_aliases"])
        queries.append(Query(row["id"], row["question"], gains, answers, split=_split(len(queries) + 1)))
    return JudgedCollection("musique", documents, tuple(queries))


def _files(data: Path, name: str) -> tuple[list[Any], Any]:
    folder = data / FOLDER
    paths = [folder / f"{name}.json", folder / f"{name}_corpus.json"]
    for path in paths:
        if not path.exists():
            raise NotFound(f"there is no {path}", remedy="docs/guides/evaluation.md says where the data sets come from")
    questions, corpus = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    if not isinstance(questions, list):
        raise InvalidRequest(f"{paths[0]} is not a list of questions", param="data")
    return questions, corpus


def _split(number: int) -> Split:
    return "development" if number % 2 else "reported"
