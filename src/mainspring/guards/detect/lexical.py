"""A detector that reads words: TF-IDF over words and pairs of words, with a logistic regression over it.

It costs some microseconds a message and needs no model, so it is part of the default policy. ``injection`` finds the
long attempts to take a model over for which the rules of ``guards.detect.injection`` have no pattern. Short texts have
too few words for it and are left to the rules. It was fitted on English (docs/reference/detectors.md).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from mainspring.core.errors import SettingsError

FORMAT = "mainspring-lexical-1"
WINDOW = 120
"""Words of a window: a long text is read in such, which overlap by half, and counts as its worst one."""
LEAST = 25
"""Words of the shortest text that is judged."""
MAX_WINDOWS = 8
"""Longer texts are read in this many windows, evenly spaced, including the first and the last."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Lexical:
    """One detector. ``weights`` holds for each term (its inverse document frequency, its weight)."""

    name: str
    weights: Mapping[str, tuple[float, float]]
    bias: float
    threshold: float
    card: Mapping[str, Any]

    def chance(self, text: str) -> float:
        """The probability of a finding in ``text``: its worst window's; 0 if it is too short."""
        words = _WORD.findall(text.lower())
        if len(words) < LEAST:
            return 0.0
        if len(words) <= WINDOW:
            return self._chance(words)
        last = len(words) - WINDOW
        count = min(MAX_WINDOWS, -(-last // (WINDOW // 2)) + 1)
        return max(
            self._chance(words[start : start + WINDOW]) for start in (last * k // (count - 1) for k in range(count))
        )

    def _chance(self, words: list[str]) -> float:
        counts = Counter(terms_of(words))
        square = odds = 0.0
        for term, count in counts.items():
            if (known := self.weights.get(term)) is not None:
                value = (1 + math.log(count)) * known[0]
                square += value * value
                odds += value * known[1]
        odds = odds / math.sqrt(square) + self.bias if square else self.bias
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, odds))))

    @cached_property
    def version(self) -> str:
        """Changes when a score may."""
        content = f"{FORMAT} {WINDOW} {MAX_WINDOWS} {LEAST} {self.bias} {self.threshold} {sorted(self.weights.items())}"
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def terms_of(words: list[str]) -> list[str]:
    """Words and pairs of neighbouring words, lower case."""
    return [*words, *(f"{one} {other}" for one, other in itertools.pairwise(words))]


def save(detectors: Mapping[str, Lexical], path: Path) -> None:
    """Write them as JSON."""
    content = {
        name: {
            "threshold": round(each.threshold, 4),
            "bias": round(each.bias, 4),
            "card": dict(each.card),
            "terms": {term: [round(idf, 3), round(weight, 3)] for term, (idf, weight) in each.weights.items()},
        }
        for name, each in detectors.items()
    }
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in content.items())
    path.write_text(f'{{"format": "{FORMAT}", "detectors": {{\n{lines}\n}}}}\n', encoding="utf-8")


def parse(text: str, source: str) -> dict[str, Lexical]:
    """Read what ``save`` wrote. Raises ``SettingsError`` naming ``source``."""
    try:
        content = json.loads(text)
        if content["format"] != FORMAT:
            raise ValueError(content["format"])
        return {
            name: Lexical(
                name,
                {term: (float(idf), float(weight)) for term, (idf, weight) in each["terms"].items()},
                float(each["bias"]),
                float(each["threshold"]),
                each["card"],
            )
            for name, each in content["detectors"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        raise SettingsError(f"{source} holds no detectors of words", remedy="Write them with lexical.save") from None


@cache
def packaged() -> dict[str, Lexical]:
    """The detectors that come with the package, by name."""
    name = "lexical.json"
    return parse((files(__package__) / name).read_text(encoding="utf-8"), name)
