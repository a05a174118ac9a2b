"""What a step is: a function of a batch that returns it changed, and for each row why it is dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from mainspring.features.lake.steps.options import BuildSettings, StepName

Outcome = tuple[pa.RecordBatch, Sequence[str]]
"""The batch, with as many rows as before, and for each row the reason to drop it ("": it stays)."""
StepFunction = Callable[[pa.RecordBatch, BuildSettings], Outcome]


@dataclass(frozen=True, slots=True)
class Step:
    """``run`` looks at each row by itself. ``about`` is one sentence for people."""

    name: StepName
    about: str
    run: StepFunction


def texts(batch: pa.RecordBatch, name: str) -> list[str]:
    """A column of text, null as empty."""
    return [value or "" for value in batch.column(name).to_pylist()]


def with_column(batch: pa.RecordBatch, name: str, values: Sequence[object]) -> pa.RecordBatch:
    """``batch`` with other values in a column."""
    place = batch.schema.get_field_index(name)
    field = batch.schema.field(place)
    columns = list(batch.columns)
    columns[place] = pa.array(values, field.type)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def kept(batch: pa.RecordBatch) -> Outcome:
    """Nothing is dropped."""
    return batch, [""] * batch.num_rows
