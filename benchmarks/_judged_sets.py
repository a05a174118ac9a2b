"""Public sets with people's labels for judges: pairs with a preference, and answers with a score against a text.

Each is in an order drawn once, so that the first part of a set is a random part of it. A file that is absent gives no
rows. docs/reference/benchmarks-data.md says where the files come from.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mainspring.features.judges.figures.changed import ATTACKS
from mainspring.features.judges.judging.items import Item

SUMMEDITS = ("samsum", "scitldr", "ectsum")
"""The parts whose documents are short enough for a small model."""
_PROMETHEUS = re.compile(
    r"###The instruction to evaluate:\n(.*?)\n\n###Response to evaluate:\n(.*?)\n\n###Score Rubrics:", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """An item with people's ``label``: of one answer in [0, 1], of a pair 1 for the first, 0 for the second, .5 for
    a tie. Items of one ``group`` share a source."""

    id: str
    item: Item
    label: float
    group: str


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a packed file of JSON, or of lines of JSON; none where it is absent."""
    if not path.exists():
        return []
    text = gzip.decompress(path.read_bytes()).decode()
    try:
        found = json.loads(text)
    except ValueError:
        found = [json.loads(line) for line in text.splitlines() if line.strip()]
    return list(found)


def qags(data: Path) -> list[Labelled]:
    """Summaries, and the share of people who find what their sentences say in the article (as UniEval pools them)."""
    return [
        Labelled(
            f"{part} {number}",
            Item((row["system_output"],), passages=(row["source"],)),
            float(row["scores"]["consistency"]),
            row["source"][:200],
        )
        for part in ("cnndm", "xsum")
        for number, row in enumerate(read(data / f"judge/unieval/fact/qags_{part}.json.gz"))
    ]


def summedits(data: Path) -> list[Labelled]:
    """Summaries that people edited, and whether they are still consistent with the document."""
    return [
        Labelled(row["id"], Item((row["summary"],), passages=(row["doc"],)), float(row["label"]), row["doc"][:200])
        for part in SUMMEDITS
        for row in read(data / f"judge/summedits/summedits_{part}.json.gz")
    ]


def usr(data: Path) -> list[Labelled]:
    """Turns of a dialogue, and the share of people who say that they use the given fact."""
    return [
        Labelled(
            f"usr {number}",
            Item((row["system_output"],), question=row["source"].strip()[-1_500:], passages=(row["context"],)),
            float(row["scores"]["groundedness"]),
            row["source"][:200],
        )
        for number, row in enumerate(read(data / "judge/unieval/dialogue/topical_chat.json.gz"))
    ]


def ares(data: Path) -> list[Labelled]:
    """Answers that a model made right or wrong on purpose, to questions that their document answers."""
    found = []
    for name in ("nq", "hotpotqa", "wow"):
        path = data / f"qa/grounded/ares_synthetic/{name}_synthetic_queries.zip"
        if not path.exists():
            continue
        with zipfile.ZipFile(path) as packed:
            text = packed.read(packed.namelist()[0]).decode()
        for number, row in enumerate(csv.DictReader(io.StringIO(text), delimiter="\t")):
            label = row["Answer_Faithfulness_Label"]
            if row["Context_Relevance_Label"] == "Yes" and label in ("Yes", "No"):
                asked = Item((row["generated_answer"],), row["synthetic_query"], (row["document"],))
                found.append(Labelled(f"{name} {number}", asked, float(label == "Yes"), row["document"][:200]))
    return found


def feedback(data: Path) -> list[Labelled]:
    """Long answers over passages, and whether people marked nothing in them as wrong or not to be verified."""
    found = []
    for number, row in enumerate(read(data / "qa/qa_feedback/dev_feedback.json.gz")):
        passages = tuple(" ".join(each[1:]) for each in row["passages"])
        wrong = any(each["error type"] in ("Wrong-Grounding", "Unverifiable") for each in row["feedback"]["errors"])
        asked = Item((row["prediction 1"],), row["question"], passages)
        found.append(Labelled(f"feedback {number}", asked, float(not wrong), row["question"]))
    return found


def pandalm(data: Path) -> list[Labelled]:
    """Pairs of answers with the majority of three people; those on which all three differ are left out."""
    found = []
    for row in read(data / "judge/pandalm/testset-v1.json.gz"):
        votes = [row[f"annotator{number}"] for number in (1, 2, 3)]
        winner = max(set(votes), key=votes.count)
        if votes.count(winner) > 1:
            question = f"{row['instruction']}\n{row['input']}".strip()
            pair = Item((row["response1"], row["response2"]), question)
            found.append(Labelled(str(row["idx"]), pair, {1: 1.0, 2: 0.0}.get(winner, 0.5), question[:200]))
    return found


def autoj(data: Path) -> list[Labelled]:
    """Pairs of answers with people's preference, in 58 situations."""
    return [
        Labelled(
            f"autoj {number}",
            Item((row["response 1"], row["response 2"]), row["prompt"]),
            {0: 1.0, 1: 0.0}.get(row["label"], 0.5),
            row["prompt"][:200],
        )
        for number, row in enumerate(read(data / "judge/prometheus_eval/autoj_pairwise.json.gz"))
    ]


def hhh(data: Path) -> list[Labelled]:
    """Pairs of an answer that is helpful, honest or harmless and one that is less so. Every other pair is turned."""
    found = []
    for number, row in enumerate(read(data / "judge/prometheus_eval/hhh_alignment_eval.json.gz")):
        chosen, rejected = (_PROMETHEUS.search(row[f"{name}_instruction"]) for name in ("chosen", "rejected"))
        if chosen is None or rejected is None:
            continue
        answers = (chosen[2], rejected[2]) if number % 2 else (rejected[2], chosen[2])
        found.append(Labelled(f"hhh {number}", Item(answers, chosen[1]), float(number % 2), chosen[1][:200]))
    return found


def attacked(labelled: list[Labelled]) -> list[Labelled]:
    """What people reject among ``labelled``, as it is and with each attack, which the end of the id names."""
    found = []
    for each in labelled:
        if each.label == 0:
            found.append(replace(each, id=f"{each.id}|"))
            for name, text in ATTACKS.items():
                answer = f"{each.item.answer}\n\n{text.format(good='yes')}"
                found.append(replace(each, id=f"{each.id}|{name}", item=replace(each.item, answers=(answer,))))
    return found


POINTS: Mapping[str, Callable[[Path], list[Labelled]]] = {
    "qags": qags,
    "summedits": summedits,
    "usr": usr,
    "ares": ares,
    "feedback": feedback,
}
PAIRS: Mapping[str, Callable[[Path], list[Labelled]]] = {"pandalm": pandalm, "autoj": autoj, "hhh": hhh}


def drawn(name: str, data: Path) -> list[Labelled]:
    """The set ``name`` in its drawn order; ``NAME+attacks`` are the answers of it that people reject, each as it is and
    with each of the fixed attacks at its end."""
    if name.endswith("+attacks"):
        return attacked(drawn(name.removesuffix("+attacks"), data))
    found = {**POINTS, **PAIRS}[name](data)
    random.Random(17).shuffle(found)
    return found
