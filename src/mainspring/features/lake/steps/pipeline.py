"""All steps that look at rows one by one, over one batch.

``cleaned`` is what runs everywhere: in this process, in child processes, on Ray. It is a function of a batch and of
options, and keeps nothing in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from mainspring.features.lake.files.columns import JSON
from mainspring.features.lake.files.interaction_rows import interaction_schema
from mainspring.features.lake.steps import content, safety, toxicity
from mainspring.features.lake.steps.base import Step
from mainspring.features.lake.steps.fingerprints import PERMUTATIONS, fingerprints
from mainspring.features.lake.steps.options import BuildSettings
from mainspring.features.lake.steps.quality import quality

ROW_STEPS: tuple[Step, ...] = (
    Step("parse", "read the messages, and find the question", content.parse),
    Step("enrich", "add segment, version of the model, language", content.enrich),
    Step("validate", "check each row against the contract of interactions", content.validate),
    Step("empty", "drop questions and answers that say nothing", content.empty),
    Step("truncated", "drop answers that were cut", content.truncated),
    Step("synthetic", "drop tests, replays and attacks of red teams", content.synthetic),
    Step("errors", "drop answers that failed", content.errors),
    Step("consent", "drop what may not be used for learning", content.consent),
    Step("personal_data", "put placeholders in the place of personal data", safety.personal_data),
    Step("harm", "drop texts about hurting people, and threats", safety.harmful),
    Step("toxicity", "drop insults and hate", toxicity.toxic),
    Step("jailbreaks", "drop attempts to take the model over", safety.jailbreaks),
    Step("quality", "drop what people or judges disapprove of", quality),
)
_REQUIRED = frozenset({"parse", "validate"})
"""The others rely on these."""


def ready_schema() -> pa.Schema:
    """The columns of the training-ready zone: those of interactions, and what the steps add."""
    return pa.schema(
        [
            *interaction_schema(),
            pa.field("question", pa.string(), False),
            pa.field("verdict", pa.string(), False),
            pa.field("redacted", pa.map_(pa.string(), pa.int64()), False),
        ]
    )


def cleaned_schema() -> pa.Schema:
    """The columns of what ``cleaned`` returns: a row of the ready zone, the ``step`` that dropped it and why, how its
    text changed, and its fingerprints. Rows that are dropped have no text."""
    return pa.schema(
        [
            *ready_schema(),
            pa.field("step", pa.string(), False),
            pa.field("reason", pa.string(), False),
            pa.field("exact", pa.binary(16)),
            pa.field("minhash", pa.binary(4 * PERMUTATIONS)),
        ]
    )


def cleaned(batch: pa.RecordBatch, options: BuildSettings) -> pa.RecordBatch:
    """The batch of the clean zone after all steps, one row for each of its rows."""
    rest = _extended(batch)
    gone: list[pa.RecordBatch] = []
    for step in ROW_STEPS:
        if step.name in options.without and step.name not in _REQUIRED:
            continue
        if not rest.num_rows:
            break
        rest, reasons = step.run(rest, options)
        dropped = np.array([bool(reason) for reason in reasons])
        if dropped.any():
            why = [reason for reason in reasons if reason]
            gone.append(_dropped(rest.filter(pa.array(dropped)), step.name, why))
            rest = rest.filter(pa.array(~dropped))
    exact, minhash = fingerprints(rest)
    columns = [
        *rest.columns,
        pa.array([""] * rest.num_rows),
        pa.array([""] * rest.num_rows),
        pa.array([row.tobytes() for row in exact], pa.binary(16)),
        pa.array([row.tobytes() for row in minhash], pa.binary(4 * PERMUTATIONS)),
    ]
    kept = pa.RecordBatch.from_arrays(columns, schema=cleaned_schema())
    return pa.Table.from_batches([kept, *gone]).combine_chunks().to_batches()[0] if gone else kept


def cleaned_table(table: pa.Table, options: Mapping[str, Any]) -> pa.Table:
    """``cleaned`` as runners of others call it: of a table, and of options as JSON values."""
    settings = BuildSettings.model_validate(dict(options))
    batches = table.combine_chunks().to_batches()
    return pa.Table.from_batches([cleaned(each, settings) for each in batches], cleaned_schema())


def _extended(batch: pa.RecordBatch) -> pa.RecordBatch:
    count = batch.num_rows
    empty = pa.array([""] * count)
    none = pa.array([[]] * count, pa.map_(pa.string(), pa.int64()))
    return pa.RecordBatch.from_arrays([*batch.columns, empty, empty, none], schema=ready_schema())


_NAMES = ("tenant", "answer_id", "trace_id", "at", "subject", "groups", "application", "language", "thumb", "redacted")
"""What is kept of rows that are dropped."""


def _dropped(batch: pa.RecordBatch, step: str, reasons: list[str]) -> pa.RecordBatch:
    columns = []
    for field in cleaned_schema():
        if field.name in _NAMES:
            columns.append(batch.column(field.name))
        elif field.name == "step":
            columns.append(pa.array([step] * batch.num_rows))
        elif field.name == "reason":
            columns.append(pa.array(reasons))
        elif field.nullable:
            columns.append(pa.nulls(batch.num_rows, field.type))
        else:
            plain = {pa.string(): "", pa.bool_(): False, pa.int64(): 0, pa.float64(): 0.0}
            empty: Any = "[]" if field.metadata == JSON else plain.get(field.type, [])
            columns.append(pa.array([empty] * batch.num_rows, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=cleaned_schema())
