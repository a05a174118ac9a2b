"""Questions about passages for readers and support checks: public sets, in the form of rows of training.

Trained on: ARES over Wikipedia (NQ, HotpotQA, FEVER, WoW), DuoRC, Quoref and ROPES of T0, PAWS, and ten articles of
SQuAD 2.0 dev. Reported on, and used for nothing else: every fourth article of SQuAD 2.0 dev, ARES over news and stories
(ReCoRD, MultiRC), TAT-QA, QAGS, SummEdits.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Literal

from mainspring.features.evaluate.sets.loading import load
from mainspring.training.encoders.data.near_misses import AnsweredQuestion, Example, holds, window

Part = Literal["trained", "chosen", "reported"]
SQUAD_CHOSEN = (5, 10)
"""Articles of SQuAD 2.0 dev by number on which thresholds may be chosen: "1973 oil crisis" and "Immune system". Every
fourth article is reported, as in ``squad-articles``."""
ARES_TRAINED = ("nq", "hotpotqa", "wow", "fever")
ARES_REPORTED = ("record", "multirc")
_QUOREF = re.compile(
    r"^The following article contains an answer for the question: (.*?) , can you please find it\? \n\n(.*)$", re.S
)
_DUORC = re.compile(r"^Question: (.*?)\nIf there is no answer, .*?\nMovie title: (.*?)\nContext: (.*)$", re.S)
_ROPES = re.compile(
    r"^Please answer correctly the following question related to the paragraph below\. \n\n(.*?)\n\n(.*)$", re.S
)
_PAWS = re.compile(
    r"^Determine if the following two sentences paraphrase each other or not\.\nSent 1: (.*?)\nSent 2: (.*?)\n*$", re.S
)


def opened(path: Path) -> io.TextIOBase:
    """The text of a file, gzipped or not; ``path`` without ``.gz``."""
    packed = path.with_name(f"{path.name}.gz")
    return gzip.open(packed, "rt", encoding="utf-8") if packed.exists() else path.open(encoding="utf-8")


def ares(data: Path, name: str) -> list[dict[str, str]]:
    """The rows of one of ARES' sets."""
    with zipfile.ZipFile(data / f"qa/grounded/ares_synthetic/{name}_synthetic_queries.zip") as packed:
        text = packed.read(f"{name}_synthetic_queries.tsv").decode("utf-8")
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def templates(data: Path, name: str) -> Iterator[tuple[str, str]]:
    """Prompts and completions of a template of T0."""
    with opened(data / f"sft/t0_permissive/templates/{name}.jsonl") as lines:
        for line in lines:
            row = json.loads(line)
            yield row["prompt"], row["completion"].replace("<|endoftext|>", "").strip()


def answered(data: Path, *, names: tuple[str, ...] = ARES_TRAINED, t0: bool = True) -> list[AnsweredQuestion]:
    """Questions with a passage that answers them, each once."""
    found: dict[tuple[str, str], AnsweredQuestion] = {}
    for name in names:
        for row in ares(data, name):
            good = row["Context_Relevance_Label"] == row["Answer_Faithfulness_Label"] == "Yes"
            question = row["synthetic_query"].strip()
            if good and question.endswith("?"):
                passage = row["document"].strip()
                found[question, passage] = AnsweredQuestion(
                    question, passage, row["generated_answer"].strip(), passage[:80]
                )
    for template, pattern in (("quoref_Find_Answer", _QUOREF), ("ropes_prompt_beginning", _ROPES)) if t0 else ():
        for prompt, completion in templates(data, template):
            if match := pattern.match(prompt):
                question, passage = match[1].strip(), match[2].strip()
                found[question, passage] = AnsweredQuestion(question, passage, completion, passage[:80])
    for template in ("duorc_SelfRC_question_answering",) if t0 else ():
        for prompt, completion in templates(data, template):
            match = _DUORC.match(prompt)
            if match and not completion.startswith("Insufficient"):
                question, passage = match[1].strip(), match[3].strip()
                found[question, passage] = AnsweredQuestion(question, passage, completion, match[2])
    return list(found.values())


def off_topic(data: Path, names: tuple[str, ...] = ARES_TRAINED) -> Iterator[Example]:
    """ARES' irrelevant rows."""
    for name in names:
        for row in ares(data, name):
            if row["Context_Relevance_Label"] == "No":
                passage = row["document"].strip()
                yield Example(row["synthetic_query"].strip(), passage, "", "off topic", passage[:80])


def squad(data: Path, seed: int, count: int, part: Part = "reported") -> list[Example]:
    """SQuAD 2.0 dev: as many answerable questions as adversarially unanswerable ones, ``count`` of each, drawn by
    seed. Of the articles that are reported nothing is trained or chosen on, of the chosen ones nothing is trained on.
    """
    kinds: dict[bool, list[Example]] = {True: [], False: []}
    for context, each in _squad_rows(data, part):
        answer = each["answers"][0]["text"] if each["answers"] else ""
        kind: Any = "value swapped" if each["is_impossible"] else "answered"
        found = Example(each["question"].strip(), context, answer, kind, context[:80])
        kinds[found.answerable].append(found)
    random = Random(seed)
    return [each for rows in kinds.values() for each in random.sample(rows, min(count, len(rows)))]


def squad_trained(data: Path, seed: int, words: int) -> Iterator[Example]:
    """Questions of the articles that are trained on, each with about ``words`` words of its paragraph, around the
    answer or what only seems to be one. Questions that any set reports are left out."""
    reported = {
        query.text.strip() for name in ("squad", "squad-refusal") for query in load(name, data).part("reported").queries
    }
    random = Random(seed)
    for context, each in _squad_rows(data, "trained"):
        question = each["question"].strip()
        if question in reported:
            continue
        answers = each["answers"] or each.get("plausible_answers") or []
        text = answers[0]["text"] if answers else ""
        kind: Any = "value swapped" if each["is_impossible"] else "answered"
        told = text if each["answers"] else ""
        yield Example(question, window(context, text, words, random), told, kind, context[:80])


def _squad_rows(data: Path, part: Part) -> Iterator[tuple[str, Any]]:
    articles = json.loads((data / "qa/squad/dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    for number, article in enumerate(articles, 1):
        its: Part = "reported" if number % 4 == 0 else "chosen" if number in SQUAD_CHOSEN else "trained"
        for paragraph in article["paragraphs"] if its == part else ():
            for each in paragraph["qas"]:
                yield paragraph["context"], each


def tatqa(data: Path, count: int) -> list[Example]:
    """Questions that the text beside a table of TAT-QA answers, and those that only other reports' texts answer: the
    closest passage of another report."""
    with opened(data / "qa/grounded/tatqa/tatqa_dataset_dev.json") as file:
        reports = json.load(file)
    found: list[Example] = []
    texts = [(number, each["text"]) for number, report in enumerate(reports) for each in report["paragraphs"]]
    for number, report in enumerate(reports):
        for each in report["questions"]:
            answer = each["answer"]
            text = answer if isinstance(answer, str) else (answer[0] if isinstance(answer, list) and answer else "")
            if each["answer_from"] != "text" or each["answer_type"] != "span" or not isinstance(text, str):
                continue
            own = [part["text"] for part in report["paragraphs"] if holds(part["text"], text)]
            near = [passage for at, passage in texts if at != number and not holds(passage, text)]
            if own and near:
                words = set(each["question"].lower().split())
                other = max(near, key=lambda passage: len(words & set(passage.lower().split())) / len(words))
                found.append(Example(each["question"], own[0], text, "answered", str(number)))
                found.append(Example(each["question"], other, "", "other passage", str(number)))
    return found[: 2 * count]


def paws(data: Path) -> Iterator[tuple[str, str, bool]]:
    """Pairs of sentences of the same words, and whether they say the same."""
    seen: set[tuple[str, str]] = set()
    for prompt, completion in templates(data, "paws_labeled_final_task_description_no_label"):
        match = _PAWS.match(prompt)
        if match and (match[1], match[2]) not in seen:
            seen.add((match[1], match[2]))
            yield match[1].strip(), match[2].strip(), completion.strip() == "Yes"
