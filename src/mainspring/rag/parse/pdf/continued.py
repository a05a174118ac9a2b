"""Tables that go on over the end of a page: the names of their columns are repeated where the next page has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mainspring.rag.parse.markup import table_header
from mainspring.rag.parse.pdf.layout import Block
from mainspring.rag.parse.pdf.tables import Cells

# The edges of both parts are at most this far apart, in points.
_SLACK = 6.0


@dataclass(slots=True)
class Continued:
    """The table at the end of the page before: the rows that name its columns, and its edges."""

    header: Cells | None = None
    edges: tuple[float, float] = (0.0, 0.0)

    def page(self, blocks: Sequence[Block]) -> list[Block]:
        """``blocks`` of the next page, with the names of the columns in a table that goes on there."""
        found = list(blocks)
        if found and found[0].cells and self._goes_on(found[0]) and self.header is not None:
            found[0] = replace(found[0], cells=[*self.header, *found[0].cells])
        last = found[-1] if found else None
        self.header = None
        if last is not None and last.cells:
            levels = table_header.named(last.cells)[1]
            self.header = last.cells[:levels] or None
            self.edges = last.box[0], last.box[2]
        return found

    def _goes_on(self, block: Block) -> bool:
        cells = block.cells or [[]]
        if self.header is None or len(cells[0]) != len(self.header[0]) or cells[: len(self.header)] == self.header:
            return False
        near = abs(block.box[0] - self.edges[0]) <= _SLACK and abs(block.box[2] - self.edges[1]) <= _SLACK
        return near and not block.caption
