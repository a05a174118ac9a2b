"""The contract of parsers."""

from __future__ import annotations

import pytest

from mainspring.core.errors import UnreadableDocument
from mainspring.rag.parse.formats import DocumentReader
from mainspring.rag.parse.parsed import Parsed
from mainspring.rag.parse.reading_options import Options


class ParserSuite:
    """A subclass has a fixture ``parser`` and a ``document`` that it can read, with ``said``, some of its words."""

    document = b""
    said: tuple[str, ...] = ()
    name = "document"

    @pytest.fixture
    def parsed(self, parser: DocumentReader) -> Parsed:
        return parser.read(self.document, self.name, Options())

    def test_it_says_what_it_reads(self, parser: DocumentReader) -> None:
        assert all(suffix == suffix.lower().lstrip(".") and suffix for suffix in parser.suffixes)
        assert all(media == media.lower() and media.count("/") == 1 for media in parser.content_types)
        assert not parser.content_types or parser.suffixes

    def test_the_text_is_read(self, parsed: Parsed) -> None:
        assert parsed.text.strip()
        assert parsed.kind
        assert [words for words in self.said if words not in parsed.text] == []

    def test_the_text_holds_nothing_that_no_text_has(self, parsed: Parsed) -> None:
        assert "\0" not in parsed.text
        assert "\r" not in parsed.text
        parsed.text.encode("utf-8")

    def test_places_lie_in_the_text_and_in_order(self, parsed: Parsed) -> None:
        for places in (parsed.pages, parsed.headings, parsed.tables, parsed.figures):
            assert all(0 <= each.start <= each.end <= len(parsed.text) for each in places)
            assert [each.start for each in places] == sorted(each.start for each in places)
        for heading in parsed.headings:
            assert 1 <= heading.level <= 6
            assert heading.title in parsed.text[heading.start : heading.end]
        assert all(table.rows for table in parsed.tables)

    def test_it_reads_the_same_again(self, parser: DocumentReader, parsed: Parsed) -> None:
        assert parser.read(self.document, self.name, Options()) == parsed

    @pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
    def test_a_part_of_a_document_is_read_or_refused(self, parser: DocumentReader, cut: float) -> None:
        assert self._read_or_refused(parser, self.document[: int(len(self.document) * cut)])

    def test_bytes_that_are_no_document_are_read_or_refused(self, parser: DocumentReader) -> None:
        assert self._read_or_refused(parser, bytes(range(256)) * 8)

    def _read_or_refused(self, parser: DocumentReader, data: bytes) -> bool:
        """A parser must raise no other error: this one is shown to the sender of the file."""
        try:
            return isinstance(parser.read(data, self.name, Options()), Parsed)
        except UnreadableDocument:
            return True
