"""The step about what is worth learning: thumbs, corrections, judges, labels."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from mainspring.features.lake.steps.base import Outcome, with_column
from mainspring.features.lake.steps.options import BuildSettings


def quality(batch: pa.RecordBatch, options: BuildSettings) -> Outcome:
    """People's labels come first, then thumbs and corrections, then judges. What a person corrected is good: the
    correction is what is learned."""
    columns = [batch.column(name).to_pylist() for name in ("labels", "thumb", "edited", "scores", "refused")]
    verdicts = [
        verdict(dict(labels or ()), thumb, edited, dict(scores or ()), options.least_score)
        for labels, thumb, edited, scores, _ in zip(*columns, strict=True)
    ]
    batch = with_column(batch, "verdict", [each for each, _ in verdicts])
    if options.quality == "any":
        return batch, [""] * batch.num_rows
    if options.quality == "good":
        return batch, ["" if value == "good" else why or "nobody approved of it" for value, why in verdicts]
    return batch, [why if value == "bad" else "" for value, why in verdicts]


def verdict(
    labels: Mapping[str, float], thumb: str | None, edited: str | None, scores: Mapping[str, float], least: float
) -> tuple[str, str]:
    """``good``, ``bad`` or empty (unknown), and why it is bad."""
    if edited:
        return "good", ""
    if "approved" in labels:
        return ("good", "") if labels["approved"] >= 0.5 else ("bad", "a reviewer disapproved")
    if thumb is not None:
        return ("good", "") if thumb == "up" else ("bad", "thumbs down")
    if scores:
        mean = sum(scores.values()) / len(scores)
        return ("good", "") if mean >= least else ("bad", "judges scored it low")
    return "", ""
