"""Records: CSV and TSV, JSON, JSON Lines and XML, written as rows in which every value has the name of its column."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree

from mainspring.core.errors import UnreadableDocument
from mainspring.rag.parse.compose import Composer
from mainspring.rag.parse.encoding import decode
from mainspring.rag.parse.office import opc
from mainspring.rag.parse.parsed import Parsed

_MAX_RECORDS = 500_000
_MAX_DEPTH = 60


def read_csv(data: bytes, name: str, kind: str) -> Parsed:
    """A table of delimited values. Raises ``UnreadableDocument`` when it is none."""
    text, warning = decode(data, name)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    dialect: Any = csv.excel_tab if name.lower().endswith(".tsv") else csv.excel
    try:
        dialect = csv.Sniffer().sniff(text[:8192], delimiters=",;\t|")
    except csv.Error:
        # One column, or too few rows to decide: the name decides.
        dialect = csv.excel_tab if name.lower().endswith(".tsv") else csv.excel
    csv.field_size_limit(10_000_000)
    try:
        rows = list(csv.reader(io.StringIO(text), dialect))
    except csv.Error as error:
        raise UnreadableDocument(f"{name} is not a readable table: {error}", remedy="Check its quotes") from None
    composer = Composer(name)
    composer.warnings.append(warning)
    composer.table(rows)
    return composer.parsed(kind, "csv", headings="none")


def read_json(data: bytes, name: str, kind: str) -> Parsed:
    """JSON: a list of objects as rows, anything else unchanged. Text that is not JSON is kept as text, with a
    warning."""
    text, warning = decode(data, name)
    composer = Composer(name)
    composer.warnings.append(warning)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        composer.warnings.append(f"not valid JSON ({error}), kept as text")
        value = None
    records = _records(value)
    if records:
        composer.table(_table(records))
    else:
        composer.add(text)
    return composer.parsed(kind, "json", headings="none")


def read_json_lines(data: bytes, name: str, kind: str) -> Parsed:
    """One JSON value a line; lines that are none are kept as they are, and counted in a warning."""
    text, warning = decode(data, name)
    values: list[Any] = []
    broken = 0
    for line in text.splitlines():
        if line.strip():
            try:
                values.append(json.loads(line))
            except (ValueError, RecursionError):
                broken += 1
                values.append({"text": line.strip()})
    composer = Composer(name)
    composer.warnings.append(warning)
    if broken:
        composer.warnings.append(f"{broken} lines are not valid JSON and were kept as text")
    composer.table(_table([value if isinstance(value, Mapping) else {"value": value} for value in values]))
    return composer.parsed(kind, "json", headings="none")


def read_xml(data: bytes, name: str, kind: str) -> Parsed:
    """XML: records as rows if most of it is records, else unchanged.

    Raises ``UnreadableDocument`` when it is malformed or declares entities of its own.
    """
    root = opc.xml(data, name)
    text, warning = decode(data, name)
    composer = Composer(name)
    composer.warnings.append(warning)
    children = [child for child in root if isinstance(child.tag, str)]
    flat = [_flat_element(child) for child in children]
    if len(flat) >= 2 and len({child.tag for child in children}) == 1 and all(len(record) > 1 for record in flat):
        composer.table(_table(flat))
    else:
        composer.add(text)
    return composer.parsed(kind, "xml", headings="none")


def _records(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list, or of the only list in an object."""
    if isinstance(value, dict):
        lists = [each for each in value.values() if isinstance(each, list)]
        value = lists[0] if len(lists) == 1 and len(value) == 1 else None
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return value
    return []


def _table(records: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """A header and one row a record; objects within objects become ``outer.inner`` columns."""
    rows = []
    names: dict[str, int] = {}
    for number, record in enumerate(records):
        if number >= _MAX_RECORDS:
            raise UnreadableDocument(f"it has more than {_MAX_RECORDS} records", remedy="Split it into several files")
        flat = dict(_flatten(record))
        for name in flat:
            names.setdefault(name, len(names))
        rows.append(flat)
    return [list(names), *([row.get(name, "") for name in names] for row in rows)]


def _flatten(value: Any, path: str = "", depth: int = 0) -> Iterable[tuple[str, str]]:
    if isinstance(value, Mapping) and value and depth < _MAX_DEPTH:
        for key, inner in value.items():
            yield from _flatten(inner, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list) and all(not isinstance(each, dict | list) for each in value):
        yield path, ", ".join(_shown(each) for each in value)
    else:
        yield path, _shown(value)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _flat_element(element: ElementTree.Element) -> dict[str, str]:
    found = dict(element.attrib)
    for child in element:
        if isinstance(child.tag, str):
            words = " ".join("".join(child.itertext()).split())
            found[re.sub(r"\{.*\}", "", child.tag)] = words
    return found
