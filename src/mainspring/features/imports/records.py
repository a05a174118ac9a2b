"""The records of a file: JSON Lines, one JSON list, or one object with a list, each perhaps packed by gzip; or rows of
Parquet, as LangSmith's bulk exports and Langfuse's exports to a bucket are."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, cast

import orjson

from mainspring.core.errors import InvalidRequest, TooLarge
from mainspring.features.imports.drafts import BadRecord, Record
from mainspring.features.imports.settings import ImportsSettings

MAX_LINE = 16 * 2**20
_LOOK, _LINES = 2**16, 20
_PARQUET, _BATCH = b"PAR1", 64
_LISTS = ("data", "traces", "observations", "scores", "runs", "feedback", "completions", "rows")
Numbered = tuple[int, Record | BadRecord]


def records(path: Path, settings: ImportsSettings, after: int = 0) -> Iterator[Numbered]:
    """The records behind number ``after``, with their numbers from 1; what is no object is a ``BadRecord``.

    Raises ``TooLarge``, and ``InvalidRequest`` for a file that is none of the forms, or is damaged.
    """
    try:
        yield from _records(path, settings, after)
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidRequest(f"the file is damaged ({type(error).__name__})", param="file") from None


def _records(path: Path, settings: ImportsSettings, after: int) -> Iterator[Numbered]:
    with _opened(path) as file:
        start = file.read(_LOOK).lstrip()
    if start.startswith(_PARQUET):
        yield from _behind(enumerate(_rows(path, settings), 1), settings, after)
        return
    with _opened(path) as file:
        if start.startswith(b"[") or not _is_lines(start):
            yield from _behind(enumerate(_of_whole(file, settings), 1), settings, after)
        else:
            yield from _behind(_lines(file, settings), settings, after)


def _behind(found: Iterator[Numbered], settings: ImportsSettings, after: int) -> Iterator[Numbered]:
    for number, record in found:
        if number > settings.max_records:
            raise TooLarge(
                f"the file has more than {settings.max_records} records",
                remedy="Split it, or raise imports.max_records",
                param="file",
            )
        if number > after:
            yield number, record


def _rows(path: Path, settings: ImportsSettings) -> Iterator[Record]:
    """The rows of a Parquet file, without empty cells."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            groups = file.metadata.num_row_groups
            _check(sum(file.metadata.row_group(at).total_byte_size for at in range(groups)), settings)
            for batch in file.iter_batches(_BATCH):
                for row in batch.to_pylist():
                    yield {name: _cell(value) for name, value in row.items() if value is not None}
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the file is damaged ({type(error).__name__})", param="file") from None


def _cell(value: Any) -> Any:
    """A value as JSON has it. Both exporters write objects and lists as JSON in a text."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _opened(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("IO[bytes]", gzip.open(path, "rb")) if packed else path.open("rb")


def _is_lines(start: bytes) -> bool:
    """Whether one of the first lines is a whole object that is no envelope of a list."""
    lines = start.split(b"\n")
    if len(lines) == 1 and len(start) >= _LOOK // 2:
        # The first line is longer than what was looked at.
        return start.startswith(b"{")
    for line in lines[:_LINES]:
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(found, dict):
            return not _enveloped(found)
    return False


def _enveloped(found: Mapping[str, Any]) -> bool:
    return "id" not in found and any(isinstance(found.get(name), list) for name in _LISTS)


def _lines(file: IO[bytes], settings: ImportsSettings) -> Iterator[Numbered]:
    number = total = 0
    while line := file.readline(MAX_LINE + 1):
        total += len(line)
        _check(total, settings)
        whole = len(line) <= MAX_LINE
        while not whole and not line.endswith(b"\n"):
            # The rest of a line that is too long is not kept in memory.
            if not (line := file.readline(MAX_LINE)):
                break
            total += len(line)
            _check(total, settings)
        if whole and not line.strip():
            continue
        number += 1
        yield number, _record(line) if whole else BadRecord(f"the line has more than {MAX_LINE} bytes")


def _record(line: bytes) -> Record | BadRecord:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        return BadRecord("the line is not JSON")
    return found if isinstance(found, dict) else BadRecord("it is not a JSON object")


def _of_whole(file: IO[bytes], settings: ImportsSettings) -> Iterator[Record | BadRecord]:
    data = file.read(settings.max_json_bytes + 1)
    if len(data) > settings.max_json_bytes:
        raise TooLarge(
            f"a file that is one JSON value may have {settings.max_json_bytes} bytes",
            remedy="Write JSON Lines (`jq -c '.[]'`), or raise imports.max_json_bytes",
            param="file",
        )
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise InvalidRequest("the file is neither JSON nor JSON Lines", param="file") from None
    if isinstance(found, dict):
        lists = [value for name in _LISTS if isinstance(value := found.get(name), list)]
        found = [each for value in lists for each in value] if _enveloped(found) else [found]
    if not isinstance(found, list):
        raise InvalidRequest("the file is not a list of records", param="file")
    for each in found:
        yield each if isinstance(each, dict) else BadRecord("it is not a JSON object")


def _check(total: int, settings: ImportsSettings) -> None:
    if total > settings.max_bytes:
        raise TooLarge(
            f"the file has more than {settings.max_bytes} bytes",
            remedy="Split it, or raise imports.max_bytes",
            param="file",
        )
