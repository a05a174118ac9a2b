"""The rows of a build between the steps that look at one row and those that compare all: on the disk, with a few
numbers a row in memory."""

from __future__ import annotations

import shutil
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mainspring.core import private_files
from mainspring.features.lake.steps.fingerprints import PERMUTATIONS
from mainspring.features.lake.steps.pipeline import ready_schema

KEYS = {"subject": "subject", "session": "session_id", "application": "application", "language": "language"}


class Codes:
    """Numbers for names, by first appearance; -1 for the empty name."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {"": -1}

    def of(self, name: str | None) -> int:
        return self._codes.setdefault(name or "", len(self._codes) - 1)


class StagedDrops:
    """Rows that were dropped, in a file: there may be as many as of those that stay."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
        private_files.file(path)
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self.groups: set[tuple[str, ...]] = set()

    def add(self, columns: Mapping[str, Any]) -> None:
        """Rows, as a column of values or an Arrow array for each name of the schema."""
        made = pa.table([_typed(columns[field.name], field.type) for field in self._schema], schema=self._schema)
        self.groups.update(tuple(each or ()) for each in made.column("groups").to_pylist())
        self._writer.write_table(made)

    def of(self, groups: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
        """The rows of these groups, once no further ones come."""
        self._writer.close()
        with pq.ParquetFile(self._path) as file:
            for batch in file.iter_batches():
                mask = [tuple(each or ()) == groups for each in batch.column("groups").to_pylist()]
                yield batch.filter(pa.array(mask))

    def close(self) -> None:
        """No further rows come."""
        self._writer.close()


def _typed(values: Any, kind: pa.DataType) -> Any:
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)


class Stage:
    """Rows that the steps have left, in a folder that goes with it, and those that were ``dropped``."""

    def __init__(self, folder: Path, dropped: pa.Schema) -> None:
        self._folder = folder
        private_files.folder(folder)
        self.dropped = StagedDrops(folder / "dropped.parquet", dropped)
        for name in ("rows.parquet", "minhash"):
            private_files.file(folder / name)
        self._writer = pq.ParquetWriter(folder / "rows.parquet", ready_schema(), compression="zstd")
        self._minhash = (folder / "minhash").open("wb")
        self._at = array("d")
        self._exact = array("Q")
        self._keys = {name: array("q") for name in KEYS}
        self._codes = {name: Codes() for name in KEYS}

    def add(self, batch: pa.RecordBatch) -> None:
        """Rows as ``cleaned`` made them, none of them dropped."""
        self._writer.write_batch(batch.select(ready_schema().names))
        self._at.extend(batch.column("at").to_pylist())
        self._exact.frombytes(b"".join(batch.column("exact").to_pylist()))
        self._minhash.write(b"".join(batch.column("minhash").to_pylist()))
        for name, column in KEYS.items():
            of = self._codes[name].of
            self._keys[name].extend(map(of, batch.column(column).to_pylist()))

    def ended(self) -> None:
        """No further rows come."""
        self._writer.close()
        self._minhash.close()

    @property
    def count(self) -> int:
        return len(self._at)

    @property
    def at(self) -> NDArray[np.float64]:
        return np.frombuffer(self._at, np.float64) if self._at else np.zeros(0)

    @property
    def exact(self) -> NDArray[np.uint64]:
        """Shape (rows, 2)."""
        return (np.frombuffer(self._exact, np.uint64) if self._exact else np.zeros(0, np.uint64)).reshape(-1, 2)

    @property
    def minhash(self) -> NDArray[np.uint32]:
        """Shape (rows, 128), a memory map."""
        if not self.count:
            return np.zeros((0, PERMUTATIONS), np.uint32)
        return np.memmap(self._folder / "minhash", np.uint32, "r", shape=(self.count, PERMUTATIONS))

    @property
    def keys(self) -> Mapping[str, NDArray[np.int64]]:
        return {
            name: np.frombuffer(each, np.int64) if each else np.zeros(0, np.int64) for name, each in self._keys.items()
        }

    def batches(self, size: int = 4096) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The rows, each batch with the number of its first row."""
        place = 0
        with pq.ParquetFile(self._folder / "rows.parquet") as file:
            for batch in file.iter_batches(size):
                yield place, batch
                place += batch.num_rows

    def remove(self) -> None:
        """Delete the folder."""
        self.dropped.close()
        self._writer.close()
        self._minhash.close()
        shutil.rmtree(self._folder, ignore_errors=True)
