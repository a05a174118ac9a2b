"""The file that a collection travels in: what is read back, and every way in which a file can be wrong."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.rag.ingest.archive import Archive, ArchiveEntry, ArchiveWriter, CollectionInfo, manifest_of
from mainspring.stores.vectors.base import ChunkRow

DIMENSIONS = 4
TEXTS = ("Otters sleep.", "", "Ürchins are eaten.", "They\u2028sleep.")
Members = dict[str, bytes]


def line(number: int, text: str) -> ArchiveEntry:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    attributes: dict[str, str | bool | int | float] = {"text": "1", "yes": True, "whole": 2**60, "part": 0.5}
    return ArchiveEntry(
        source_key=f"k{number}",
        name=f"n{number}\u2028",
        sha256="",
        attributes=attributes,
        groups=("board",),
        modified_at=1.5,
        mark="",
        recipe="",
        parser="p",
        pages=None,
        chunks=2 if text else 0,
        text=sha256,
    )


def rows(text: str) -> list[ChunkRow]:
    vector = np.full(DIMENSIONS, 0.5, np.float32)
    halves = (0, len(text) // 2), (len(text) // 2, len(text))
    made = [ChunkRow("c", "d", 1, text[a:b], a, b, None, "H", vector, 0, len(text), "x") for a, b in halves]
    return made if text else []


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """Four documents, one of them without chunks, in two row groups."""
    writer = ArchiveWriter(tmp_path)
    for first in (0, 2):
        part = [(line(number, TEXTS[number]), TEXTS[number]) for number in (first, first + 1)]
        writer.add([each for each, _ in part], [text.encode() for _, text in part], [rows(text) for _, text in part])
    writer.finish(CollectionInfo(name="c", groups=(), metadata={}, description=""), "e", "")
    return writer.path


def rebuilt(path: Path, change: Callable[[Members], object], *, signed: bool = False) -> Path:
    """The same file after ``change`` of its members; ``signed``: with hashes that fit it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    if signed:
        manifest = json.loads(members.pop("manifest.json"))
        manifest["members"] = {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in members.items()
        }
        members["manifest.json"] = json.dumps(manifest).encode()
    made = path.with_name("changed.zip")
    with zipfile.ZipFile(made, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made


def test_what_was_written_is_read(packed: Path) -> None:
    archive = Archive(packed)
    batches = [list(batch) for batch in archive.batches()]
    archive.close()
    found = [each for batch in batches for each in batch]
    assert [len(batch) for batch in batches] == [1, 3]
    assert [each.line for each in found] == [line(number, text) for number, text in enumerate(TEXTS)]
    assert [each.text for each in found] == list(TEXTS)
    for each in found:
        for row, written in zip(each.rows, rows(each.text), strict=True):
            assert np.array_equal(row.pop("vector"), written.vector)
            assert row == {name: getattr(written, name) for name in row}
            assert len(row) == 7
    assert archive.manifest == manifest_of(packed)


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 and so on")
    for read in (Archive, manifest_of):
        with pytest.raises(InvalidRequest, match=r"a\.zip cannot be imported: .*Copy it again"):
            read(tmp_path / "a.zip")


def flip(name: str) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        chosen = next(each for each in members if each.startswith(name))
        data = bytearray(members[chosen])
        data[len(data) // 2] ^= 1
        members[chosen] = bytes(data)

    return change


def manifested(**changes: Any) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        members["manifest.json"] = json.dumps(json.loads(members["manifest.json"]) | changes).encode()

    return change


def chunks(column: str, value: Any) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        table = parquet.read_table(io.BytesIO(members["chunks.parquet"]))
        place = table.schema.names.index(column)
        field = table.schema.field(place)
        made = io.BytesIO()
        changed = table.set_column(place, field, pa.array([value] * table.num_rows, field.type))
        parquet.write_table(changed, made, row_group_size=2)
        members["chunks.parquet"] = made.getvalue()

    return change


def twice(members: Members) -> None:
    members["documents.jsonl"] += members["documents.jsonl"].splitlines(keepends=True)[0]


@pytest.mark.parametrize(
    ("change", "signed", "message"),
    [
        (flip("chunks.parquet"), False, r"chunks\.parquet is not what"),
        (flip("documents.jsonl"), False, r"documents\.jsonl is not what"),
        (flip("texts/"), False, "texts/.* is not what"),
        (flip("texts/"), True, "should not have: 'texts/"),
        (lambda members: members.pop("chunks.parquet"), False, r"not those of its manifest: 'chunks\.parquet'"),
        (lambda members: members.pop("chunks.parquet"), True, "it lacks"),
        (lambda members: members.pop("manifest.json"), False, r"no manifest\.json"),
        (lambda members: members.update({"../evil": b"x"}), False, r"'\.\./evil'"),
        (lambda members: members.update({"../evil": b"x"}), True, r"should not have: '\.\./evil'"),
        (lambda members: members.update({"/etc/evil": b"x"}), True, "should not have: '/etc/evil'"),
        (manifested(format=2), False, "has format 2, and this version reads 1"),
        (manifested(documents=2), False, "not one line for each of 2"),
        (manifested(members={}), False, "not those of its manifest"),
        (manifested(embedder={"name": "e", "fingerprint": "", "dimensions": 3}), False, "other columns"),
        (twice, True, "not one line for each of 4"),
        (chunks("end", 10_000), True, "lies outside its text"),
        (chunks("parent_start", -2), True, "lies outside its text"),
        (chunks("document", 0), True, "out of order|has 4 chunks|has 2 chunks"),
        (chunks("vector", [float("nan")] * DIMENSIONS), True, "not of length 1"),
    ],
)
def test_a_file_that_is_not_whole(
    packed: Path, change: Callable[[Members], object], signed: bool, message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Archive(rebuilt(packed, change, signed=signed))
