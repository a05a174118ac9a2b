"""Conversations of several turns: which are fitted on, and which are reported.

Fitted: attacks of our own and one half of the jailbreaks from the wild, cut over turns; ladders of our own; against
Taskmaster-4's even dialogues, questions of SQuAD's even articles and look-alikes in a row, and calm talks of our own.
Reported: attacks of sets that nothing was fitted on, cut over turns in other carriers; talks built up step by step, of
`mainspring redteam` and of two others; attempts in a row (Mosscap, deepset); harmful requests over turns, which is not
what the detector is for; against SGD, MT-Bench-101, MT-Bench and deepset's harmless requests, of which nothing was
fitted, Taskmaster-4's and SQuAD's other halves, and XSTest and NotInject in a row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import _public_talks as public
import _talk_templates as made
from _detector_templates import attacks, look_alikes
from _detectors import Sets, Task, digest, even, resembles, some
from mainspring.features.redteam import multi_turn as red
from mainspring.guards.detect import conversation

Talk = list[str]
TURNS = 4
"""Neighbouring turns that are read as one text."""
MOST = 600


def texts(talk: Sequence[str]) -> list[str]:
    """What of a conversation is read as one text, over all its turns."""
    return conversation.windows(conversation.heard(talk), TURNS)


def task(sets: Sets) -> Task:
    """What is fitted. A conversation stands for its windows: each of an innocent one is innocent, and of an attack what
    is read when it is complete."""
    reported = [*sets.giskard, *sets.pint, *sets.extraction]
    payloads = [text for text in attacks() if not resembles(text, reported)]
    payloads += [text[:600] for text in sets.wild[0] if not resembles(text, reported)]
    bad = [made.cut(text, number) for number, text in enumerate(some(payloads, MOST)) if len(text.split()) > 3]
    ladders, calm = made.ladders(420), made.calm(420)
    # Look-alikes in a row are of one fold's alone, as are talks of one family: what is held out is held out whole.
    parts = [
        [text for text in [*sets.not_inject["one"], *look_alikes()] if int(digest(text), 16) % 5 == each]
        for each in range(5)
    ]
    alike = [rows(part, 120, "fit") for part in parts]
    plain = [*dialogues(sets.data, of=True)[:MOST], *asked(sets.data, of=True)[:MOST], *rows(sets.gsm8k, 100, "fit")]
    folds = {texts(talk)[-1]: number % 7 for talks in (ladders, calm) for number, talk in enumerate(talks)}
    folds |= {text: fold for fold, drawn in enumerate(alike) for talk in drawn for text in texts(talk)}
    similar = [text for drawn in alike for talk in drawn for text in texts(talk)]
    ordinary = [text for talk in [*plain, *calm] for text in texts(talk)[:3]]
    attacking = [texts(talk)[-1] for talk in [*bad, *ladders]]
    return Task("conversation", attacking, [*ordinary, *similar], similar, folds=folds)


def attacked(sets: Sets) -> Iterator[tuple[str, list[Talk]]]:
    """(name, conversations) that should be found, and were not fitted."""
    held = [*sets.giskard, *sets.pint, *sets.extraction, *some([text[:600] for text in sets.wild[1]], 100)]
    harmless = some(sets.questions, 400)
    for style, found in red.carried(held, harmless).items():
        yield f"held-out attacks, {style}", found
    yield "built up step by step (red team's)", [list(talk) for talk, _ in red.talks()]
    yield "built up step by step (HeroForge)", public.heroforge(sets.data)
    yield "built up step by step (Parapet)", public.parapet(sets.data, "attacks")
    for name in ("mosscap", "deepset"):
        tried = public.attempts(sets.data, f"{name}_attacks")
        yield f"attempts, three in a row ({name.capitalize()})", rows(tried, 150, "report", long=3) if tried else []
    recorded = public.recorded(sets.data)
    yield "harmful requests, a recorded crescendo", recorded.get("crescendomation", [])
    yield "harmful requests, a recorded opposite day", recorded.get("opposite_day", [])
    yield "harmful requests about computers (CyMulTenSet)", public.cyber(sets.data)
    found = [talk for path in sorted((sets.data / "turns/cosafe").glob("*.json")) for talk in cosafe(path)]
    yield "harmful requests (CoSafe)", some_talks(found)


def innocent(sets: Sets) -> Iterator[tuple[str, list[Talk]]]:
    """(name, conversations) that should not."""
    alike = [*sets.not_inject["two"], *sets.not_inject["three"]]
    yield "look-alikes, three in a row (NotInject two, three)", rows(alike, 150, "report", long=3)
    yield "safe prompts, three in a row (XSTest)", rows(sets.xstest["safe"], 150, "report", long=3)
    harmless = public.attempts(sets.data, "deepset_benign")
    yield "harmless requests, three in a row (deepset)", rows(harmless, 150, "report", long=3) if harmless else []
    yield "harmless talks (Parapet)", public.parapet(sets.data, "benign")
    booked = [[text for who, text in talk if who == "USER"] for talk in public.bookings(sets.data)]
    yield "orders and bookings (SGD)", some_talks(booked)[:300]
    yield "orders and bookings (Taskmaster-4, other half)", some_talks(dialogues(sets.data, of=False))
    yield "questions about an article (SQuAD, other half)", some_talks(asked(sets.data, of=False))
    path = sets.data / "turns/mtbench101.jsonl"
    if path.exists():
        lines = [json.loads(line)["history"] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        yield "assistant's dialogues (MT-Bench-101)", some_talks([[each["user"] for each in line] for line in lines])
    path = sets.data / "turns/mt_bench.jsonl"
    if path.exists():
        yield (
            "two turns (MT-Bench)",
            [json.loads(line)["turns"] for line in path.read_text(encoding="utf-8").splitlines()],
        )


def rows(found: Sequence[str], count: int, salt: str, *, long: int = 0) -> list[Talk]:
    """Texts in a row, ``long`` or two to four of them, always the same ones."""
    drawn = []
    for number in range(count):
        order = sorted(found, key=lambda text: digest(f"{salt} {number} {text}"))
        drawn.append(order[: long or 2 + number % 3])
    return drawn


def dialogues(data: Path, *, of: bool) -> list[Talk]:
    """What users say in Taskmaster-4's dialogues of one half: neighbours in the file, which often are one person's, are
    in one half."""
    found = []
    for path in sorted((data / "dialogues").glob("*.json")):
        for number, each in enumerate(json.loads(path.read_text(encoding="utf-8"))):
            said = [" ".join(turn["text"].split()) for turn in each["utterances"] if turn["speaker"] == "user"]
            if len([text for text in said if text]) > 1 and (number // 50 % 2 == 0) is of:
                found.append([text for text in said if text])
    return sorted(found, key=lambda talk: digest(repr(talk)))


def asked(data: Path, *, of: bool) -> list[Talk]:
    """The questions about a paragraph of SQuAD as a conversation."""
    content = json.loads((data / "qa/squad/dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    found = [
        [each["question"].strip() for each in part["qas"]][:5]
        for article in content
        for part in article["paragraphs"]
        if even(article["title"]) is of
    ]
    return sorted([talk for talk in found if len(talk) > 1], key=lambda talk: digest(repr(talk)))


def cosafe(path: Path) -> Iterator[Talk]:
    """The user's turns of each conversation of a file, of a list a line."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield [each["content"] for each in json.loads(line) if each["role"] == "user"]


def some_talks(found: Sequence[Talk]) -> list[Talk]:
    """At most ``MOST`` of two or more turns."""
    return sorted([talk for talk in found if len(talk) > 1], key=lambda talk: digest(repr(talk)))[:MOST]
