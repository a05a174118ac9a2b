"""Grades a chat model: whether it may write answers over sources itself (``grounded``).

It answers the questions of ``grade.yaml`` over a few short sources, greedily and without the steps of the rag room
around an answer. The server reads ``Grade.grounded`` when it loads the model and prefers it to the catalogue's value.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Message, Principal, Responder, Sampling

FILE = "grade.json"
REFUSAL = "Not stated."
# The thresholds for a grounded model. Figures of models that follow sources are well above, others below.
LEAST_CONTAINED, MOST_UNSUPPORTED, LEAST_ELSEWHERE = 0.85, 0.05, 0.75
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_CITED = re.compile(r"\[(\d+)\]")
_REFUSED = re.compile(
    r"not stated|do(?:es)? not (?:say|state|mention|specify|provide)|not (?:mentioned|specified)", re.I
)
_PROMPT = (
    "Answer the question from the sources alone, in one sentence, and end with the number of the source that says it "
    f"in brackets, like [2]. If the sources do not say it, answer exactly: {REFUSAL}\n\n"
    "{sources}\n\nQuestion: {question}"
)


@dataclass(frozen=True, slots=True)
class Case:
    """A question over ``sources``; without ``answer`` they do not say it, and ``elsewhere`` is not their subject."""

    sources: tuple[str, ...]
    question: str
    answer: tuple[str, ...] = ()
    source: int = 0
    elsewhere: bool = False

    def prompt(self) -> str:
        sources = "\n".join(f"[{number}] {text}" for number, text in enumerate(self.sources, 1))
        return _PROMPT.format(sources=sources, question=self.question)


@dataclass(frozen=True, slots=True)
class Grade:
    """Shares. ``contained``, ``cited`` and ``refused_wrongly`` are of questions that the sources answer;
    ``unsupported`` of all answers: a number that neither sources nor question have; ``near`` and ``elsewhere`` of
    questions that they do not answer, refused. ``fingerprint`` is that of the weights."""

    questions: int
    contained: float
    cited: float
    unsupported: float
    refused_wrongly: float
    near: float
    elsewhere: float
    fingerprint: str = ""
    at: int = 0

    @property
    def grounded(self) -> bool:
        """Whether it may write answers over sources: they are right, nothing is made up, other subjects are refused."""
        return (
            self.contained >= LEAST_CONTAINED
            and self.unsupported <= MOST_UNSUPPORTED
            and self.elsewhere >= LEAST_ELSEWHERE
        )


def cases() -> list[Case]:
    """The packaged questions."""
    raw = yaml.safe_load(
        resources.files("mainspring.engines.catalogue").joinpath("grade.yaml").read_text(encoding="utf-8")
    )
    return [
        Case(
            tuple(each["sources"]),
            each["question"],
            tuple(each.get("answer", ())),
            each.get("from", 0),
            each.get("elsewhere", False),
        )
        for each in raw["cases"]
    ]


async def grade(
    responder: Responder,
    name: str,
    *,
    fingerprint: str = "",
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    asked: Sequence[Case] | None = None,
) -> Grade:
    """Ask every question, one after the other. Raises the model's errors."""
    asked = cases() if asked is None else asked
    answers = []
    for number, case in enumerate(asked, 1):
        request = ChatRequest(name, (Message("user", case.prompt()),), Sampling(max_tokens=80, temperature=0.0))
        answers.append((await collect(await responder.respond(request, Context(Principal("", "grade"))))).text)
        progress(number, len(asked))
    return graded(asked, answers, fingerprint)


def graded(asked: Sequence[Case], answers: Sequence[str], fingerprint: str = "") -> Grade:
    """The figures of ``answers``."""
    pairs = list(zip(asked, answers, strict=True))
    said = [pair for pair in pairs if pair[0].answer]
    near = [answer for case, answer in pairs if not case.answer and not case.elsewhere]
    elsewhere = [answer for case, answer in pairs if case.elsewhere]
    return Grade(
        len(pairs),
        _share([_contains(case, answer) for case, answer in said]),
        _share([case.source in map(int, _CITED.findall(answer)) for case, answer in said]),
        _share([bool(_made_up(case, answer)) for case, answer in pairs]),
        _share([_refuses(answer) for _, answer in said]),
        _share([_refuses(answer) for answer in near]),
        _share([_refuses(answer) for answer in elsewhere]),
        fingerprint,
        int(time.time()),
    )


def _share(found: Sequence[bool]) -> float:
    return round(sum(found) / len(found), 3) if found else 0.0


def _refuses(answer: str) -> bool:
    return not answer.strip() or bool(_REFUSED.search(answer))


def _contains(case: Case, answer: str) -> bool:
    plain = _CITED.sub("", answer).lower()
    return any(re.search(rf"(?<!\w){re.escape(each.lower())}(?!\w)", plain) for each in case.answer)


def _made_up(case: Case, answer: str) -> set[str]:
    known = set(_NUMBER.findall(" ".join((*case.sources, case.question))))
    return set(_NUMBER.findall(_CITED.sub("", answer))) - known


def write(directory: Path, found: Grade) -> None:
    """Store it with the model in ``directory``."""
    (directory / FILE).write_text(json.dumps(asdict(found), indent=1), encoding="utf-8")


def read(directory: Path, fingerprint: str) -> Grade | None:
    """The stored measurement of the model in ``directory``; None if there is none, or it is for other weights."""
    try:
        facts: dict[str, Any] = json.loads((directory / FILE).read_text(encoding="utf-8"))
        found = Grade(**facts)
    except (OSError, ValueError, TypeError):
        return None
    return found if found.fingerprint == fingerprint else None
