"""Puts the rows of an order into the folder of its run: checked, divided, and described by a manifest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mainspring.core.errors import InvalidRequest, TooLarge
from mainspring.features.train.data.kinds import problem, taken_over
from mainspring.features.train.data.splitting import divided
from mainspring.features.train.settings import TrainSettings
from mainspring.training.folder import read_json, write_json
from mainspring.training.recipe import Recipe, Side

SIDES: tuple[Side, ...] = ("train", "validation", "test")
LINEAGE = ".lineage.jsonl"
MANIFEST = "manifest.json"
_TAKEN_OVER = ("licence", "consent", "name", "kind", "cleaning")
_KINDS_OF_SOURCE = {"answers": "answer", "traces": "trace", "event_ids": "event", "documents": "document"}


@dataclass(frozen=True, slots=True)
class Placed:
    """``manifest`` describes the rows; ``sources`` are what they are made of, with their kinds."""

    manifest: Mapping[str, Any]
    sources: Mapping[str, str]


def copy(source: Path, target: Path, bounds: TrainSettings) -> None:
    """Take the files of a set over from a folder. Raises ``InvalidRequest`` if there is no ``train.jsonl``, and
    ``TooLarge``."""
    if not source.is_dir():
        raise InvalidRequest(f"{source} is not a folder", remedy="Name one with train.jsonl", param="folder")
    if not (source / "train.jsonl").exists():
        raise InvalidRequest(
            f"{source} has no train.jsonl", remedy="Put a JSON object on each line of it", param="folder"
        )
    total = 0
    names = [f"{side}{end}" for side in SIDES for end in (".jsonl", LINEAGE)] + [MANIFEST]
    for name in names:
        if not (source / name).exists():
            continue
        with _plain(source / name) as read, (target / name).open("wb") as written:
            while block := read.read(2**20):
                total += len(block)
                if total > bounds.bytes:
                    raise TooLarge(f"the data has more than {bounds.bytes} bytes (train.bytes)", param="folder")
                written.write(block)


def place(data: Path, recipe: Recipe, bounds: TrainSettings, seed: int, told: Mapping[str, Any]) -> Placed:
    """Check the rows in ``data``, divide them if they come as one side, and write the manifest, which begins with what
    is ``told``. Raises ``InvalidRequest`` naming file and line, ``TooLarge``."""
    counts: dict[Side, int] = {side: _checked(data / f"{side}.jsonl", recipe, bounds) for side in SIDES}
    if not counts["train"]:
        raise InvalidRequest("train.jsonl has no rows", param="train")
    if sum(counts.values()) > bounds.rows:
        raise TooLarge(f"the data has more than {bounds.rows} rows (train.rows)", param="train")
    split = "as given"
    if not counts["validation"]:
        split = divided(data, seed, test=not counts["test"])
    placed = described(data, {**told, "kinds": list(recipe.reads), "split": split})
    write_json(data / MANIFEST, placed.manifest)
    return placed


def described(data: Path, told: Mapping[str, Any]) -> Placed:
    """The sides in ``data``, with what its manifest says that rows do not tell, and what they are made of."""
    before = read_json(data / MANIFEST) or {}
    there = [side for side in SIDES if (data / f"{side}.jsonl").exists()]
    sides = {str(side): _described(data / f"{side}.jsonl") for side in there}
    manifest: dict[str, Any] = {
        **told,
        "sides": sides,
        "rows": sum(each["rows"] for each in sides.values()),
        "sha256": hashlib.sha256(json.dumps(sides, sort_keys=True).encode()).hexdigest(),
    }
    manifest |= {name: before[name] for name in _TAKEN_OVER if name in before}
    return Placed(manifest, dict(_sources(data)))


def without(data: Path, answers: frozenset[str]) -> int:
    """Take the rows out that are made of any of these answers, or repeat any of these documents; their number."""
    gone = 0
    for side in SIDES:
        rows, beside = data / f"{side}.jsonl", data / f"{side}{LINEAGE}"
        if not rows.exists() or not beside.exists():
            continue
        with rows.open("rb") as one, beside.open("rb") as other:
            pairs = list(zip(one, other, strict=True))
        made = (json.loads(pair[1]) for pair in pairs)
        names = [[*each.get("answers", ()), *each.get("documents", ())] for each in made]
        kept = [pair for pair, of in zip(pairs, names, strict=True) if answers.isdisjoint(of)]
        if len(kept) < len(pairs):
            gone += len(pairs) - len(kept)
            for path, column in ((rows, 0), (beside, 1)):
                _replace(path, b"".join(pair[column] for pair in kept))
    return gone


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _plain(path: Path) -> IO[bytes]:
    """Opened, if it is a file and no link to another place."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise InvalidRequest(f"{path.name} cannot be read: {error.strerror}", param="folder") from None
    file = os.fdopen(handle, "rb")
    if not path.is_file():
        file.close()
        raise InvalidRequest(f"{path.name} is not a file", param="folder")
    return file


def _checked(path: Path, recipe: Recipe, bounds: TrainSettings) -> int:
    """The number of rows; those of OpenAI's preferences are written anew."""
    if not path.exists():
        return 0
    count, changed = 0, False
    draft = path.with_name(f".{path.name}.draft")
    with path.open("rb") as lines, draft.open("wb") as written:
        for number, line in enumerate(_lines(lines, path.name, bounds.row_bytes), 1):
            if not line.strip():
                changed = True
                continue
            row = _row(path.name, number, line)
            made = taken_over(row)
            if told := problem(recipe.reads, made):
                _refuse(path.name, number, told)
            if made is not row:
                changed, line = True, json.dumps(made, ensure_ascii=False).encode() + b"\n"
            written.write(line if line.endswith(b"\n") else line + b"\n")
            count += 1
            if count > bounds.rows:
                raise TooLarge(f"{path.name} has more than {bounds.rows} rows (train.rows)", param=path.name)
    if changed or not _ends(path):
        draft.replace(path)
    else:
        draft.unlink()
    return count


def _lines(file: IO[bytes], name: str, most: int) -> Iterator[bytes]:
    number = 0
    while line := file.readline(most + 1):
        number += 1
        if len(line) > most:
            _refuse(name, number, f"the row has more than {most} bytes (train.row_bytes)")
        yield line


def _row(name: str, number: int, line: bytes) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        _refuse(name, number, "not a JSON object")
    found: Mapping[str, Any] = row
    return found


def _refuse(name: str, number: int, told: str) -> None:
    raise InvalidRequest(f"{name}, line {number}: {told}", param=f"{name.removesuffix('.jsonl')}:{number}")


def _ends(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _described(path: Path) -> dict[str, Any]:
    digest, rows, size = hashlib.sha256(), 0, 0
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
            rows += block.count(b"\n")
            size += len(block)
    return {"rows": rows, "bytes": size, "sha256": digest.hexdigest()}


def _sources(data: Path) -> Iterator[tuple[str, str]]:
    for side in SIDES:
        path = data / f"{side}{LINEAGE}"
        if not path.exists():
            continue
        with path.open("rb") as lines:
            for line in lines:
                told = json.loads(line)
                for name, kind in _KINDS_OF_SOURCE.items():
                    for source in told.get(name, ()):
                        yield str(source)[:128], kind
