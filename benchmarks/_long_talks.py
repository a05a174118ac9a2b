"""Long conversations with questions and the turns that answer them: LoCoMo (to report) and REALTALK (to develop on)."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _report import skip

CATEGORIES = {1: "several places", 2: "time", 3: "world knowledge", 4: "one place", 5: "false premise"}
"""LoCoMo's own numbers, in words. REALTALK has the first three."""
_SESSION = re.compile(r"session_(\d+)")
_PLACE = re.compile(r"D:?(\d+):0*(\d+)")


@dataclass(frozen=True, slots=True)
class LongTurn:
    """``text`` with the caption of a picture that was shared; ``plain`` without it. ``at`` is in Unix seconds."""

    id: str
    session: int
    speaker: str
    text: str
    plain: str
    at: float


@dataclass(frozen=True, slots=True)
class LongQuestion:
    """``evidence`` are the places of turns in the conversation."""

    text: str
    answer: str
    category: int
    evidence: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LongTalk:
    name: str
    turns: tuple[LongTurn, ...]
    questions: tuple[LongQuestion, ...]

    @property
    def days(self) -> list[str]:
        """The day of each turn, as people write it."""
        return [datetime.datetime.fromtimestamp(each.at, datetime.UTC).strftime("%d %B %Y") for each in self.turns]


def long_talks(folder: Path, name: str) -> list[LongTalk]:
    """The conversations of the set ``name``; ends the benchmark without them."""
    files = sorted((folder / "conversations" / name).glob("*.json"))
    if not files:
        skip(f"there are no conversations/{name} in MAINSPRING_DATA (docs/reference/benchmarks-data.md)")
    return [_talk(each.stem, json.loads(each.read_text(encoding="utf-8"))) for each in files]


def _talk(name: str, found: Mapping[str, Any]) -> LongTalk:
    turns = tuple(_turns(found))
    places = {each.id: place for place, each in enumerate(turns)}
    questions = []
    for each in found["qa"]:
        written = " ".join(map(str, each.get("evidence") or ()))
        named = (places.get(f"D{session}:{turn}") for session, turn in _PLACE.findall(written))
        evidence = tuple(sorted({place for place in named if place is not None}))
        answer = str(each.get("answer") or each.get("adversarial_answer") or "")
        questions.append(LongQuestion(each["question"], answer, int(each["category"]), evidence))
    return LongTalk(name, turns, tuple(questions))


def _turns(found: Mapping[str, Any]) -> Iterator[LongTurn]:
    numbers = sorted(int(match[1]) for key in found if (match := _SESSION.fullmatch(key)))
    at = 0.0
    for number in numbers:
        begun = found.get(f"session_{number}_date_time")
        for each in found[f"session_{number}"]:
            at = _time(each.get("date_time"), "%d.%m.%Y, %H:%M:%S") or _time(begun, "%I:%M %p on %d %B, %Y") or at
            plain = each.get("text") or each.get("clean_text") or ""
            caption = f" [shares {each['blip_caption']}]" if each.get("blip_caption") else ""
            yield LongTurn(each["dia_id"], number, each["speaker"].capitalize(), plain + caption, plain, at)


def _time(text: Any, form: str) -> float | None:
    try:
        return datetime.datetime.strptime(text, form).replace(tzinfo=datetime.UTC).timestamp()
    except (TypeError, ValueError):
        return None
