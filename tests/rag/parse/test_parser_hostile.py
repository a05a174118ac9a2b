"""Files made to harm: each is refused quickly with a remedy, in the child process, and the next file is read."""

from __future__ import annotations

import contextlib
import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from mainspring.core.errors import UnreadableDocument
from mainspring.core.settings import RagSettings
from mainspring.rag.parse import formats, kinds, ocr
from mainspring.rag.parse.office import opc
from mainspring.rag.parse.parser import Parser
from mainspring.rag.parse.reading_options import Options

# One child, and so one loop, for all who ask for ``parser``.
pytestmark = pytest.mark.asyncio(loop_scope="module")

BOMB = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "lol">%s]><a>&b9;</a>' % b"".join(
    b'<!ENTITY b%d "%s">' % (level, b"&b%s;" % (str(level - 1).encode() if level > 1 else b"") * 10)
    for level in range(1, 10)
)
XXE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file://%s">]><a>&x;</a>'


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def pdf_of(objects: list[bytes]) -> bytes:
    body = b"".join(b"%d 0 obj%s endobj\n" % (number, each) for number, each in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer<</Root 1 0 R>>\n%%EOF"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.txt"
    path.write_text("TOP SECRET WORDS")
    return path


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "a.docx": lambda xml: zipped({"[Content_Types].xml": b"<a/>", "word/document.xml": xml}),
    "a.xlsx": lambda xml: zipped({"[Content_Types].xml": b"<a/>", "xl/workbook.xml": xml}),
    "a.pptx": lambda xml: zipped({"[Content_Types].xml": b"<a/>", "ppt/presentation.xml": xml}),
    "a.xml": lambda xml: xml,
    "a.svg": lambda xml: xml,
}


@pytest.mark.parametrize("name", CONTAINERS)
async def test_entities_are_refused_before_they_expand(parser: Parser, secret: Path, name: str) -> None:
    for xml in (BOMB, XXE % str(secret).encode(), BOMB.decode().encode("utf-16")):
        with pytest.raises(UnreadableDocument, match=r"declares XML entities|malformed"):
            await parser.parse(CONTAINERS[name](xml), name)
    assert (await parser.parse(b"alive", "ok.txt")).text == "alive"


@pytest.mark.parametrize("name", ["a.html", "a.xhtml"])
async def test_html_expands_no_entities(parser: Parser, secret: Path, name: str) -> None:
    pytest.importorskip("trafilatura")
    page = b"<html><head><title>T</title></head><body><p>%s Words of the page itself, long enough.</p></body></html>"
    for head, use in ((BOMB.split(b"<a>")[0], b"&b9;"), ((XXE % str(secret).encode()).split(b"<a>")[0], b"&x;")):
        parsed = await parser.parse(head + page % use, name)
        assert "Words of the page itself" in parsed.text
        assert "SECRET" not in parsed.text
        assert parsed.text.count("lol") < 2


@pytest.mark.parametrize("path", ["../../etc/cron.d/x", "/etc/passwd", "word/../../x", "..\\..\\x.exe", "C:\\x.exe"])
async def test_members_outside_of_the_archive(parser: Parser, path: str) -> None:
    data = zipped({"word/document.xml": b"<a/>", path: b"x"})
    with pytest.raises(UnreadableDocument, match="outside of its folder"):
        await parser.parse(data, "a.docx")


def test_an_archive_that_unpacks_to_hundreds_of_times_its_size() -> None:
    data = zipped({"word/document.xml": b"<a/>", "word/media/x": b"\0" * (80 * 2**20)})
    with pytest.raises(UnreadableDocument, match="times its size"):
        kinds.detect(data, "a.docx")


async def test_encrypted_members(parser: Parser) -> None:
    data = bytearray(zipped({"word/document.xml": b"<a/>"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UnreadableDocument, match="is encrypted"):
        await parser.parse(bytes(data), "a.docx")


def test_a_member_that_is_larger_than_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opc, "MAX_MEMBER", 2**16)
    data = zipped({"word/document.xml": b"<a>" + b"x" * 2**17 + b"</a>"})
    lying = data.replace(struct.pack("<I", 2**17 + 7), struct.pack("<I", 100))
    assert lying != data
    for each in (data, lying):
        with pytest.raises(UnreadableDocument, match=r"unpacks to more|damaged"):
            formats.read(each, "a.docx", "docx")


def test_all_members_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opc, "MAX_TOTAL", 3 * 2**16)
    members = {f"content{number}.xml": b"x" * 2**16 for number in range(4)}
    with pytest.raises(UnreadableDocument, match="unpacks to more"):
        opc.check(zipped(members), "a.odt")


def test_too_many_pages() -> None:
    kids = b" ".join(b"3 0 R" for _ in range(60))
    data = pdf_of(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[%s]/Count 60>>" % kids,
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]>>",
        ]
    )
    with pytest.raises(UnreadableDocument, match=r"60 pages, more than rag\.parse_max_pages \(50\)"):
        formats.read(data, "long.pdf", "pdf", Options(max_pages=50))


async def test_a_page_tree_that_contains_itself() -> None:
    parser = Parser(RagSettings(parse_timeout_s=20, parse_memory_mb=512))
    loop = pdf_of([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 1000000>>"])
    with pytest.raises(UnreadableDocument) as raised:
        await parser.parse(loop, "loop.pdf")
    assert raised.value.remedy
    box = b"/BBox[0 0 9 9]/Resources<</XObject<</F 4 0 R>>>>"
    form = b"<</Type/XObject/Subtype/Form%s/Length 5>>stream\n/F Do\nendstream" % box
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 5 0 R/Resources<</XObject<</F 4 0 R>>>>>>"
    drawn = b"<</Length 5>>stream\n/F Do\nendstream"
    recursive = pdf_of([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, form, drawn])
    with pytest.raises(UnreadableDocument):
        await parser.parse(recursive, "recursive.pdf")
    assert (await parser.parse(b"alive", "ok.txt")).text == "alive"
    await parser.close()


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_an_image_of_too_many_pixels_is_refused_by_its_header() -> None:
    pytest.importorskip("cv2")
    with pytest.raises(UnreadableDocument, match="million"):
        ocr.pixels_of(png(50_000, 50_000), "bomb.png")
    with pytest.raises(UnreadableDocument, match="9000 x 9000 pixels"):
        ocr.pixels_of(png(9_000, 9_000), "large.png")


async def test_what_begins_the_file_decides(parser: Parser) -> None:
    inner = zipped({"%PDF-1.4": b"x", "word/document.xml": b"<a/>"})
    assert kinds.detect(inner, "a.docx")[0] == "docx"
    from tests.rag.parse.test_parser import PDF

    parsed = await parser.parse(PDF + zipped({"evil.exe": b"MZ"}), "a.pdf")
    assert parsed.kind == "pdf"
    assert any("archive" in warning for warning in parsed.warnings)


async def test_json_nested_beyond_sense(parser: Parser) -> None:
    parsed = await parser.parse(b"[" * 100_000, "deep.json")
    assert any("not valid JSON" in warning for warning in parsed.warnings)


async def test_a_mail_of_parts_within_parts(parser: Parser) -> None:
    head = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(3000))
    with contextlib.suppress(UnreadableDocument):
        await parser.parse(b"From: a@example.org\nSubject: deep\n" + head, "a.eml")
    assert (await parser.parse(b"alive", "ok.txt")).text == "alive"


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.95])
async def test_truncated_office_files(parser: Parser, cut: float) -> None:
    from tests.rag.conftest import HANDBOOK

    for name in ("leave-policy.docx", "shipping-rates.xlsx", "onboarding-deck.pptx"):
        data = (HANDBOOK / name).read_bytes()
        with pytest.raises(UnreadableDocument, match="damaged"):
            await parser.parse(data[: int(len(data) * cut)], name)
