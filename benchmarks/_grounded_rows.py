"""Rows of RAFT's shape made of public sets: questions over numbered passages, with answers that cite, and refusals.

Trained on: ARES over Natural Questions, HotpotQA and Wizard of Wikipedia (Apache-2.0; relevant and faithful rows whose
answer is in the document), PubMedQA (MIT), DuoRC and Quoref (Apache-2.0). Held out, whole: SQuAD 2.0 dev and TAT-QA.

- answerable: the passage with the answer among passages of other questions of the set; the answer cites it.
- off-topic: passages of another set's questions.
- near miss: the passages that have most words of the question and not the answer, from other rows of the same set; of
  SQuAD, its adversarially unanswerable questions over their own paragraph.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REFUSAL = "The documents do not say."
_WORD = re.compile(r"[a-z0-9]{3,}")
_MOST_WORDS = 70
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Known:
    """A question with the passage that answers it. ``impossible``: it does not, though it looks as if."""

    source: str
    question: str
    passage: str
    answer: str
    impossible: bool = False


def words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def window(text: str, answer: str, most: int = _MOST_WORDS) -> str | None:
    """The sentences around the answer, of at most so many words; None if no sentence has it."""
    sentences = re.split(r"(?<=[.!?])\s+", " ".join(text.split()))
    place = next((n for n, each in enumerate(sentences) if answer.lower() in each.lower()), None)
    if place is None or len(sentences[place].split()) > most:
        return None
    first = last = place
    while True:
        wider = [(first - 1, last)] if first > 0 else []
        wider += [(first, last + 1)] if last + 1 < len(sentences) else []
        fitting = [each for each in wider if len(" ".join(sentences[each[0] : each[1] + 1]).split()) <= most]
        if not fitting:
            return " ".join(sentences[first : last + 1])
        first, last = fitting[0]


def ares(folder: Path) -> Iterator[Known]:
    csv.field_size_limit(10**8)
    for name in ("nq", "hotpotqa", "wow"):
        with zipfile.ZipFile(folder / "ares_synthetic" / f"{name}_synthetic_queries.zip") as packed:
            member = next(each for each in packed.namelist() if each.endswith(".tsv") and "MACOSX" not in each)
            with packed.open(member) as file:
                table = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8"), delimiter="\t")
                for row in table:
                    if row["Context_Relevance_Label"] != "Yes" or row["Answer_Faithfulness_Label"] != "Yes":
                        continue
                    answer = (row["generated_answer"] or "").strip().removeprefix("The answer is ").rstrip(".")
                    passage = window(row["document"], answer) if 0 < len(answer.split()) <= 12 else None
                    if passage:
                        yield Known(f"ares-{name}", row["synthetic_query"].strip(), passage, answer)


def pubmed(folder: Path) -> Iterator[Known]:
    with gzip.open(folder / "pubmedqa" / "ori_pqal.json.gz", "rt") as file:
        found = json.load(file)
    for row in found.values():
        passage = " ".join(row["CONTEXTS"][-1].split())
        answer = re.split(r"(?<=[.!?])\s+", row["LONG_ANSWER"].strip())[0].rstrip(".")
        if 15 < len(passage.split()) <= 2 * _MOST_WORDS and 4 < len(answer.split()) <= 30:
            yield Known("pubmedqa", row["QUESTION"].strip(), passage, answer)


_ASKED = (
    re.compile(r"Question: (?P<question>[^\n]+?)\n.*?(?:Movie plot|Context): (?P<context>.+)", re.DOTALL),
    re.compile(
        r"^(?P<question>[^\n]+\?)\n\nAnswer the above question based on the context below:\n\n(?P<context>.+)",
        re.DOTALL,
    ),
)


def reading(folder: Path) -> Iterator[Known]:
    """DuoRC and Quoref, each instance once."""
    seen: set[str] = set()
    for path in sorted(folder.glob("*.jsonl.gz")):
        kind = "duorc" if path.name.startswith("duorc") else "quoref"
        with gzip.open(path, "rt") as lines:
            for line in lines:
                row = json.loads(line)
                found = next((hit for each in _ASKED if (hit := each.search(row["prompt"]))), None)
                answer = row["completion"].replace("<|endoftext|>", "").strip().rstrip(".")
                if found is None or not 0 < len(answer.split()) <= 12:
                    continue
                passage = window(found["context"], answer)
                question = found["question"].strip()
                if passage and question not in seen:
                    seen.add(question)
                    yield Known(kind, question, passage, answer)


def squad(path: Path) -> Iterator[Known]:
    for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for row in paragraph["qas"]:
                answers = row["answers"] or row.get("plausible_answers", [])
                passage = window(paragraph["context"], answers[0]["text"]) if answers else None
                if passage:
                    yield Known(
                        f"squad:{article['title']}",
                        row["question"].strip(),
                        passage,
                        answers[0]["text"],
                        bool(row.get("is_impossible")),
                    )


def tatqa(folder: Path) -> Iterator[Known]:
    """Questions whose answer is a span of a paragraph."""
    with gzip.open(folder / "tatqa" / "tatqa_dataset_dev.json.gz", "rt") as file:
        documents = json.load(file)
    for document in documents:
        for row in document["questions"]:
            if row.get("answer_type") != "span" or row.get("answer_from") != "text":
                continue
            answers = row["answer"] if isinstance(row["answer"], list) else [row["answer"]]
            for paragraph in document["paragraphs"]:
                passage = window(paragraph["text"], str(answers[0]))
                if passage:
                    yield Known("tatqa", row["question"].strip(), passage, str(answers[0]))
                    break


def rows(known: Sequence[Known], seed: int, *, strangers: Sequence[Known] = ()) -> Iterator[dict[str, Any]]:
    """Each question answerable; and as often refused, by turns over near misses and over ``strangers``' passages."""
    drawn = random.Random(seed)
    passages: dict[str, list[str]] = {}
    for each in known:
        passages.setdefault(each.source, []).append(each.passage)
    bags = {source: [words(passage) for passage in found] for source, found in passages.items()}
    foreign = [each.passage for each in strangers] or [each.passage for each in known]
    for number, each in enumerate(known):
        others = list(drawn.sample(passages[each.source], min(12, len(passages[each.source]))))
        others = [passage for passage in others if each.answer.lower() not in passage.lower()]
        if each.impossible:
            yield row(
                each, drawn.sample([each.passage, *others[: _SHOWN - 1]], min(_SHOWN, len(others) + 1)), "near-miss"
            )
            continue
        shown = [each.passage, *others[: _SHOWN - 1]]
        drawn.shuffle(shown)
        yield row(each, shown, "answerable")
        if number % 2:
            near = nearest(each, passages[each.source], bags[each.source])
            if len(near) == _SHOWN:
                yield row(each, near, "near-miss")
        else:
            away = [passage for passage in drawn.sample(foreign, 12) if each.answer.lower() not in passage.lower()]
            yield row(each, away[:_SHOWN], "off-topic")


def nearest(each: Known, passages: Sequence[str], bags: Sequence[set[str]]) -> list[str]:
    """The passages with most words of the question, without the one that answers it and those that have the answer."""
    asked = words(each.question)
    ranked = sorted(range(len(passages)), key=lambda place: -len(asked & bags[place]))
    found: list[str] = []
    for place in ranked[:40]:
        passage = passages[place]
        if passage != each.passage and each.answer.lower() not in passage.lower() and passage not in found:
            found.append(passage)
        if len(found) == _SHOWN:
            break
    return found


def row(each: Known, shown: Sequence[str], kind: str) -> dict[str, Any]:
    answer = f"{each.answer} [{list(shown).index(each.passage) + 1}]" if kind == "answerable" else REFUSAL
    return {
        "question": each.question,
        "documents": list(shown),
        "answer": answer,
        "references": [each.answer],
        "refused": kind != "answerable",
        "difficulty": kind,
        "source": each.source,
    }


def trained_on(data: Path, seed: int = 1) -> list[dict[str, Any]]:
    known = [*ares(data / "qa/grounded"), *pubmed(data / "qa/grounded"), *reading(data / "sft/t0_permissive/templates")]
    return list(rows(known, seed))


def held_out(data: Path, most: int, seed: int = 2) -> dict[str, list[dict[str, Any]]]:
    """By set, at most so many rows of each difficulty. Passages of other subjects are the other set's."""
    sets = {"squad": list(squad(data / "qa/squad/dev-v2.0.json")), "tatqa": list(tatqa(data / "qa/grounded"))}
    made = {}
    for name, known in sets.items():
        others = sets["tatqa" if name == "squad" else "squad"]
        found = list(rows(known, seed, strangers=others))
        if name == "squad":
            # Its own near misses are the hard ones.
            impossible = {each.question for each in known if each.impossible}
            found = [each for each in found if each["difficulty"] != "near-miss" or each["question"] in impossible]
        random.Random(seed).shuffle(found)
        made[name] = list(_each(found, most))
    return made


def _each(found: Iterable[dict[str, Any]], most: int) -> Iterator[dict[str, Any]]:
    counts: dict[str, int] = {}
    for one in found:
        counts[one["difficulty"]] = counts.get(one["difficulty"], 0) + 1
        if counts[one["difficulty"]] <= most:
            yield one
