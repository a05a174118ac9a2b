"""Makes recorded evaluations of logs: scores are from 0 to 1, texts within bounds, and what is left out is counted."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Message
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.evaluation.recorded import RecordedEvaluation, RecordedRow

MOST_ROWS = 200_000
MOST_CHARACTERS = 100_000
"""Of a question with its references, and of an answer: longer ones are left out."""
MOST_TEXT = 512 * 2**20
"""Characters of all questions and answers that are kept in memory."""
MOST_LABELS = 16
_REASON = 500
_MOST_SECONDS = 1e9
_ROLES: tuple[Literal["system", "developer", "user", "assistant", "tool"], ...] = (
    "system",
    "developer",
    "user",
    "assistant",
    "tool",
)
_CUT, _RANGE, _EMPTY = "too long", "scores outside of 0 to 1", "no question"


@dataclass(slots=True)
class Making:
    """Collects the rows of one log. ``task`` and ``model`` name the evaluation."""

    path: Path
    task: str
    model: str
    created_at: float | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    _rows: dict[str, RecordedRow] = field(default_factory=dict)
    _left: Counter[str] = field(default_factory=Counter)
    _size: int = 0
    _beyond: set[str] = field(default_factory=set)
    _ids: set[str] = field(default_factory=set)

    def add(
        self,
        name: str,
        messages: Sequence[Message],
        references: Sequence[str],
        answered: ExampleAnswer,
        scores: Mapping[str, float],
        *,
        group: str = "",
        tags: Mapping[str, str] | None = None,
        reasons: Mapping[str, str] | None = None,
    ) -> None:
        """A sample; one of a known ``name`` gets further scores. Raises ``InvalidRequest`` beyond the bounds."""
        size = sum(len(each.content) for each in messages) + sum(map(len, references))
        if not any(each.content.strip() for each in messages):
            self._left[_EMPTY] += 1
            return
        if max(size, len(answered.text)) > MOST_CHARACTERS:
            self._left[_CUT] += 1
            return
        known = self._rows.get(name)
        if not printed(name).strip():
            raise InvalidRequest(f"{self.path.name}: {self._place} has no id that can be read", param="file")
        if known is not None and known.example.messages != tuple(messages):
            told = f"{self.path.name}: {self._place} has the id {printed(name):.60} of another question"
            raise InvalidRequest(told, remedy="Give each question an id of its own", param="file")
        if known is None:
            self._size += size + len(answered.text)
            if len(self._rows) >= MOST_ROWS or self._size > MOST_TEXT:
                raise InvalidRequest(f"{self.path.name} has more samples than can be imported", param="file")
        self._beyond |= {label for label, value in scores.items() if not 0 <= value <= 1}
        example = Example(
            self._id(name) if known is None else known.example.id,
            tuple(messages),
            tuple(references),
            tags=dict(tags or {}),
            group=_bounded(group),
        )
        self._rows[name] = RecordedRow(
            example if known is None else known.example,
            answered if known is None else known.answered,
            {**(known.scores if known else {}), **scores},
            {**(known.reasons if known else {}), **{k: v[:_REASON] for k, v in (reasons or {}).items() if v}},
        )

    @property
    def _place(self) -> str:
        return f"sample {len(self._rows) + sum(self._left.values()) + 1}"

    def _id(self, name: str) -> str:
        """The bounded name; one with its digest if another one's is the same."""
        made = _bounded(name)
        if made in self._ids:
            made = f"{made[:90]}#{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"
        self._ids.add(made)
        return made

    def leave(self, reason: str) -> None:
        """A sample is left out."""
        self._left[reason] += 1

    def made(self) -> RecordedEvaluation:
        """Raises ``InvalidRequest`` if nothing can be imported."""
        counts: Counter[str] = Counter(label for row in self._rows.values() for label in row.scores)
        labels = [label for label, _ in counts.most_common() if label not in self._beyond][:MOST_LABELS]
        if self._beyond:
            self._left[_RANGE] += len(self._beyond)
        if not self._rows or not labels:
            raise InvalidRequest(
                f"{self.path.name} has no samples with scores from 0 to 1",
                param="file",
                remedy="lm-evaluation-harness writes samples with --log_samples and --output_path",
            )
        rows = [
            RecordedRow(
                each.example,
                each.answered,
                {label: each.scores[label] for label in labels if label in each.scores},
                {label: said for label, said in each.reasons.items() if label in labels},
            )
            for each in self._rows.values()
        ]
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        of = hashlib.sha256(json.dumps([digest, self.task, self.model]).encode()).hexdigest()
        kept = {name: printed(value)[:500] for name, value in self.metadata.items() if value}
        task, model = printed(self.task)[:200], printed(self.model)[:200]
        return RecordedEvaluation(task, model, of, rows, self.created_at, kept, dict(self._left))


def number(value: Any) -> float | None:
    """A score as a number; letters as Inspect means them (correct, incorrect, partial, no answer)."""
    letters = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0, "yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0}
    if isinstance(value, str):
        if value in letters:
            return letters[value]
        try:
            value = float(value[:50])
        except ValueError:
            return None
    if isinstance(value, bool | int | float):
        try:
            found = float(value)
        except OverflowError:
            return None
        return found if math.isfinite(found) else None
    return None


def seconds_of(value: Any) -> float | None:
    """How long something took; None if that cannot be."""
    found = number(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    return found if found is not None and 0 <= found < _MOST_SECONDS else None


def messages_of(given: Any) -> tuple[Message, ...]:
    """Messages of a text or of a chat, whose contents may be lists of parts."""
    if isinstance(given, str):
        return (Message("user", given),)
    found = []
    for each in given if isinstance(given, list) else ():
        role = next((role for role in _ROLES if isinstance(each, Mapping) and each.get("role") == role), None)
        if role is not None:
            found.append(Message(role, text_of(each.get("content"))))
    return tuple(found)


def text_of(content: Any) -> str:
    """The text of a content that may be a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "\n".join(
        str(each["text"]) for each in parts if isinstance(each, Mapping) and isinstance(each.get("text"), str)
    )


def texts_of(target: Any) -> tuple[str, ...]:
    """Right answers of a target: a text, a number or a list of them; those that are there."""
    several = target if isinstance(target, list) else [target]
    return tuple(str(each) for each in several if isinstance(each, str | int | float) and str(each).strip())


def moment(value: Any) -> float | None:
    """Unix seconds of a number or an ISO date."""
    if isinstance(value, int | float) and 0 < value < 1e11:
        return float(value)
    try:
        return datetime.fromisoformat(str(value)).timestamp()
    except (ValueError, OverflowError):
        return None


def parsed(raw: str | bytes, place: str) -> Any:
    """JSON. Raises ``InvalidRequest`` naming the place."""
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{place} is not JSON: {str(error)[:200]}", param="file") from None


def tagged(metadata: Any) -> dict[str, str]:
    """Short words of a sample's metadata, for slices."""
    found = metadata.items() if isinstance(metadata, Mapping) else ()
    return {
        str(name)[:64]: str(value)[:64]
        for name, value in list(found)[:8]
        if isinstance(value, str | bool | int) and 0 < len(str(value)) <= 64
    }


def printed(name: str) -> str:
    """``name`` without control characters."""
    return "".join(each for each in name if each.isprintable())


def _bounded(name: str) -> str:
    """A name within the bound of ids, without what is not printed."""
    name = printed(name)
    return name if len(name) <= 128 else f"{name[:90]}#{hashlib.sha256(name.encode()).hexdigest()[:32]}"
