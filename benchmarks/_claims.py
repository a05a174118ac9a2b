"""Claims with known truth for ``triad.py``: SQuAD's, changed by rule or by a wrong answer, SciFact's and QAGS'."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import _labelled as labelled
import _perturb as perturb
from mainspring.core.errors import NotFound
from mainspring.features.evaluate.sets import public
from mainspring.features.evaluate.sets.collections import Split
from mainspring.rag.text import sentences

PASSAGES = 5


@dataclass(frozen=True, slots=True)
class Case:
    """An answerable question: its paragraph, the sentence that holds the answer, one other sentence of the paragraph,
    four other paragraphs of the article and one of another article, and another answer that the paragraph gives."""

    question: str
    answer: str
    paragraph: str
    sentence: str
    beside: str | None
    near: tuple[str, ...]
    far: str
    other_answer: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """A claim held against passages; ``kind`` says how it was made true or false."""

    kind: str
    text: str
    passages: Sequence[str]
    true: bool
    question: str = ""


def cases(folder: Path, split: Split, most: int) -> tuple[list[Case], list[tuple[str, str, str]]]:
    """Answerable cases, and (question, plausible wrong answer, paragraph) of adversarial questions, in drawn order.

    A paragraph belongs to the half of the question that is drawn first from it.
    """
    articles = public.articles(folder)
    wanted = {query.id for query in public.squad(folder).queries if query.split == split}
    generator = random.Random(17)
    found: list[Case] = []
    adversarial: list[tuple[str, str, str]] = []
    for number, article in enumerate(articles):
        texts = [paragraph["context"] for paragraph in article["paragraphs"]]
        away = articles[(number + 1 + generator.randrange(len(articles) - 1)) % len(articles)]["paragraphs"]
        for paragraph in article["paragraphs"]:
            text = paragraph["context"]
            asked = [row for row in paragraph["qas"] if row["id"] in wanted]
            for row in asked:
                near = tuple(generator.sample([each for each in texts if each != text], PASSAGES - 1))
                found += _case(row, paragraph, near, generator.choice(away)["context"], generator)
            if asked:
                adversarial += [
                    (row["question"], row["plausible_answers"][0]["text"], text)
                    for row in paragraph["qas"]
                    if row.get("is_impossible") and row.get("plausible_answers")
                ][:2]
    generator.shuffle(found)
    generator.shuffle(adversarial)
    return found[:most], adversarial[:most]


def _case(row: dict, paragraph: dict, near: tuple[str, ...], far: str, generator: random.Random) -> list[Case]:  # type: ignore[type-arg]
    text, gold = paragraph["context"], row["answers"][0]
    parts = [text[one.start : one.end] for one in sentences.split(text)]
    spans = [(one.start, one.end) for one in sentences.split(text)]
    held = next((n for n, (start, end) in enumerate(spans) if start <= gold["answer_start"] < end), None)
    if held is None or len(near) < PASSAGES - 1:
        return []
    others = [part for number, part in enumerate(parts) if number != held and len(part.split()) > 4]
    given = {answer["text"] for each in paragraph["qas"] for answer in each["answers"] if each["id"] != row["id"]}
    wrong = sorted(each for each in given if each not in gold["text"] and gold["text"] not in each)
    return [
        Case(
            row["question"],
            gold["text"],
            text,
            parts[held],
            generator.choice(others) if others else None,
            near,
            far,
            generator.choice(wrong) if wrong else None,
        )
    ]


def squad_claims(found: Sequence[Case], adversarial: Sequence[tuple[str, str, str]]) -> list[Told]:
    """Answers in other words and the same made false in one way; the passages are the paragraph and four others."""
    generator = random.Random(29)
    told: list[Told] = []
    for case in found:
        passages = [case.paragraph, *case.near]
        true = perturb.reworded(case.sentence)
        told.append(Told("in other words", true, passages, True, case.question))
        alien = [case.far[one.start : one.end] for one in sentences.split(case.far)]
        names = perturb.names(" ".join(passages))
        changed = {
            "number changed": perturb.number_changed(true, generator),
            "name of the passages": perturb.name_changed(true, names, generator),
            "name from elsewhere": perturb.name_changed(true, perturb.names(case.far), generator),
            "negation changed": perturb.negated(true),
            "sentence from elsewhere": generator.choice(alien) if alien else None,
        }
        told += [
            Told(kind, text, passages, False, case.question) for kind, text in changed.items() if text and text != true
        ]
        right = perturb.statement(case.question, case.answer)
        wrong = perturb.statement(case.question, case.other_answer) if case.other_answer else None
        if right is not None:
            told.append(Told("answer stated", right, passages, True, case.question))
            if wrong is not None:
                told.append(Told("wrong answer stated", wrong, passages, False, case.question))
    for question, answer, paragraph in adversarial:
        false = perturb.statement(question, answer)
        if false is not None:
            told.append(Told("adversarial statement", false, [paragraph], False, question))
    return told


def expert_claims(folder: Path, split: Split) -> list[Told]:
    """SciFact's claims of one half; none where its files are absent."""
    try:
        found = labelled.scifact(folder)
    except NotFound:
        return []
    return [Told("SciFact", claim.text, [claim.source], claim.supported) for claim in found if claim.split == split]


def summary_claims(folder: Path) -> list[Told]:
    """QAGS' sentences, all reported; none where its files are absent."""
    told: list[Told] = []
    for part in labelled.QAGS:
        try:
            found = labelled.qags(folder, part)
        except NotFound:
            continue
        told += [Told(f"QAGS {part}", claim.text, [claim.source], claim.supported) for claim in found]
    return told
