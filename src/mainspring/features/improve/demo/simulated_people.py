"""Simulated people. What they like is known to them alone: no scorer, recipe or policy reads it.

They like an answer that says what they asked for within three sentences; as shipped, answers have four or five. They
give a thumb, and where it is down and the answer says it at all, they cut the answer down to the sentence that does.
One in twenty thumbs is a slip.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest

_MARK = re.compile(r"(?:(?<!\s)\s+)?\[\d+\]")
_SENTENCE = re.compile(r"(?<=[.!?*])\s+(?=[A-Z*\"'])|\n+")
LIKED = 3
"""The most sentences that people like to read."""
_SLIPS = 0.05


@dataclass(frozen=True, slots=True)
class DemoQuestion:
    """A question of somebody, with the words that its answer has to say."""

    id: str
    question: str
    wanted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DemoOpinion:
    """What somebody said of an answer; ``edit`` is the text in its place, empty: none."""

    rating: str
    edit: str = ""


class People:
    """The people who ask. The same ``seed`` gives the same people."""

    def __init__(self, seed: int = 1) -> None:
        self._draw = random.Random(seed)

    def say(self, asked: DemoQuestion, answer: str) -> DemoOpinion:
        """A thumb, and perhaps an edit."""
        found = sentences(answer)
        saying = [each for each in found if says(each, asked.wanted)]
        liked = bool(saying) and len(found) <= LIKED
        if self._draw.random() < _SLIPS:
            liked = not liked
        if liked:
            return DemoOpinion("up")
        return DemoOpinion("down", saying[0] if saying else "")

    def edit(self, asked: DemoQuestion, answer: str) -> str:
        """What somebody keeps of an answer; empty: it does not say what was asked for."""
        return next((each for each in sentences(answer) if says(each, asked.wanted)), "")


def sentences(answer: str) -> list[str]:
    """Without the numbers of sources."""
    plain = _MARK.sub("", answer)
    return [each.strip() for each in _SENTENCE.split(plain) if each.strip()]


def says(text: str, wanted: Sequence[str]) -> bool:
    """Whether a text has one of the wanted words, without case and marks of emphasis."""
    plain = text.replace("*", "").casefold()
    return any(each.casefold() in plain for each in wanted)


def questions(folder: Path, *names: str) -> list[DemoQuestion]:
    """Those with an answer, of files of the sample questions. Raises ``InvalidRequest``."""
    import yaml

    found: list[DemoQuestion] = []
    for name in names:
        path = folder / f"{name}.yaml"
        try:
            listed: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))["questions"]
        except (OSError, KeyError, yaml.YAMLError) as error:
            raise InvalidRequest(f"{path} has no questions: {error}", remedy="Name the folder samples") from None
        for each in listed:
            if each.get("answerable", True) and each.get("answers"):
                found.append(DemoQuestion(str(each["id"]), str(each["question"]), tuple(map(str, each["answers"]))))
    return found
