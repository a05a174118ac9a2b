"""Pages of originals as pictures: what is marked, what they cost at most, whose turn it is, and what is not shown."""

from __future__ import annotations

import asyncio
import hashlib
import os
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from mainspring.core.errors import Conflict, Overloaded, UnreadableDocument
from mainspring.core.settings import RagSettings
from mainspring.rag.originals import Originals
from mainspring.rag.parse import frames
from mainspring.rag.parse.parsed import MAX_PIXELS, PNG, PagePicture
from mainspring.rag.parse.parser import Parser
from mainspring.rag.parse.pdf import page_picture
from mainspring.stores.documents.catalogue import Document
from tests.rag.conftest import HANDBOOK, Room

WARRANTY = HANDBOOK / "warranty.pdf"
RECALL = "A recall remedy is always free, has no end date, and does not depend on a receipt."


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(PNG)
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def paper(width: float, height: float, text: str = "Hello there, world") -> bytes:
    """A PDF of one page of that size in points."""
    content = f"BT /F1 12 Tf 20 20 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents 4 0 R "
        "/Resources << /Font << /F1 5 0 R >> >> >>".encode(),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    made = b"%PDF-1.4\n"
    for number, each in enumerate(objects, 1):
        made += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    return made + b"trailer << /Root 1 0 R >>\n%%EOF\n"


@pytest.fixture
async def parser(read_here: None) -> AsyncIterator[Parser]:
    made = Parser(RagSettings())
    yield made
    await made.close()


async def test_a_passage_is_marked_on_its_page_and_on_no_other(parser: Parser) -> None:
    data = WARRANTY.read_bytes()
    drawn = await parser.draw(data, "warranty.pdf", 3, RECALL)
    assert (drawn.pages, drawn.marked) == (3, 2)
    assert size(drawn.png) == (drawn.width, drawn.height)
    plain = await parser.draw(data, "warranty.pdf", 3)
    assert plain.marked == 0
    assert plain.png != drawn.png
    assert (await parser.draw(data, "warranty.pdf", 1, RECALL)).marked == 0
    # Breaks of lines and words are not those of the text that was read.
    assert (await parser.draw(data, "warranty.pdf", 3, RECALL.replace(" ", "\n"))).marked == 2
    # Of what goes on overleaf that is marked which stands here.
    assert (await parser.draw(data, "warranty.pdf", 3, f"Nothing of this. {RECALL}")).marked == 2


async def test_a_row_of_a_table_is_marked_without_the_names_of_its_columns(parser: Parser) -> None:
    data = (HANDBOOK / "returns-and-refunds.pdf").read_bytes()
    parsed = await parser.parse(data, "returns.pdf")
    (table, *_) = parsed.tables
    rows = [line for line in parsed.text[table.start : table.end].splitlines() if line.strip()]
    assert rows[0].startswith("| What was bought: Grinders")
    assert table.page is not None
    for row in rows:
        # All its values as one line, or three where the first cell goes on below; no words above it.
        drawn = await parser.draw(data, "returns.pdf", table.page, row)
        values = row.strip("| ").replace(" | ", "\n").split("\n")
        assert drawn.marked == (3 if len(values[0].partition(": ")[2]) > 24 else 1), row
        # Citations leave out the first and the last stroke.
        assert (await parser.draw(data, "returns.pdf", table.page, row.strip("| "))).png == drawn.png


async def test_no_page_makes_a_large_picture(parser: Parser) -> None:
    for width, height in ((14_400, 14_400), (14_400, 10), (3, 3)):
        drawn = await parser.draw(paper(width, height), "large.pdf", 1, "Hello there, world")
        assert drawn.width * drawn.height <= 1.1 * MAX_PIXELS, (width, height)


async def test_what_cannot_be_drawn_is_reported(parser: Parser) -> None:
    for data, name, page in ((b"Hello.", "a.txt", 1), (b"%PDF-1.7 x", "a.pdf", 1), (WARRANTY.read_bytes(), "a.pdf", 4)):
        with pytest.raises(UnreadableDocument):
            await parser.draw(data, name, page)


def test_a_child_cannot_pass_off_anything_else_as_a_picture() -> None:
    head = frames.answer(PagePicture(PNG + b"x", 1, 1, 1, 0), 0)
    told = frames.told(head[0][frames.LENGTH.size :])
    assert isinstance(frames.document(told, head[1]), PagePicture)
    with pytest.raises(ValueError, match="picture"):
        frames.document(told, b"<svg onload=alert(1)>")
    with pytest.raises(ValueError, match="cannot have"):
        frames.told(head[0][frames.LENGTH.size :].replace(b"[9]", b"[99999999]"))


def test_a_long_quote_costs_no_more_than_its_length() -> None:
    # Each cut looks at each piece once.
    written = "word " * 2000
    assert len(list(page_picture._found(written, "other thing. " * 300))) == 0


class Draws:
    def __init__(self) -> None:
        self.drawn: list[tuple[str, int]] = []
        self.gate = asyncio.Event()

    async def draw(self, data: bytes, name: str, page: int, quote: str = "") -> PagePicture:
        self.drawn.append((name, page))
        await self.gate.wait()
        return PagePicture(PNG + data, 1, 1, 9, len(quote))

    async def close(self) -> None:
        return None


async def test_a_picture_is_drawn_once_and_a_tenant_waits_for_itself_alone(room: Room, tmp_path: Path) -> None:
    draws = Draws()
    originals = Originals(room.stores.blobs, room.stores.sources, draws)  # type: ignore[arg-type]
    document = await uploaded(room)
    other = replace(room.collection, tenant="other")
    first = [asyncio.create_task(originals.page(room.collection, document, 1)) for _ in range(3)]
    theirs = [asyncio.create_task(originals.page(room.collection, document, page)) for page in range(2, 7)]
    await asyncio.sleep(0)
    mine = asyncio.create_task(originals.page(other, document, 1))
    while len(draws.drawn) < 2:
        await asyncio.sleep(0.01)
    # One of each tenant is being drawn, the eight of the first wait for each other, and a ninth does not.
    with pytest.raises(Overloaded):
        await originals.page(room.collection, document, 9)
    draws.gate.set()
    assert {each.png for each in await asyncio.gather(*first, *theirs, mine)} == {PNG + b"%PDF-"}
    # Six pages of one tenant and one of the other: no page twice.
    assert len(draws.drawn) == 7


async def uploaded(room: Room) -> Document:
    sha256 = await room.stores.blobs.put(b"%PDF-")
    return await kept(room, "file-1", sha256, file_id="file-1")


async def kept(room: Room, key: str, sha256: str, file_id: str | None = None) -> Document:
    begun = await room.stores.collections.begin(room.collection, key, sha256, "a.pdf", file_id)
    found = await room.stores.collections.documents(room.collection, None)
    return next(each for each in found if each.document_id == begun.document_id)


async def test_a_file_of_a_folder_is_shown_while_it_is_what_was_read(room: Room, tmp_path: Path) -> None:
    originals = Originals(room.stores.blobs, room.stores.sources, Draws())  # type: ignore[arg-type]
    folder, secret = tmp_path / "docs", tmp_path / "secret"
    folder.mkdir()
    secret.write_bytes(b"one")
    (folder / "a.pdf").write_bytes(b"one")
    await room.stores.sources.add(room.collection, "folder", str(folder), {"source": str(folder)})
    digest = hashlib.sha256(b"one").hexdigest()
    document = await kept(room, str(folder / "a.pdf"), digest)
    assert await originals.data(room.collection, document) == b"one"
    # Nothing but the source's own files is read, and these only as they were.
    for key in (str(secret), str(folder / ".." / "secret"), "https://example.com/a.pdf"):
        with pytest.raises(Conflict, match="is not kept"):
            await originals.data(room.collection, replace(document, source_key=key))
    (folder / "a.pdf").unlink()
    os.symlink(secret, folder / "a.pdf")
    with pytest.raises(Conflict, match="is not kept"):
        await originals.data(room.collection, document)
    (folder / "a.pdf").unlink()
    (folder / "a.pdf").write_bytes(b"two")
    with pytest.raises(Conflict, match="is not kept"):
        await originals.data(room.collection, document)


async def test_nothing_is_shown_where_what_is_personal_is_covered(room: Room) -> None:
    draws = Draws()
    originals = Originals(room.stores.blobs, room.stores.sources, draws, shown=False)  # type: ignore[arg-type]
    with pytest.raises(Conflict, match="is masked"):
        await originals.page(room.collection, await uploaded(room), 1)
    assert draws.drawn == []
