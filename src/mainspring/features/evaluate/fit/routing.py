"""Evaluates routing: a small model's correct answers, how well a signal predicts them, and the cost of a policy.

A question has reference answers. An answer is right if it contains one of them at word boundaries, or if its last
number equals theirs. Costs are nano-US-dollars as the ledger has them, or tokens where models have no price.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mainspring.core.errors import InvalidRequest, MainspringError
from mainspring.core.types import ChatRequest, Context, Message, Responder, Sampling, Text
from mainspring.features.evaluate.fit.refusal import holds
from mainspring.features.evaluate.sets.collections import Query
from mainspring.serving.route.auto.cascade import attempt
from mainspring.serving.route.auto.confidence import Confidence
from mainspring.statistics.curves import auroc
from mainspring.statistics.significance import Estimate

Match = Literal["contains", "number"]
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_MAX_PROMPT = 100_000


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt with its reference answers; ``source`` names the set that it is from."""

    prompt: str
    answers: tuple[str, ...]
    match: Match = "contains"
    source: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """The small model's result for a prompt. ``confidence`` None: not measured (a row from feedback)."""

    prompt: str
    good: bool
    confidence: float | None = None
    tokens: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Priced:
    """One prompt under both models: who is right, at what cost, and what the signals say. ``chance`` comes from the
    classifier; None without a classifier."""

    source: str
    small_good: bool
    large_good: bool
    small_cost: float
    large_cost: float
    confidence: float
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class RoutingOutcome:
    """A policy's result over many prompts: the share of right answers, the mean cost, and the share that the large
    model answered."""

    policy: str
    quality: float
    cost: float
    large: float


def right(text: str, question: Question) -> bool:
    """Whether ``text`` answers ``question``."""
    if question.match == "number":
        found = _NUMBER.findall(text)
        return bool(found) and any(_value(found[-1]) == _value(answer) for answer in question.answers)
    return holds(text, Query("", question.prompt, {}, question.answers))


def _value(text: str) -> float:
    return float(text.replace(",", "") or "nan")


async def ask(
    small: Responder, model: str, signal: Confidence, question: Question, context: Context, sampling: Sampling
) -> Row:
    """Ask the small model like the cascade. Raises ``MainspringError`` if it fails."""
    request = ChatRequest(model, (Message("user", question.prompt),), sampling, store=False)
    tried = await attempt(small, signal, request, context)
    if tried.problem:
        raise MainspringError(f"{model} failed with {tried.problem}")
    text = "".join(event.text for event in tried.events if isinstance(event, Text))
    return Row(question.prompt, right(text, question), tried.confidence, tried.usage.total_tokens, question.source)


def signal_quality(rows: Sequence[tuple[float, bool]]) -> Estimate | None:
    """AUROC of a signal for a right answer; None if all are right, or none is."""
    goods = [score for score, good in rows if good]
    bads = [score for score, good in rows if not good]
    return auroc(goods, bads) if goods and bads else None


def outcomes(
    rows: Sequence[Priced],
    *,
    accept_above: Sequence[float] = (0.5, 0.6, 0.7, 0.8, 0.9),
    try_above: Sequence[float] = (0.3, 0.5, 0.7),
    sure: tuple[float, float] = (0.2, 0.8),
) -> list[RoutingOutcome]:
    """Always small, always large, and each policy at each of its thresholds. A cascade pays for both where it
    escalates."""
    found = [
        _outcome("always small", rows, lambda row: (row.small_good, row.small_cost, False)),
        _outcome("always large", rows, lambda row: (row.large_good, row.large_cost, True)),
    ]
    found += [_outcome(f"cascade {level:g}", rows, _cascade(level)) for level in accept_above]
    if all(row.chance is not None for row in rows):
        found += [_outcome(f"classifier {level:g}", rows, _classifier(level)) for level in try_above]
        found += [_outcome(f"hybrid {level:g}", rows, _hybrid(level, sure)) for level in accept_above]
    return found


def by_chance(rows: Sequence[Priced], large: float) -> tuple[float, float]:
    """Expected quality and cost if a coin sends the share ``large`` to the large model: the baseline for a router."""
    quality = [large * row.large_good + (1 - large) * row.small_good for row in rows]
    cost = [large * row.large_cost + (1 - large) * row.small_cost for row in rows]
    return sum(quality) / len(rows), sum(cost) / len(rows)


_Way = Callable[[Priced], tuple[bool, float, bool]]


def _outcome(name: str, rows: Sequence[Priced], way: _Way) -> RoutingOutcome:
    ways = [way(row) for row in rows]
    size = len(ways)
    return RoutingOutcome(
        name,
        sum(good for good, _, _ in ways) / size,
        sum(cost for _, cost, _ in ways) / size,
        sum(large for _, _, large in ways) / size,
    )


def _cascade(level: float) -> _Way:
    def way(row: Priced) -> tuple[bool, float, bool]:
        if row.confidence >= level:
            return row.small_good, row.small_cost, False
        return row.large_good, row.small_cost + row.large_cost, True

    return way


def _classifier(level: float) -> _Way:
    def way(row: Priced) -> tuple[bool, float, bool]:
        if (row.chance or 0.0) >= level:
            return row.small_good, row.small_cost, False
        return row.large_good, row.large_cost, True

    return way


def _hybrid(level: float, sure: tuple[float, float]) -> _Way:
    cascade = _cascade(level)

    def way(row: Priced) -> tuple[bool, float, bool]:
        chance = row.chance or 0.0
        if chance >= sure[1]:
            return row.small_good, row.small_cost, False
        if chance < sure[0]:
            return row.large_good, row.large_cost, True
        return cascade(row)

    return way


def read_questions(path: Path) -> list[Question]:
    """JSON lines of ``prompt``, ``answers`` and perhaps ``match`` and ``source``. Raises ``InvalidRequest`` naming the
    line."""
    return [_question(number, row) for number, row in _lines(path)]


def read_rows(path: Path) -> list[Row]:
    """JSON lines as ``write_rows`` has them: ``prompt`` and ``good`` at least. Raises ``InvalidRequest``."""
    found = []
    for number, row in _lines(path):
        if not isinstance(row.get("prompt"), str) or not isinstance(row.get("good"), bool):
            raise InvalidRequest(f"{path}, line {number}: a row needs a prompt (text) and good (true or false)")
        confidence = row.get("confidence")
        if confidence is not None and not isinstance(confidence, int | float):
            raise InvalidRequest(f"{path}, line {number}: confidence must be a number")
        found.append(
            Row(row["prompt"], row["good"], confidence, int(row.get("tokens") or 0), str(row.get("source") or ""))
        )
    return found


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def _question(number: int, row: Mapping[str, Any]) -> Question:
    prompt, answers, match = row.get("prompt"), row.get("answers"), row.get("match", "contains")
    if not isinstance(prompt, str) or not 0 < len(prompt) <= _MAX_PROMPT:
        raise InvalidRequest(
            f"line {number}: prompt must be a text of at most {_MAX_PROMPT} characters", param="prompt"
        )
    if not isinstance(answers, list) or not answers or not all(isinstance(each, str) and each for each in answers):
        raise InvalidRequest(f"line {number}: answers must be a list of texts, and not empty", param="answers")
    if match not in ("contains", "number"):
        raise InvalidRequest(f"line {number}: match must be contains or number", param="match")
    if match == "number" and not all(_NUMBER.fullmatch(answer) for answer in answers):
        raise InvalidRequest(f"line {number}: answers must be numbers where match is number", param="answers")
    return Question(prompt, tuple(answers), match, str(row.get("source") or ""))


def _lines(path: Path) -> list[tuple[int, dict[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}") from None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise InvalidRequest(f"{path}, line {number} is not JSON") from None
        if not isinstance(row, dict):
            raise InvalidRequest(f"{path}, line {number} is not a JSON object")
        found.append((number, row))
    if not found:
        raise InvalidRequest(f"{path} has no rows")
    return found
