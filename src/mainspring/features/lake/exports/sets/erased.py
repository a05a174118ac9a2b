"""The files of an export without some of its rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from mainspring.features.lake.exports.sets.splits import NAMES
from mainspring.features.lake.exports.sets.writing import LINEAGE, MANIFEST, Lines, described


def rewritten(
    files: Mapping[str, Path], answers: Collection[str], folder: Path
) -> tuple[int, dict[str, Path], dict[str, Any]]:
    """The files, in ``folder``, without the rows that are made of any of ``answers``: how many went, the files, and the
    manifest. All are empty if no files are left. One row is in memory. Raises ``OSError``."""
    if MANIFEST not in files:
        return 0, {}, {}
    manifest: dict[str, Any] = json.loads(files[MANIFEST].read_bytes())
    made: dict[str, Path] = {}
    told: dict[str, Any] = {}
    total, example = 0, None
    for side in NAMES:
        if f"{side}.jsonl" not in files:
            continue
        with ExitStack() as open_files:
            lines, beside = Lines(folder / f"{side}.jsonl"), Lines(folder / f"{side}{LINEAGE}")
            open_files.callback(lines.close)
            open_files.callback(beside.close)
            for row, lineage in rows_beside(files, side):
                if set(json.loads(lineage)["answers"]).isdisjoint(answers):
                    lines.add_line(row)
                    beside.add_line(lineage)
                    example = example or row
                else:
                    total += 1
        manifest["split"]["rows"][side] = lines.rows
        for each in (lines, beside):
            made[each.path.name], told[each.path.name] = each.path, each.told()
    manifest["rows"] -= total
    manifest["erased"] = manifest.get("erased", 0) + total
    # The numbers of people, models and origins told of those who are gone.
    for name in ("people", "origins", "models", "languages"):
        manifest[name] = {} if isinstance(manifest[name], dict) else None
    manifest["files"] = told
    return total, made | described(manifest, _body(example), folder), manifest


def rows_beside(files: Mapping[str, Path], side: str) -> Iterator[tuple[bytes, bytes]]:
    """The rows of a side as lines, each with the line that says what it is made of. Raises ``OSError``."""
    with files[f"{side}.jsonl"].open("rb") as rows, files[f"{side}{LINEAGE}"].open("rb") as lineage:
        yield from zip(rows, lineage, strict=True)


def _body(row: bytes | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {name: value for name, value in json.loads(row).items() if name not in ("id", "event_ids")}
