"""Evidence fitted on your own labelled questions: a logistic regression over ``features``, stored in a JSON file.

``mainspring eval calibrate`` writes such a file; the setting ``rag.calibration`` names it. It then replaces the
built-in evidence, and its threshold replaces ``rag.refuse_below``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from mainspring.core.errors import SettingsError
from mainspring.rag.answer.evidence.features import NAMES

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Calibration:
    """``evidence`` is the logistic function of ``constant`` and the weighted features; ``threshold`` is refused below.
    ``embedder`` and ``reranker`` are those that it was fitted with ("" for none)."""

    weights: Mapping[str, float]
    constant: float
    threshold: float
    embedder: str = ""
    reranker: str = ""

    def evidence(self, found: Mapping[str, float]) -> float:
        """How likely it is, in [0, 1], that the documents answer a question with these features; 0 for none found."""
        if not any(found.values()):
            return 0.0
        total = self.constant + sum(weight * found[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, total))))

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n", encoding="utf-8")


def load(path: Path, *, embedder: str, reranker: str) -> Calibration:
    """The calibration in ``path``.

    Raises ``SettingsError`` if it cannot be read or was fitted with other models, whose scores mean something else.
    """
    remedy = "Make it with `mainspring eval calibrate`"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != FORMAT:
            raise SettingsError(f"rag.calibration: {path} has another format", remedy=remedy)
        found = Calibration(**content)
        numbers = [*found.weights.values(), found.constant, found.threshold]
        if not found.weights.keys() <= set(NAMES) or not all(math.isfinite(float(each)) for each in numbers):
            raise ValueError("unknown features, or no numbers")
    except OSError as error:
        raise SettingsError(f"rag.calibration: {path} cannot be read: {error.strerror}", remedy=remedy) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SettingsError(f"rag.calibration: {path} is not a calibration: {error}", remedy=remedy) from None
    if (found.embedder, found.reranker) != (embedder, reranker):
        raise SettingsError(
            f"rag.calibration: {path} was fitted with {found.embedder} and reranker {found.reranker or 'none'}, not "
            f"with {embedder} and {reranker or 'none'}",
            remedy="Fit it again with `mainspring eval calibrate`",
        )
    return found
