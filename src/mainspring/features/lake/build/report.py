"""The funnel: what each step took, why, with examples of it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from mainspring.features.lake.steps.options import BuildSettings
from mainspring.features.lake.steps.pipeline import ROW_STEPS

WHOLE_STEPS: Mapping[str, str] = {
    "exact_duplicates": "drop all but the first of equal questions with equal answers",
    "near_duplicates": "drop all but the first of rows that nearly say the same",
    "balance": "drop rows beyond the share of a person, an application or a language",
}
READY = "ready"
"""Names what is left, where a step is asked for."""
ALL_STEPS = (*(step.name for step in ROW_STEPS), *WHOLE_STEPS)
_SAMPLES = 10


@dataclass(slots=True)
class _Took:
    dropped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    samples: dict[str, str] = field(default_factory=dict)
    """Answer ids by a digest of them: those of the smallest digests are drawn without preference."""

    def sample(self, answer_id: str) -> None:
        self.samples[hashlib.blake2b(answer_id.encode(), digest_size=8).hexdigest()] = answer_id
        if len(self.samples) > _SAMPLES:
            del self.samples[max(self.samples)]


class Funnel:
    """Counts while a build runs; those after ``since`` (Unix seconds) once more by themselves, since all others were in
    the build before."""

    def __init__(self, options: BuildSettings, since: float = 0.0) -> None:
        self._options = options
        self._since = since
        self._new = Counter[str]()
        self._took = {name: _Took() for name in ALL_STEPS}
        self._redacted: Counter[str] = Counter()
        self._changed, self._left = _Took(), _Took()
        self.rows = self.personal = self.rated = self.liked = 0
        self._verdicts: Counter[str] = Counter()
        self._latency: np.ndarray[Any, np.dtype[np.float64]] = np.zeros(0)

    def dropped(self, step: str, reason: str, answer_id: str) -> None:
        """A row that a step took."""
        took = self._took[step]
        took.dropped += 1
        # Reasons are a few words of ours.
        took.reasons[reason if len(took.reasons) < 50 or reason in took.reasons else "other"] += 1
        took.sample(answer_id)

    def seen(self, batch: pa.RecordBatch) -> None:
        """Rows after the steps, dropped ones among them."""
        self.rows += batch.num_rows
        names = ("answer_id", "at", "thumb", "redacted")
        for answer_id, at, thumb, found in zip(*(batch.column(name).to_pylist() for name in names), strict=True):
            self.rated += thumb is not None
            self.liked += thumb == "up"
            if at > self._since:
                told = {"rows": True, "rated": thumb is not None, "liked": thumb == "up", "personal": bool(found)}
                self._new.update({name: int(each) for name, each in told.items()})
            if found:
                self.personal += 1
                self._redacted.update(dict(found))
                self._changed.sample(answer_id)

    def compared(self, at: np.ndarray[Any, np.dtype[np.float64]], duplicates: Sequence[int]) -> None:
        """The times of the rows that were compared with each other, and the places of those that repeat others."""
        new = at > self._since
        self._new["compared"], self._new["duplicates"] = int(new.sum()), int(new[list(duplicates)].sum())

    def left(self, answers: Sequence[str]) -> None:
        """Rows that no step took."""
        for answer_id in answers:
            self._left.sample(answer_id)

    def ready(self, verdicts: Mapping[str, int], latency_s: np.ndarray[Any, np.dtype[np.float64]]) -> None:
        """The verdicts of the rows that are left, and the seconds from each new answer until now."""
        self._verdicts.update(verdicts)
        self._latency = latency_s

    def report(self) -> dict[str, Any]:
        """As JSON values."""
        abouts = {step.name: step.about for step in ROW_STEPS} | dict(WHOLE_STEPS)
        steps, left = [], self.rows
        for name in ALL_STEPS:
            took = self._took[name]
            shown: dict[str, Any] = {"name": name, "about": abouts[name], "before": left, "dropped": took.dropped}
            shown |= {
                "reasons": dict(took.reasons.most_common()),
                "samples": [took.samples[k] for k in sorted(took.samples)],
            }
            shown["on"] = name not in self._options.without
            if name == "personal_data":
                changed = [self._changed.samples[each] for each in sorted(self._changed.samples)]
                shown |= {
                    "changed": self.personal,
                    "found": dict(self._redacted.most_common()),
                    "changed_samples": changed,
                }
            left -= took.dropped
            steps.append(shown)
        duplicates = self._took["exact_duplicates"].dropped + self._took["near_duplicates"].dropped
        compared = next(each["before"] for each in steps if each["name"] == "exact_duplicates")
        return {
            "interactions": self.rows,
            "ready": left,
            "steps": steps,
            "ready_samples": [self._left.samples[each] for each in sorted(self._left.samples)],
            "verdicts": dict(self._verdicts),
            "quality_rate": _share(self.liked, self.rated),
            "personal_data_rate": _share(self.personal, self.rows),
            "duplicate_rate": _share(duplicates, compared),
            "new": {
                "interactions": self._new["rows"],
                "rated": self._new["rated"],
                "quality_rate": _share(self._new["liked"], self._new["rated"]),
                "personal_data_rate": _share(self._new["personal"], self._new["rows"]),
                "duplicate_rate": _share(self._new["duplicates"], self._new["compared"]),
            },
            "latency_s": {
                "p50": round(float(np.median(self._latency)), 3) if len(self._latency) else None,
                "p95": round(float(np.quantile(self._latency, 0.95)), 3) if len(self._latency) else None,
            },
        }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 6) if whole else None
