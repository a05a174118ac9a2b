"""Reads the archives of Inspect's logs: ZIP whose members are stored, deflated or compressed with Zstandard.

Nothing is unpacked to disk. What an archive says of its sizes is not believed: each member is read up to a bound, and
so are all of them together.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from mainspring.core.errors import InvalidRequest

MOST_MEMBERS = 200_000
MOST_MEMBER = 64 * 2**20
MOST_TOTAL = 4 * 2**30
"""Bytes, unpacked."""
_LOCAL = struct.Struct("<4s5H3I2H")
_ZSTANDARD = 93
_TAKEN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, _ZSTANDARD)
# The library of Python unpacks these without a bound, however little of them is asked for.
_NAMED = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA"}


class Archive:
    """An open archive, for a block. Raises ``InvalidRequest`` for what is none, and for one beyond the bounds."""

    def __init__(self, path: Path, *, most_member: int = MOST_MEMBER, most_total: int = MOST_TOTAL) -> None:
        self._path, self._most, self._left = path, most_member, most_total
        with self._told():
            self._zip = zipfile.ZipFile(path)
            self._members = {each.filename: each for each in self._zip.infolist()[: MOST_MEMBERS + 1]}
        if len(self._members) > MOST_MEMBERS:
            self._zip.close()
            raise InvalidRequest(f"{path.name} has more than {MOST_MEMBERS:,} members", param="file")

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._zip.close()

    def names(self) -> list[str]:
        """Of the members, sorted."""
        return sorted(self._members)

    def read(self, name: str) -> bytes:
        """A member, unpacked. Raises ``InvalidRequest``, also if it is missing, encrypted, compressed otherwise or too
        large."""
        member = self._members.get(name)
        if member is None:
            raise InvalidRequest(f"{self._path.name} has no {name}", param="file", remedy="Give a log of Inspect")
        if member.compress_type not in _TAKEN:
            by = _NAMED.get(member.compress_type, f"the method {member.compress_type}")
            raise InvalidRequest(
                f"{self._path.name}: {name:.100} is compressed by {by}",
                param="file",
                remedy="Give an archive whose members are stored, deflated or compressed with Zstandard",
            )
        most = min(self._most, self._left)
        with self._told():
            if member.flag_bits & 1:
                raise ValueError(f"{name} is encrypted")
            if member.compress_type == _ZSTANDARD:
                found = self._zstandard(member, most)
            else:
                with self._zip.open(member) as file:
                    found = file.read(most + 1)
        if len(found) > most:
            raise InvalidRequest(f"{self._path.name}: {name:.100} is too large when it is unpacked", param="file")
        self._left -= len(found)
        return found

    def _zstandard(self, member: zipfile.ZipInfo, most: int) -> bytes:
        """The library of Python reads it from 3.14 on only."""
        import pyarrow as pa

        with self._path.open("rb") as file:
            file.seek(member.header_offset)
            head = _LOCAL.unpack(file.read(_LOCAL.size))
            if head[0] != b"PK\x03\x04":
                raise ValueError(f"{member.filename} is damaged")
            file.seek(head[9] + head[10], 1)
            packed = file.read(min(member.compress_size, most + 1))
        with pa.CompressedInputStream(pa.BufferReader(packed), "zstd") as stream:
            parts, size = [], 0
            while size <= most and (part := stream.read(min(2**20, most + 1 - size))):
                parts.append(part)
                size += len(part)
        return b"".join(parts)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (
            zipfile.BadZipFile,
            zlib.error,
            struct.error,
            OSError,
            EOFError,
            ValueError,
            NotImplementedError,
        ) as error:
            raise InvalidRequest(
                f"{self._path.name} is not a readable archive: {error}",
                param="file",
                remedy="Give a log of Inspect (.eval)",
            ) from None
