"""Writes rows as files, one for each partition; nothing of it counts before the manifest says so."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

import mainspring.stores.sql.ids as ids
from mainspring.features.lake.files.columns import table
from mainspring.features.lake.files.manifest import LakeFile, access_name
from mainspring.features.lake.files.storage import MADE, Storage, place


def date_of(at: float) -> str:
    """The day of a partition, in UTC."""
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d")


class Partition:
    """Rows of one tenant, zone, kind, day and access that become one file."""

    def __init__(self, tenant: str, zone: str, kind: str, date: str, groups: Sequence[str], prefix: str = MADE) -> None:
        self.tenant, self.zone, self.kind, self.date, self.groups = tenant, zone, kind, date, tuple(groups)
        self._prefix = prefix

    def write(self, storage: Storage, schema: pa.Schema, batches: Iterable[pa.Table | pa.RecordBatch]) -> LakeFile:
        """The file, durable when it returns. ``batches`` have a column ``at``. Raises ``StoreError``."""
        name = ids.new(self._prefix)
        path = place(self.tenant, self.zone, self.kind, self.date, access_name(self.groups), name)
        count, first, last = 0, float("inf"), float("-inf")
        with storage.writing(path, schema) as writer:
            for each in batches:
                made = each if isinstance(each, pa.Table) else pa.Table.from_batches([each], schema)
                if made.num_rows:
                    times = made.column("at").to_numpy()
                    first, last = min(first, float(times.min())), max(last, float(times.max()))
                    count += made.num_rows
                    writer.write_table(made)
        if not count:
            first = last = 0.0
        return LakeFile(
            *(self.tenant, name, self.zone, self.kind, self.date, self.groups, storage.root, path),
            *(count, storage.size(path), first, last),
        )

    def write_rows(self, storage: Storage, schema: pa.Schema, rows: Sequence[Mapping[str, Any]]) -> LakeFile:
        """``write`` of plain rows."""
        return self.write(storage, schema, [table(schema, rows)])
