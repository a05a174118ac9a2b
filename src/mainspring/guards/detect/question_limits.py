"""Limits of questions: length, language, topic. A refused caller is given the configured reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.core.settings.guards.limits import LanguageLimits, LengthLimits, TopicLimits

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ExceededLimit:
    """An exceeded limit: its guard, its name, and the similarity if that decided."""

    guard: str
    kind: str
    score: float | None = None


def length(text: str, tokens: int, limits: LengthLimits) -> list[ExceededLimit]:
    """The limits that one message exceeds; ``tokens`` is its length."""
    beyond = []
    if limits.characters is not None and len(text) > limits.characters:
        beyond.append(ExceededLimit("length", "characters"))
    if limits.tokens is not None and tokens > limits.tokens:
        beyond.append(ExceededLimit("length", "tokens"))
    return beyond


def messages(count: int, limits: LengthLimits) -> list[ExceededLimit]:
    """The limits that a conversation of this many messages exceeds."""
    return [ExceededLimit("length", "messages")] if limits.messages is not None and count > limits.messages else []


def language(code: str, limits: LanguageLimits, *, unknown: str) -> list[ExceededLimit]:
    """The limits that a text in the language ``code`` exceeds; ``unknown`` is the code for an undetected language."""
    if code == unknown:
        return [] if limits.unknown else [ExceededLimit("language", code)]
    strange = bool(limits.allowed) and code not in limits.allowed
    return [ExceededLimit("language", code)] if strange or code in limits.forbidden else []


@dataclass(frozen=True, slots=True)
class Examples:
    """The embedded texts of topics, by name: unit vectors of shape (texts, dimensions)."""

    allowed: Mapping[str, Floats]
    forbidden: Mapping[str, Floats]


def likeness(vector: Any, examples: Floats) -> float:
    """How near a text is to a topic: the mean of its cosine with the nearest example and with the middle of all."""
    one = np.asarray(vector, np.float64)
    middle = examples.mean(0)
    middle = middle / max(float(np.linalg.norm(middle)), 1e-9)
    return float(((examples @ one).max() + middle @ one) / 2)


def nearest(vector: Any, topics: Mapping[str, Floats]) -> tuple[str, float]:
    """The topic that a text is nearest to, and how near it is; of none ("", 0)."""
    found = [(likeness(vector, examples), name) for name, examples in topics.items()]
    if not found:
        return "", 0.0
    score, name = max(found)
    return name, score


def topic(text: str, vectors: Sequence[Any], examples: Examples, limits: TopicLimits) -> list[ExceededLimit]:
    """The limits that a text exceeds. ``vectors`` are its own and, of a question that may go on with another, of both
    together: the forbidden counts in either, for the allowed one will do."""
    forbidden = max((nearest(vector, examples.forbidden) for vector in vectors), key=lambda pair: pair[1])
    allowed = max((nearest(vector, examples.allowed) for vector in vectors), key=lambda pair: pair[1])
    # A text closer to an allowed example is not meant by the forbidden one.
    if forbidden[1] >= limits.forbidden_above and forbidden[1] > allowed[1]:
        return [ExceededLimit("topic", forbidden[0], forbidden[1])]
    judged = bool(examples.allowed) and len(text.split()) >= limits.least_words
    if judged and allowed[1] < limits.allowed_above:
        return [ExceededLimit("topic", "none_allowed", allowed[1])]
    return []
