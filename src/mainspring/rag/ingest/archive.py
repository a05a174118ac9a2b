"""The file that a collection travels in: a zip of its manifest, documents, texts, and chunks with their vectors.

``manifest.json`` names the embedder and every other member with its sha256. ``documents.jsonl`` has one line per
document, ``texts/<sha256>`` its text, and ``chunks.parquet`` the chunks, each as a span of its document's text, in row
groups that end with a document. Nothing in a file is believed before it was compared with the manifest, and no member
is ever written to a path that the file names. Hashes show damage; they do not show who wrote a file.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, FiniteFloat, NonNegativeInt, StrictBool, ValidationError

from mainspring.core.errors import InvalidRequest, StoreError
from mainspring.core.version import __version__
from mainspring.stores.sql.rows import clean
from mainspring.stores.vectors.base import ChunkRow

# Raise this whenever this reader could misread a file of the new kind.
FORMAT = 1
_MANIFEST, _DOCUMENTS, _CHUNKS = "manifest.json", "documents.jsonl", "chunks.parquet"
_TEXT = re.compile(r"texts/([0-9a-f]{64})")
# Members that are read as a whole: a text of 50 million characters fits, and a bomb does not fill the memory.
_MAX_BYTES = 256 * 2**20
_BLOCK = 2**20
# How far from 1 the length of a vector may be.
_UNIT = 1e-2

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, AfterValidator(clean)]
Attribute = Annotated[str, Field(strict=True)] | StrictBool | Annotated[int, Field(ge=-(2**63), lt=2**63)] | FiniteFloat


class Member(BaseModel):
    """The digest and size of a member's bytes."""

    sha256: Sha256
    bytes: NonNegativeInt


class MadeBy(BaseModel):
    """The embedder of the vectors. ``fingerprint`` is empty if the model was not at hand."""

    name: str
    fingerprint: str
    dimensions: Annotated[int, Field(ge=1, le=2**16)]


class CollectionInfo(BaseModel):
    """The collection's name, access and metadata."""

    name: str
    groups: tuple[Text, ...]
    metadata: dict[Text, Text]
    description: str


class Manifest(BaseModel):
    """``manifest.json``."""

    format: Literal[1]
    written_by: str
    collection: CollectionInfo
    embedder: MadeBy
    documents: NonNegativeInt
    chunks: NonNegativeInt
    members: dict[str, Member]


class ArchiveEntry(BaseModel):
    """A document. ``sha256`` is the digest of the source bytes, ``text`` that of the extracted text."""

    source_key: Text
    name: Text
    sha256: Text
    attributes: dict[Text, Attribute]
    groups: tuple[Text, ...]
    modified_at: FiniteFloat | None
    mark: Text
    recipe: Text
    parser: Text
    pages: NonNegativeInt | None
    chunks: NonNegativeInt
    text: Sha256


@dataclass(frozen=True, slots=True)
class PackedDocument:
    """A document with its text, and with the columns of its chunks by the names that ``ChunkRow`` gives them;
    ``vector`` is float32 (dimensions,)."""

    line: ArchiveEntry
    text: str
    rows: Sequence[dict[str, Any]]


class ArchiveWriter:
    """Writes one archive into ``directory``, which must be empty. Everything blocks; raises ``OSError``."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "collection.zip"
        self._chunks = directory / _CHUNKS
        self._zip = zipfile.ZipFile(self.path, "w", zipfile.ZIP_DEFLATED)
        self._members: dict[str, Member] = {}
        self._lines: list[ArchiveEntry] = []
        self._parquet: Any = None
        self._dimensions = self._count = 0

    def add(self, lines: Sequence[ArchiveEntry], texts: Sequence[bytes], rows: Sequence[Sequence[ChunkRow]]) -> None:
        """Some documents, whole: for each its line, text and chunks."""
        import pyarrow.parquet as parquet

        for line, text in zip(lines, texts, strict=True):
            self._put(f"texts/{line.text}", text)
        table = _table(rows, first=len(self._lines))
        self._lines.extend(lines)
        if table is None:
            return
        if self._parquet is None:
            self._dimensions = table.schema.field("vector").type.list_size
            self._parquet = parquet.ParquetWriter(self._chunks, table.schema, compression="zstd")
        self._parquet.write_table(table, row_group_size=table.num_rows)
        self._count += table.num_rows

    def finish(self, about: CollectionInfo, embedder: str, fingerprint: str) -> Manifest:
        """Close the archive; its manifest. At least one chunk must have been added."""
        self._parquet.close()
        self._put(_DOCUMENTS, "".join(f"{line.model_dump_json()}\n" for line in self._lines).encode())
        with self._chunks.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        # Parquet is already compressed.
        self._zip.write(self._chunks, _CHUNKS, zipfile.ZIP_STORED)
        self._members[_CHUNKS] = Member(sha256=digest, bytes=self._chunks.stat().st_size)
        manifest = Manifest(
            format=FORMAT,
            written_by=f"mainspring {__version__}",
            collection=about,
            embedder=MadeBy(name=embedder, fingerprint=fingerprint, dimensions=self._dimensions),
            documents=len(self._lines),
            chunks=self._count,
            members=self._members,
        )
        self._zip.writestr(_MANIFEST, manifest.model_dump_json(indent=1))
        self._zip.close()
        return manifest

    def _put(self, name: str, data: bytes) -> None:
        if name not in self._members:
            self._zip.writestr(name, data)
            self._members[name] = Member(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


class Archive:
    """An archive that is whole. Opening reads all of it once; everything blocks.

    Raises ``InvalidRequest`` for a file that is no archive, is damaged, has a newer format, or contains unexpected
    data.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with contextlib.ExitStack() as stack:
            self._zip = stack.enter_context(_opened(path))
            self.manifest, self.digest = _manifest(self._zip, path)
            self._directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mainspring-")))
            with _damaged(path):
                self._check_names()
                for name in self.manifest.members:
                    self._check(name)
            self.lines = self._read_lines()
            # One pass only checks that everything can be read, before the first part is imported.
            for _ in self.batches():
                pass
            self._stack = stack.pop_all()

    def close(self) -> None:
        self._stack.close()

    def batches(self) -> Generator[Sequence[PackedDocument]]:
        """All documents in order, some at a time."""
        import pyarrow as pa
        import pyarrow.parquet as parquet

        done = 0
        with contextlib.ExitStack() as stack:
            stack.enter_context(_damaged(self._path))
            file = stack.enter_context(parquet.ParquetFile(self._directory / _CHUNKS))
            if file.schema_arrow.remove_metadata() != _schema(pa, self.manifest.embedder.dimensions):
                raise ValueError(f"{_CHUNKS} has other columns")
            for group in range(file.num_row_groups):
                found: dict[int, list[dict[str, Any]]] = {}
                for row in _rows(file.read_row_group(group)):
                    found.setdefault(row.pop("document"), []).append(row)
                last = group == file.num_row_groups - 1
                end = len(self.lines) if last else max(found, default=done - 1) + 1
                numbers = range(done, min(end, len(self.lines)))
                if not found.keys() <= set(numbers):
                    raise ValueError(f"{_CHUNKS} is out of order")
                yield [self._packed(self.lines[number], found.get(number, [])) for number in numbers]
                done = end

    def _packed(self, line: ArchiveEntry, rows: Sequence[dict[str, Any]]) -> PackedDocument:
        if len(rows) != line.chunks:
            raise ValueError(f"{line.name} has {len(rows)} chunks and not {line.chunks}")
        text = self._read(f"texts/{line.text}").decode()
        for row in rows:
            outer = row["parent_start"], row["parent_end"]
            inside = 0 <= row["start"] <= row["end"] <= len(text)
            if not inside or (outer != (-1, -1) and not 0 <= outer[0] <= outer[1] <= len(text)):
                raise ValueError(f"a chunk of {line.name} lies outside its text")
        return PackedDocument(line, text, rows)

    def _check_names(self) -> None:
        there, named = self._zip.namelist(), {_MANIFEST, *self.manifest.members}
        if len(there) != len(named) or set(there) != named:
            odd = sorted(set(there) ^ named) or sorted(name for name in set(there) if there.count(name) > 1)
            raise ValueError(f"its members are not those of its manifest: {odd[0]!r}")
        for name, member in self.manifest.members.items():
            text = _TEXT.fullmatch(name)
            if (text and text[1] != member.sha256) or (not text and name not in (_DOCUMENTS, _CHUNKS)):
                raise ValueError(f"it has a member that it should not have: {name!r}")
            if name != _CHUNKS and member.bytes > _MAX_BYTES:
                raise ValueError(f"{name} is too large")
        if not {_DOCUMENTS, _CHUNKS} <= named:
            raise ValueError(f"it lacks {_DOCUMENTS} or {_CHUNKS}")

    def _check(self, name: str) -> None:
        """Compare a member with its hash; the chunks are laid out beside, for Parquet is read from its end."""
        member, read, digest = self.manifest.members[name], 0, hashlib.sha256()
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(self._zip.open(name))
            copy: IO[bytes] | None = None
            if name == _CHUNKS:
                copy = stack.enter_context((self._directory / _CHUNKS).open("wb"))
            while read <= member.bytes and (block := file.read(_BLOCK)):
                read += len(block)
                digest.update(block)
                if copy:
                    copy.write(block)
        if read != member.bytes or digest.hexdigest() != member.sha256:
            raise ValueError(f"{name} is not what its manifest says")

    def _read(self, name: str) -> bytes:
        with self._zip.open(name) as file:
            return file.read(self.manifest.members[name].bytes)

    def _read_lines(self) -> list[ArchiveEntry]:
        with _damaged(self._path):
            lines = [ArchiveEntry.model_validate_json(line) for line in self._read(_DOCUMENTS).splitlines()]
            if not len(lines) == len({line.source_key for line in lines}) == self.manifest.documents:
                raise ValueError(f"{_DOCUMENTS} has not one line for each of {self.manifest.documents} documents")
            if sum(line.chunks for line in lines) != self.manifest.chunks:
                raise ValueError(f"{_DOCUMENTS} has not {self.manifest.chunks} chunks")
            for line in lines:
                if f"texts/{line.text}" not in self.manifest.members:
                    raise ValueError(f"the text of {line.name} is not there")
        return lines


def manifest_of(path: Path) -> Manifest:
    """The manifest alone, before the rest is read. Raises the errors of ``Archive``."""
    with _opened(path) as archive:
        return _manifest(archive, path)[0]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    with _damaged(path):
        archive = zipfile.ZipFile(path)
    with archive:
        yield archive


def _manifest(archive: zipfile.ZipFile, path: Path) -> tuple[Manifest, str]:
    with _damaged(path):
        if _MANIFEST not in archive.namelist():
            raise ValueError(f"it has no {_MANIFEST}")
        with archive.open(_MANIFEST) as file:
            data = file.read(_MAX_BYTES)
        found = _Version.model_validate_json(data).format
    if found > FORMAT:
        raise InvalidRequest(
            f"{path} has format {found}, and this version reads {FORMAT}", remedy="Upgrade mainspring", param="file"
        )
    with _damaged(path):
        return Manifest.model_validate_json(data), hashlib.sha256(data).hexdigest()


class _Version(BaseModel):
    format: int


@contextlib.contextmanager
def _damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        # Reading is done with libraries whose errors have no base: encrypted and odd members are RuntimeErrors.
        raise InvalidRequest(
            f"{path} cannot be imported: {_first_line(error)}",
            remedy="Copy it again, or export the collection again",
            param="file",
        ) from error
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read: {error.strerror or error}", remedy="Check its path, permissions and the free space"
        ) from error


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{error.title}.{'.'.join(map(str, first['loc']))}: {first['msg']}"
    return str(error).partition("\n")[0]


def _schema(pa: Any, dimensions: int) -> Any:
    return pa.schema(
        [
            pa.field("document", pa.int64(), nullable=False),
            pa.field("start", pa.int64(), nullable=False),
            pa.field("end", pa.int64(), nullable=False),
            pa.field("page", pa.int64()),
            pa.field("heading", pa.string(), nullable=False),
            pa.field("parent_start", pa.int64(), nullable=False),
            pa.field("parent_end", pa.int64(), nullable=False),
            pa.field("digest", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dimensions), nullable=False),
        ]
    )


def _table(rows: Sequence[Sequence[ChunkRow]], first: int) -> Any:
    import numpy
    import pyarrow as pa

    flat = [(number, row) for number, each in enumerate(rows, first) for row in each]
    if not flat:
        return None
    matrix = numpy.ascontiguousarray(numpy.stack([row.vector for _, row in flat]), dtype=numpy.float32)
    schema = _schema(pa, matrix.shape[1])
    columns: list[Any] = [pa.array([number for number, _ in flat], pa.int64())]
    for field in list(schema)[1:-1]:
        columns.append(pa.array([getattr(row, field.name) for _, row in flat], field.type))
    columns.append(pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), matrix.shape[1]))
    return pa.Table.from_arrays(columns, schema=schema)


def _rows(table: Any) -> list[dict[str, Any]]:
    import numpy

    vectors = table["vector"].combine_chunks()
    if table.num_rows == 0:
        return []
    matrix = vectors.flatten().to_numpy().reshape(table.num_rows, -1)
    # NaN compares as false.
    if not (abs(numpy.linalg.norm(matrix, axis=1) - 1) < _UNIT).all():
        raise ValueError(f"{_CHUNKS} has vectors that are not of length 1")
    rows: list[dict[str, Any]] = table.drop_columns(["vector"]).to_pylist()
    return [{**row, "vector": vector} for row, vector in zip(rows, matrix, strict=True)]
