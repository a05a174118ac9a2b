"""Reads the rows of public data sets: JSON lines, JSON, CSV, TSV and Parquet, plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest
from mainspring.features.evaluate.capabilities.benchmark import Item

Row = Mapping[str, Any]
# The longest field of a CSV file that is read: privacy policies and contexts are long.
_FIELD = 2**24
_ENDINGS = ("jsonl", "json", "csv", "tsv", "parquet", "gz")
FILE = "\x00file"


def rows(path: Path, columns: Sequence[str] = ()) -> Iterator[tuple[str, Row]]:
    """Each row with its place (``file, line 3``). ``columns`` name those of a CSV file without a header.

    Raises ``InvalidRequest`` for a file that cannot be read in its format.
    """
    name = path.name.removesuffix(".gz")
    try:
        if name.endswith(".parquet"):
            yield from _numbered(path, _parquet(path))
            return
        text = _text(path)
        if name.endswith((".csv", ".tsv")):
            yield from _numbered(path, _csv(text, "\t" if name.endswith(".tsv") else ",", columns))
        elif name.endswith(".json") and text.lstrip().startswith("["):
            yield from _numbered(path, json.loads(text))
        else:
            yield from _lines(path, text)
    except (OSError, UnicodeDecodeError, ValueError, csv.Error, EOFError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}", param="file") from None


def each(
    make: Callable[[Row, int], Item | Sequence[Item] | None], columns: Sequence[str] = ()
) -> Callable[[Path], list[Item]]:
    """A reader that makes an item (or several, or none) of each row, which gets the row's number from 0 and, as
    ``FILE``, its file's name without ending. Of a folder it reads all files, by name.

    It raises ``InvalidRequest`` naming the row and the field that is missing or damaged, and for a file without items.
    """

    def read(path: Path) -> list[Item]:
        found: list[Item] = []
        for number, (place, file, row) in enumerate(_all(path, columns)):
            try:
                item = make({**row, FILE: file}, number)
            except KeyError as error:
                raise InvalidRequest(
                    f"{place} has no field {error}", param="file", remedy="See `mainspring eval benchmarks`"
                ) from None
            except (TypeError, ValueError, IndexError, AttributeError) as error:
                raise InvalidRequest(f"{place} is not as this benchmark's rows are: {error}", param="file") from None
            found += [item] if isinstance(item, Item) else item or ()
        if not found:
            raise InvalidRequest(f"{path} has no items of this benchmark", param="file")
        return found

    return read


def _all(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, str, Row]]:
    parts = sorted(each for each in path.iterdir() if each.name.split(".")[-1] in _ENDINGS) if path.is_dir() else [path]
    for part in parts:
        for place, row in rows(part, columns if ".csv" in part.name else ()):
            yield place, part.name.split(".")[0], row


def _numbered(path: Path, found: Iterator[Row] | Sequence[Row]) -> Iterator[tuple[str, Row]]:
    for number, row in enumerate(found, 1):
        if not isinstance(row, Mapping):
            raise InvalidRequest(f"{path.name}, row {number} is not an object", param="file")
        yield f"{path.name}, row {number}", row


def _lines(path: Path, text: str) -> Iterator[tuple[str, Row]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = f"{path.name}, line {number}"
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InvalidRequest(f"{place} is not JSON: {error}", param="file") from None
        if not isinstance(row, Mapping):
            raise InvalidRequest(f"{place} is not a JSON object", param="file")
        yield place, row


def _text(path: Path) -> str:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.name.endswith(".gz") else raw).decode("utf-8-sig")


def _csv(text: str, delimiter: str, columns: Sequence[str]) -> Iterator[Row]:
    csv.field_size_limit(_FIELD)
    yield from csv.DictReader(io.StringIO(text, newline=""), columns or None, delimiter=delimiter)


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(path).iter_batches(1_024):
        yield from batch.to_pylist()
