"""Office files as archives of XML. Members are unpacked under limits, XML is read without entities."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from functools import cached_property
from types import TracebackType
from xml.etree import ElementTree
from xml.parsers import expat

from mainspring.core.errors import UnreadableDocument

MAX_MEMBER = 256 * 2**20
MAX_TOTAL = 1024 * 2**20
_RELATIONS = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"


def xml(data: bytes, name: str) -> ElementTree.Element:
    """The root of an XML document. Raises ``UnreadableDocument``: malformed, or with entities of its own.

    A document type that declares entities is refused before any is expanded: that is how a few lines become
    gigabytes, and how a document reads files of the machine that parses it.
    """
    try:
        if any("<!DOCTYPE".encode(encoding) in data for encoding in ("utf-8", "utf-16-le", "utf-16-be")):
            _refuse_entities(data, name)
        return ElementTree.fromstring(data)  # noqa: S314 - without entities there is nothing to expand
    except (ElementTree.ParseError, expat.ExpatError) as error:
        raise UnreadableDocument(
            f"{name} is damaged: its XML is malformed ({error})", remedy="Open it in its program and save it again"
        ) from None


def _refuse_entities(data: bytes, name: str) -> None:
    def refuse(*_: object) -> None:
        raise UnreadableDocument(f"{name} declares XML entities", remedy="Save it without a document type")

    parser = expat.ParserCreate()
    parser.EntityDeclHandler = refuse
    parser.Parse(data, True)


def check(data: bytes, name: str) -> None:
    """Unpack every member of an archive once, so that another library's unpacking stays within the limits."""
    with Package(data, name) as package:
        for member in sorted(package.members):
            package.read(member)


class Package:
    """An Office file. Raises ``UnreadableDocument`` for damaged archives and members beyond the limits."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise self._damaged(str(error)) from None
        self._left = MAX_TOTAL

    def __enter__(self) -> Package:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._archive.close()

    @cached_property
    def members(self) -> frozenset[str]:
        return frozenset(self._archive.namelist())

    def read(self, member: str) -> bytes:
        """A member's bytes, counted as they are unpacked: the sizes that an archive states may be wrong."""
        limit = min(MAX_MEMBER, self._left)
        try:
            with self._archive.open(member) as file:
                data = file.read(limit + 1)
        except KeyError:
            raise self._damaged(f"{member} is missing") from None
        except RuntimeError:
            raise UnreadableDocument(f"{self.name} is encrypted", remedy="Save it without a password") from None
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError) as error:
            raise self._damaged(str(error)) from None
        if len(data) > limit:
            raise UnreadableDocument(
                f"{self.name} unpacks to more than {limit // 2**20} MiB", remedy="Make the file smaller"
            )
        self._left -= len(data)
        return data

    def xml(self, member: str) -> ElementTree.Element:
        return xml(self.read(member), self.name)

    def optional(self, member: str) -> ElementTree.Element | None:
        return self.xml(member) if member in self.members else None

    def relations(self, member: str) -> Iterator[tuple[str, str, str]]:
        """(id, the last word of its type, target member) of what ``member`` points to inside the package."""
        folder, file = posixpath.split(member)
        root = self.optional(posixpath.join(folder, "_rels", f"{file}.rels"))
        for each in root.iter(_RELATIONS) if root is not None else ():
            if each.get("TargetMode") != "External":
                target = each.get("Target", "")
                path = (
                    target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
                )
                yield each.get("Id", ""), each.get("Type", "").rsplit("/", 1)[-1], path

    def _damaged(self, reason: str) -> UnreadableDocument:
        return UnreadableDocument(
            f"{self.name} is damaged or truncated: {reason}", remedy="Get the file again, or save it again"
        )


def local(tag: object) -> str:
    """A tag without its namespace; empty for comments."""
    return tag.rsplit("}", 1)[-1] if isinstance(tag, str) else ""
