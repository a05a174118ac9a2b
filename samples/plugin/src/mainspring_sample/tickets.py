"""A parser: files of tickets, each with a line ``TICKET number: title`` and the text below it."""

from __future__ import annotations

import re

from mainspring.core.errors import UnreadableDocument
from mainspring.rag.parse.compose import Composer
from mainspring.rag.parse.encoding import decode
from mainspring.rag.parse.parsed import Parsed
from mainspring.rag.parse.reading_options import Options

_HEAD = re.compile(r"^TICKET (\d+): *(.+)$", re.MULTILINE)


class Tickets:
    """Makes a heading of each ticket. Implements ``DocumentReader``."""

    suffixes = frozenset({"tickets"})
    content_types = frozenset({"text/x-tickets"})

    def read(self, data: bytes, name: str, options: Options) -> Parsed:
        text, warning = decode(data, name)
        if not _HEAD.search(text):
            raise UnreadableDocument(f"{name} has no tickets", remedy="Begin each with TICKET number: title")
        composer = Composer(name)
        composer.warnings.append(warning)
        composer.markdown(_HEAD.sub(r"## Ticket \1: \2\n", text))
        return composer.parsed("tickets", "sample")
