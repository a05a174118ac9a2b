"""Which interactions may be learned from."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.exports.asking import Asked
from mainspring.features.lake.files.interaction_rows import interactions_of

CLEANING = "basic/1"
"""The steps and their version, as manifests name them."""


def cleaned_rows(batch: pa.RecordBatch, asked: Asked) -> tuple[list[Interaction], Counter[str]]:
    """The rows that are left, and how many each step took."""
    kept, dropped = [], Counter[str]()
    for row in interactions_of(batch):
        if reason := _why_not(row, asked):
            dropped[reason] += 1
        else:
            kept.append(row)
    return kept, dropped


def _why_not(row: Interaction, asked: Asked) -> str:
    if row.synthetic:
        return "synthetic"
    if row.status not in ("", "completed"):
        return "errors"
    if row.finish in ("length", "content_filter"):
        return "truncated"
    if not row.consent and not asked.override:
        return "consent"
    return ""
