"""Writes an export: files of each split, their lineage, a manifest and a data card."""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.core import private_files
from mainspring.core.version import __version__
from mainspring.evaluation.examples import Split
from mainspring.features.lake.exports.sets import card
from mainspring.features.lake.exports.sets.formats import BARE, ExportFormat, written
from mainspring.features.lake.exports.sets.keys import Distinct
from mainspring.features.lake.exports.sets.rows import ExportKind, Row
from mainspring.features.lake.exports.sets.splits import NAMES, Placed, Shares

CONTRACT = 1
"""The version of the fields of each kind, and of the manifest."""
MANIFEST, CARD = "manifest.json", "README.md"
LINEAGE = ".lineage.jsonl"


@dataclass(frozen=True, slots=True)
class Order:
    """What an export is made of. ``licence`` is an SPDX identifier or a text of the operator's. ``filters`` and
    ``override`` (the reason of an administrator who exports without consent; empty: consented rows alone) stand in
    manifest and card. ``counts``: rows that came in and that each step took."""

    kind: ExportKind
    format: ExportFormat
    name: str = "export"
    shares: Shares = field(default_factory=Shares)
    seed: int = 0
    licence: str = "proprietary"
    filters: Mapping[str, Any] = field(default_factory=dict)
    override: str = ""
    cleaning: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    tenant: str = ""
    created_at: float = 0.0


class AnswerIds:
    """Ids of answers in a file, a line each, in order."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[str]:
        with self._path.open(encoding="utf-8") as file:
            for line in file:
                yield line.removesuffix("\n")


@dataclass(frozen=True, slots=True)
class Exported:
    """``files`` by name, the ``manifest``, and all ``answers`` that are in any row."""

    manifest: Mapping[str, Any]
    files: Mapping[str, Path]
    answers: AnswerIds


def export(rows: Iterable[Row], placed: Placed, order: Order, folder: Path) -> Exported:
    """Write the rows into files of ``folder``, each to the side of the answer that it is about (``placed``). Rows that
    the format cannot say, and repeated ones, are left out and counted; rows about one answer come one after the other,
    except preferences. Raises ``OSError``."""
    counts: Counter[str] = Counter(order.counts)
    seen = _Seen(forgets=order.kind != "preference")
    inside = np.zeros(len(placed.groups), bool)
    told, example = _Told(), None
    with ExitStack() as open_files:
        sides = [open_files.enter_context(_Side(folder, name)) for name in NAMES]
        for row in rows:
            body = written(order.kind, order.format, row.body)
            if body is None:
                counts["not in this format"] += 1
                continue
            row_id, about = row.id, placed.keys.place(row.answers[0])
            if seen.again(row_id, about):
                counts["repeated"] += 1
                continue
            inside[[placed.keys.place(each) for each in row.answers]] = True
            group = int(placed.groups[about])
            sides[placed.sides[about]].add(_row(order.format, row, row_id, body), _lineage(row, row_id, group), group)
            told.add(row)
            example = example or body
    files = {path.name: path for side in sides for path in side.files}
    manifest = _manifest(order, sides, told, counts)
    files |= described(manifest, example, folder)
    return Exported(manifest, files, _answers(folder / "answers", placed, inside))


class _Seen:
    """Rows that were there already: those about one answer, or all."""

    def __init__(self, forgets: bool) -> None:
        self._forgets = forgets
        self._about = -1
        self._ids: set[str] = set()

    def again(self, row_id: str, about: int) -> bool:
        if self._forgets and about != self._about:
            self._about, self._ids = about, set()
        if row_id in self._ids:
            return True
        self._ids.add(row_id)
        return False


class Lines:
    """A file of JSON lines with its digest."""

    def __init__(self, path: Path) -> None:
        private_files.file(path)
        self.path = path
        self._file = path.open("wb")
        self._made = hashlib.sha256()
        self.rows = self._bytes = 0

    def add(self, row: Mapping[str, Any]) -> None:
        self.add_line(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

    def add_line(self, line: bytes) -> None:
        self._file.write(line)
        self._made.update(line)
        self.rows += 1
        self._bytes += len(line)

    def told(self) -> dict[str, Any]:
        return {"sha256": self._made.hexdigest(), "bytes": self._bytes, "rows": self.rows}

    def close(self) -> None:
        self._file.close()


class _Side:
    """The rows of a side, and beside them what they are made of."""

    def __init__(self, folder: Path, name: Split) -> None:
        self.name = name
        self.lines = Lines(folder / f"{name}.jsonl")
        self.beside = Lines(folder / f"{name}{LINEAGE}")
        self._groups = array("i")

    def add(self, row: Mapping[str, Any], lineage: Mapping[str, Any], group: int) -> None:
        self.lines.add(row)
        self.beside.add(lineage)
        self._groups.append(group)

    @property
    def files(self) -> list[Path]:
        return [self.lines.path, self.beside.path] if self.lines.rows else []

    @property
    def groups(self) -> int:
        return len(np.unique(np.array(self._groups, np.int32)))

    def __enter__(self) -> _Side:
        return self

    def __exit__(self, *_: object) -> None:
        self.lines.close()
        self.beside.close()


class _Told:
    """What the manifest tells of all rows."""

    def __init__(self) -> None:
        self.people = Distinct()
        self.origins: Counter[str] = Counter()
        self.models: Counter[str] = Counter()
        self.languages: Counter[str] = Counter()
        self.first: float | None = None
        self.last: float | None = None

    def add(self, row: Row) -> None:
        for name in row.subjects:
            self.people.add(name)
        self.origins[row.origin] += 1
        self.models.update(row.models)
        self.languages.update(row.languages)
        if row.at:
            self.first = row.at if self.first is None else min(self.first, row.at)
            self.last = row.at if self.last is None else max(self.last, row.at)


def described(manifest: dict[str, Any], example: Mapping[str, Any] | None, folder: Path) -> dict[str, Path]:
    """Write the card and then the manifest, which names the card. Raises ``OSError``."""
    said = card.text(manifest, [example] if example else []).encode()
    manifest["files"][CARD] = {"sha256": hashlib.sha256(said).hexdigest(), "bytes": len(said)}
    whole = (json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()
    return {CARD: _whole(folder / CARD, said), MANIFEST: _whole(folder / MANIFEST, whole)}


def _whole(path: Path, data: bytes) -> Path:
    private_files.file(path)
    path.write_bytes(data)
    return path


def _answers(path: Path, placed: Placed, inside: NDArray[np.bool_]) -> AnswerIds:
    private_files.file(path)
    with path.open("wb") as file:
        for answer_id, place in zip(placed.keys.ids, placed.keys.places, strict=True):
            if inside[place]:
                file.write(bytes(answer_id) + b"\n")
    return AnswerIds(path)


def _row(name: ExportFormat, row: Row, row_id: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    return body if name in BARE else {**body, "id": row_id, "event_ids": list(row.event_ids)}


def _lineage(row: Row, row_id: str, group: int) -> Mapping[str, Any]:
    return {
        "id": row_id,
        "group": group,
        "origin": row.origin,
        "answers": list(row.answers),
        "traces": list(row.traces),
        "event_ids": list(row.event_ids),
    }


def _manifest(order: Order, sides: Sequence[_Side], told: _Told, counts: Mapping[str, int]) -> dict[str, Any]:
    return {
        "name": order.name,
        "kind": order.kind,
        "format": order.format,
        "contract": CONTRACT,
        "mainspring": __version__,
        "cleaning": order.cleaning,
        "tenant": order.tenant,
        "created_at": order.created_at,
        "licence": order.licence,
        "consent": {"required": not order.override, "override": order.override},
        "seed": order.seed,
        "filters": dict(order.filters),
        "counts": dict(counts),
        "rows": sum(side.lines.rows for side in sides),
        "split": {
            "asked": dict(zip(NAMES, order.shares.of, strict=True)),
            "rows": {side.name: side.lines.rows for side in sides},
            "groups": {side.name: side.groups for side in sides},
        },
        "people": len(told.people),
        "origins": dict(told.origins.most_common()),
        "models": dict(told.models.most_common(20)),
        "languages": dict(told.languages.most_common(20)),
        "from": told.first,
        "to": told.last,
        "files": {each.path.name: each.told() for side in sides if side.files for each in (side.lines, side.beside)},
    }


def finished(part: Path, path: Path) -> None:
    """Put a file that is written in its place. Raises ``OSError``."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
