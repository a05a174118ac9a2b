"""Writes an export: files of each split, their lineage, a manifest and a data card."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.core.version import __version__
from mainspring.evaluation.examples import Split
from mainspring.features.lake.exports.sets import card
from mainspring.features.lake.exports.sets.formats import BARE, ExportFormat, written
from mainspring.features.lake.exports.sets.rows import ExportKind, Row
from mainspring.features.lake.exports.sets.splits import NAMES, Place, Shares

CONTRACT = 1
"""The version of the fields of each kind, and of the manifest."""
MANIFEST, CARD = "manifest.json", "README.md"
LINEAGE = ".lineage.jsonl"


@dataclass(frozen=True, slots=True)
class Order:
    """What an export is made of. ``licence`` is an SPDX identifier or a text of the operator's. ``filters`` and
    ``override`` (the reason of an administrator who exports without consent; empty: consented rows alone) are told in
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


@dataclass(frozen=True, slots=True)
class Exported:
    """``files`` by name, the ``manifest``, and all ``answers`` that are in any row."""

    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]
    answers: Collection[str]


def export(rows: Iterable[Row], placed: Mapping[str, Place], order: Order) -> Exported:
    """Write the rows, each to the side of the answer that it is about (``placed``). Rows that the format cannot say,
    and repeated ones, are left out and counted."""
    counts: Counter[str] = Counter(order.counts)
    seen: set[str] = set()
    answers: set[str] = set()
    by_side: dict[Split, list[tuple[Row, dict[str, Any], int]]] = {name: [] for name in NAMES}
    for row in rows:
        body = written(order.kind, order.format, row.body)
        if body is None:
            counts["not in this format"] += 1
        elif row.id in seen:
            counts["repeated"] += 1
        else:
            seen.add(row.id)
            answers.update(row.answers)
            place = placed[row.answers[0]]
            by_side[place.side].append((row, body, place.group))
    files: dict[str, bytes] = {}
    for side, found in by_side.items():
        if found:
            files[f"{side}.jsonl"] = _lines(_row(order.format, row, body) for row, body, _ in found)
            files[f"{side}{LINEAGE}"] = _lines(_lineage(row, group) for row, _, group in found)
    manifest = _manifest(order, files, by_side, counts)
    files[CARD] = card.text(manifest, [body for found in by_side.values() for _, body, _ in found[:1]][:1]).encode()
    manifest["files"][CARD] = _described(files[CARD], None)
    files[MANIFEST] = _written(manifest)
    return Exported(manifest, files, answers)


def _row(name: ExportFormat, row: Row, body: Mapping[str, Any]) -> Mapping[str, Any]:
    return body if name in BARE else {**body, "id": row.id, "event_ids": list(row.event_ids)}


def _lineage(row: Row, group: int) -> Mapping[str, Any]:
    return {
        "id": row.id,
        "group": group,
        "origin": row.origin,
        "answers": list(row.answers),
        "traces": list(row.traces),
        "event_ids": list(row.event_ids),
    }


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n" for row in rows)


def _manifest(
    order: Order,
    files: Mapping[str, bytes],
    sides: Mapping[Split, Sequence[tuple[Row, dict[str, Any], int]]],
    counts: Mapping[str, int],
) -> dict[str, Any]:
    found = [row for each in sides.values() for row, _, _ in each]
    times = [row.at for row in found if row.at]
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
        "rows": len(found),
        "split": {
            "asked": dict(zip(NAMES, order.shares.of, strict=True)),
            "rows": {side: len(each) for side, each in sides.items()},
            "groups": {side: len({group for _, _, group in each}) for side, each in sides.items()},
        },
        "people": len({name for row in found for name in row.subjects}),
        "origins": dict(Counter(row.origin for row in found).most_common()),
        "models": dict(Counter(name for row in found for name in row.models).most_common(20)),
        "languages": dict(Counter(name for row in found for name in row.languages).most_common(20)),
        "from": min(times, default=None),
        "to": max(times, default=None),
        "files": {
            name: _described(data, data.count(b"\n") if name.endswith(".jsonl") else None)
            for name, data in files.items()
        },
    }


def _described(data: bytes, rows: int | None) -> dict[str, Any]:
    told: dict[str, Any] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    return told if rows is None else {**told, "rows": rows}


def rewritten(files: Mapping[str, bytes], answers: Collection[str]) -> tuple[int, dict[str, bytes], dict[str, Any]]:
    """The files without the rows that are made of any of ``answers``: how many went, the files, and the manifest. All
    are empty if no files are left."""
    if MANIFEST not in files:
        return 0, {}, {}
    manifest: dict[str, Any] = json.loads(files[MANIFEST])
    made: dict[str, bytes] = {}
    total = 0
    for side in NAMES:
        if f"{side}.jsonl" not in files:
            continue
        lines = files[f"{side}.jsonl"].splitlines(keepends=True)
        beside = files[f"{side}{LINEAGE}"].splitlines(keepends=True)
        stays = [set(json.loads(line)["answers"]).isdisjoint(answers) for line in beside]
        made[f"{side}.jsonl"] = b"".join(line for line, stay in zip(lines, stays, strict=True) if stay)
        made[f"{side}{LINEAGE}"] = b"".join(line for line, stay in zip(beside, stays, strict=True) if stay)
        manifest["split"]["rows"][side] = sum(stays)
        total += len(stays) - sum(stays)
    manifest["rows"] -= total
    manifest["erased"] = manifest.get("erased", 0) + total
    # The numbers of people, models and origins told of those who are gone.
    for name in ("people", "origins", "models", "languages"):
        manifest[name] = {} if isinstance(manifest[name], dict) else None
    manifest["files"] = {name: _described(data, data.count(b"\n")) for name, data in made.items()}
    made[CARD] = card.text(manifest, _first(made)).encode()
    manifest["files"][CARD] = _described(made[CARD], None)
    made[MANIFEST] = _written(manifest)
    return total, made, manifest


def _first(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    for side in NAMES:
        for line in files.get(f"{side}.jsonl", b"").splitlines():
            found = json.loads(line)
            return [{name: value for name, value in found.items() if name not in ("id", "event_ids")}]
    return []


def _written(manifest: Mapping[str, Any]) -> bytes:
    return (json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files; each is whole or not there. The manifest comes last: with it, all are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in sorted(files, key=lambda each: each == MANIFEST):
        part = folder / f".{name}.part"
        with part.open("wb") as file:
            file.write(files[name])
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / name)
