"""What the check of written sentences catches: sentences of SQuAD held against themselves, whole and damaged.

    MAINSPRING_DATA=... python benchmarks/written_checks.py

A sentence that stands word for word in its source must pass; one with another number, another name, another unit of
time, a "not" too many or too few must not. Needs no model. It says nothing of sentences in other words, which is
what ``written_answers.py`` counts.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from _report import Figure, report
from answers import squad
from mainspring.rag.answer.evidence.values import values
from mainspring.rag.answer.write import claims
from mainspring.rag.text import sentences

SEED, SAMPLE = 1, 3000
_SHORTEST, _LONGEST = 8, 40
_NUMBER = re.compile(r"(?<![\w.,-])\d+(?![\w.,-]*\d)")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}")
_VERB = re.compile(r"\b(?:is|are|was|were|can|could|has|have) (?!not|never|no )")
_NOT = re.compile(r"(?<= )(?:not|never) ")
_LONGER = {
    "second": "hour",
    "minute": "day",
    "hour": "week",
    "day": "month",
    "week": "year",
    "month": "week",
    "year": "day",
}
_UNIT = re.compile("|".join(_LONGER))


def drawn() -> list[str]:
    """Sentences of SQuAD's paragraphs, by a fixed seed."""
    found = []
    for _, text in squad()[0]:
        bodies = (text[each.start : each.end] for each in sentences.split(text))
        found += [body for body in bodies if _SHORTEST <= len(body.split()) <= _LONGEST]
    random.Random(SEED).shuffle(found)
    return found[:SAMPLE]


def damaged(sentence: str, others: Sequence[str], chance: random.Random) -> Iterator[tuple[str, str]]:
    """(kind, ``sentence`` with one thing changed), for each kind that there is something of."""
    number = _NUMBER.search(sentence)
    if number:
        last = (int(number.group()[-1]) + chance.randint(1, 8)) % 10
        changed = f"{sentence[: number.end() - 1]}{last}{sentence[number.end() :]}"
        # Where the new number stands elsewhere in the sentence, it is one of the source's.
        if set(re.findall(r"\d+", changed)) - set(re.findall(r"\d+", sentence)):
            yield "number", changed
    name = _NAME.search(sentence)
    strange = [each for each in _NAME.findall(chance.choice(others)) if each not in sentence]
    if name and strange:
        yield "name", f"{sentence[: name.start()]}{strange[0]}{sentence[name.end() :]}"
    lasts = next((value for value in values(sentence) if value.kind == "duration"), None)
    if lasts and not lasts.text[0].isupper():
        other = _UNIT.sub(lambda match: _LONGER[match.group()], lasts.text)
        yield "unit of time", f"{sentence[: lasts.start]}{other}{sentence[lasts.end :]}"
    if _NOT.search(sentence):
        yield "not left out", _NOT.sub("", sentence, count=1)
    if verb := _VERB.search(sentence):
        yield "not put in", f"{sentence[: verb.end()]}not {sentence[verb.end() :]}"


def main() -> None:
    texts = drawn()
    chance = random.Random(SEED)
    made: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    alarms = 0
    for sentence in texts:
        alarms += bool(claims.problems(sentence, sentence))
        for kind, changed in damaged(sentence, texts, chance):
            made[kind] += 1
            caught[kind] += bool(claims.problems(changed, sentence))
    figures = {
        "rejected though word for word": Figure(alarms / len(texts), "share", "lower", 0.01, 0.0, f"{len(texts)}")
    }
    for kind in made:
        against = f"{caught[kind]} of {made[kind]}"
        figures[f"caught: {kind}"] = Figure(caught[kind] / made[kind], "share", "higher", 0.9, 1.0, against)
    report("written_checks", figures)


if __name__ == "__main__":
    main()
