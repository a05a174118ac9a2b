"""The registry of parsers by format: mainspring's own (``readers``) and those of plugins."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Protocol

from mainspring.core import plugins
from mainspring.core.plugins import Kind
from mainspring.rag.parse.parsed import Parsed
from mainspring.rag.parse.reading_options import Options


class DocumentReader(Protocol):
    """Reads documents of one format, in the parser's child process, under its limits of time and memory."""

    @property
    def suffixes(self) -> frozenset[str]:
        """The file extensions of its documents, in lower case and without the dot."""
        ...

    @property
    def content_types(self) -> frozenset[str]:
        """The media types of its documents on web servers: ``text/calendar``."""
        ...

    def read(self, data: bytes, name: str, options: Options) -> Parsed:
        """The text and structure of ``data``; a ``Composer`` assembles them. Raises ``UnreadableDocument``."""
        ...


PARSER: Kind[[], DocumentReader] = Kind("parser", DocumentReader, builtins="mainspring.rag.parse.readers")
"""Its name is the format's, which documents carry as their kind: ``pdf``, ``markdown``."""


def read(data: bytes, name: str, kind: str, options: Options | None = None) -> Parsed:
    """Parse ``data``, whose format is ``kind``. Raises ``UnreadableDocument`` or ``MissingExtra``."""
    return _reader(kind).read(data, name, options or Options())


@cache
def by_suffix() -> dict[str, str]:
    """The formats that plugins read, by the endings of names."""
    return {suffix: kind for kind, reader in _brought() for suffix in reader.suffixes}


@cache
def by_content_type() -> dict[str, str]:
    """An ending, with its dot, for each media type that plugins read."""
    return {
        media: f".{min(reader.suffixes)}"
        for _, reader in _brought()
        if reader.suffixes
        for media in reader.content_types
    }


@cache
def _reader(kind: str) -> DocumentReader:
    return plugins.registry().make(PARSER, kind)


def _brought() -> Iterator[tuple[str, DocumentReader]]:
    registry = plugins.registry()
    for name in registry.brought(PARSER):
        try:
            yield name, registry.make(PARSER, name)
        except Exception as error:
            registry.leave_out(f"parser {name}", error)
