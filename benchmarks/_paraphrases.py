"""Pairs of questions and sentences that mean the same or not, from public sets below ``$MAINSPRING_DATA/paraphrase``.

``fit`` halves served to write the rules and to choose both thresholds of the semantic cache, ``report`` halves are only
counted. Where a set has no splits of its own, or one, a hash of the (first) text decides; questions of Quora go by the
connected group of their duplicates, and none that PAWS-QQP uses are fitted on.
"""

from __future__ import annotations

import ast
import csv
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from _report import skip

Split = Literal["fit", "report"]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Two texts of ``source``, and whether people took them for the same."""

    source: str
    split: Split
    one: str
    other: str
    same: bool


def load() -> list[Labelled]:
    """All pairs. Skips the benchmark where a set is missing."""
    root = Path(os.environ.get("MAINSPRING_DATA", "")) / "paraphrase"
    if not root.is_dir():
        skip("MAINSPRING_DATA names no folder with paraphrase/ in it (docs/guides/caching.md says what belongs there)")
    pairs = [*_paws_wiki(root), *_paws_qqp(root), *_squad(root), *_paraquality(root), *_medical(root)]
    taken = {_plain(text) for pair in pairs if pair.source == "PAWS-QQP" for text in (pair.one, pair.other)}
    pairs += _quora(root, taken)
    pairs += _unanswerable(root.parent / "qa" / "squad" / "dev-v2.0.json")
    pairs += _contrast(root / "contrast")
    # Some stand in a set twice, or were changed in their passage alone: the same text is no near-miss.
    return [pair for pair in pairs if pair.same or _plain(pair.one) != _plain(pair.other)]


def _half(text: str) -> Split:
    return "fit" if int(hashlib.sha256(_plain(text).encode()).hexdigest(), 16) % 2 else "report"


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def _joined(text: str) -> str:
    """Tokenised text put together again."""
    text = text.replace("``", '"').replace("''", '"').replace(" -- ", "-")
    text = re.sub(r"\s+(n't|'s|'m|'re|'ve|'ll|'d)\b", r"\1", text)
    text = re.sub(r"\s+([.,!?;:%)\]])", r"\1", text)
    return re.sub(r"([(\[$])\s+", r"\1", text).strip()


def _table(path: Path) -> Iterator[list[str]]:
    for line in path.read_text(encoding="utf-8").split("\n")[1:]:
        if len(fields := line.split("\t")) == 4:
            yield fields


def _paws_wiki(root: Path) -> Iterator[Labelled]:
    splits: tuple[tuple[Split, str], ...] = (("fit", "dev_2k"), ("report", "test_2k"))
    for split, name in splits:
        for _, one, other, label in _table(root / "pawsx" / f"{name}.tsv"):
            yield Labelled("PAWS-Wiki", split, _joined(one), _joined(other), label == "1")


def _paws_qqp(root: Path) -> Iterator[Labelled]:
    for _, one, other, label in _table(root / "paws_qqp" / "dev_and_test.tsv"):
        first, second = (_joined(_literal(text)) for text in (one, other))
        yield Labelled("PAWS-QQP", _half(first), first, second, label == "1")


def _literal(text: str) -> str:
    # The released files hold Python's way of writing bytes.
    return ast.literal_eval(text).decode("utf-8", "replace") if text.startswith(("b'", 'b"')) else text


def _squad(root: Path) -> Iterator[Labelled]:
    folder = root / "paraphrased_squad"
    for one, other in zip(_asked(folder / "dev_orig.json"), _asked(folder / "dev_para.json"), strict=True):
        yield Labelled("paraphrased SQuAD", "report", one, other, True)


def _asked(path: Path) -> list[str]:
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    return [asked["question"] for article in articles for part in article["paragraphs"] for asked in part["qas"]]


def _paraquality(root: Path) -> Iterator[Labelled]:
    seen: set[tuple[str, str]] = set()
    for row in json.loads((root / "paraquality" / "para-quality.json").read_text(encoding="utf-8")):
        one = row["expression"].replace(" ?", "?").replace(" ,", ",")
        for found in row["paraphrases"]:
            other, kinds = found["paraphrase"], set(found["category"])
            if (one, other) in seen or _plain(one) == _plain(other):
                continue
            seen.add((one, other))
            wrong = bool(kinds & {"Semantic Error", "Answering", "Cheating"})
            if wrong or kinds == {"Correct"}:
                yield Labelled("ParaQuality", _half(one), one, other, not wrong)


def _medical(root: Path) -> Iterator[Labelled]:
    with (root / "medical" / "mqp.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            if len(row) == 4 and row[3] in ("0", "1"):
                yield Labelled("medical", "report", row[1], row[2], row[3] == "1")


def _quora(root: Path, taken: set[str]) -> Iterator[Labelled]:
    with (root / "qqp" / "quora-dev.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if len(row) >= 5 and row[4] in ("0.0", "1.0")]
    parents: dict[str, str] = {}

    def group(text: str) -> str:
        parents.setdefault(text, text)
        while parents[text] != text:
            parents[text] = parents[parents[text]]
            text = parents[text]
        return text

    texts = [(row[2].strip('"'), row[3].strip('"'), row[4] == "1.0") for row in rows]
    for one, other, _ in texts:
        parents[group(_plain(one))] = group(_plain(other))
    used = {group(text) for text in taken if text in parents}
    for one, other, same in texts:
        name = group(_plain(one))
        split: Split = "report" if int(hashlib.sha256(name.encode()).hexdigest(), 16) % 2 else "fit"
        if split == "report" or name not in used:
            yield Labelled("Quora", split, one, other, same)


def _unanswerable(path: Path) -> list[Labelled]:
    """Questions that people made unanswerable by changing another, with the most alike answerable one of the paragraph:
    half of their words are the same, and they cannot ask the same."""
    found = []
    articles: list[Any] = json.loads(path.read_text(encoding="utf-8"))["data"]
    for part in (part for article in articles for part in article["paragraphs"]):
        possible = [asked["question"].strip() for asked in part["qas"] if not asked["is_impossible"]]
        for asked in part["qas"]:
            if not asked["is_impossible"] or not possible:
                continue
            words = set(_plain(asked["question"]).split())
            shares = [len(words & set(_plain(each).split())) / len(words) for each in possible]
            if max(shares) >= 0.5:
                alike = possible[shares.index(max(shares))]
                found.append(Labelled("SQuAD unanswerable", _half(alike), alike, asked["question"].strip(), False))
    return found


def _contrast(root: Path) -> Iterator[Labelled]:
    """Questions that experts changed so that their answer changes (Gardner et al. 2020): DROP, Quoref, BoolQ."""
    drop = json.loads((root / "drop_contrast_sets_test.json").read_text(encoding="utf-8"))
    changed = [(row["original_question"], row["question"]) for part in drop.values() for row in part["qa_pairs"]]
    first, second = (
        _answered(root / f"quoref_{name}_20191206_merged.json") for name in ("original_subset", "test_perturbations")
    )
    originals = {row["id"]: row for row in first}
    for row in second:
        original = originals.get(row.get("original_id", ""))
        if original and {each["text"] for each in original["answers"]} != {each["text"] for each in row["answers"]}:
            changed.append((original["question"], row["question"]))
    for row in json.loads((root / "boolq_perturbed.json").read_text(encoding="utf-8"))["data"]:
        others = row.get("perturbed_questions")
        # The first row only says what a row looks like.
        if isinstance(others, str):
            others = ast.literal_eval(others)
            changed += [(row["question"], each["perturbed_q"]) for each in others if each["answer"] != row["answer"]]
    for one, other in changed:
        yield Labelled("contrast sets", "report", one.strip(), other.strip(), False)


def _answered(path: Path) -> list[dict[str, Any]]:
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    return [asked for article in articles for part in article["paragraphs"] for asked in part["qas"]]
