"""Parsing: every format of the handbook, small generated files, and files that are damaged or hostile."""

from __future__ import annotations

import asyncio
import io
import signal
import struct
import zipfile
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import MissingExtra, UnreadableDocument
from mainspring.core.settings import RagSettings
from mainspring.rag import workers
from mainspring.rag.parse import formats, kinds, ocr
from mainspring.rag.parse.parser import Parser
from tests.rag.conftest import HANDBOOK

# One child, and so one loop, for all who ask for ``parser``.
pytestmark = pytest.mark.asyncio(loop_scope="module")

# (file, kind, a text that must be found in one piece, its page)
SAMPLES = [
    (
        "travel-and-expenses.pdf",
        "pdf",
        "| Tier: C | Where: Anywhere else in the United Kingdom | Limit per night: £104 |",
        1,
    ),
    ("returns-and-refunds.pdf", "pdf", "# Returns and Refunds Policy", 1),
    ("leave-policy.docx", "docx", "| Group: Workshop and warehouse | Under 3 years: 26 days", None),
    (
        "shipping-rates.xlsx",
        "xlsx",
        "| Express | Weight band: Up to 5 kg | Zone 1: 11.45 | Zone 2: 16.35 | Zone 3: 23.95",
        None,
    ),
    ("onboarding-deck.pptx", "pptx", "48 percent on coffee beans", None),
    ("privacy-notice.html", "html", "| Data: Camera recordings in shops | Kept for: 19 days |", None),
    ("kestrel-grinder.md", "markdown", "| Method: Moka pot | Clicks from zero: 13 to 16 clicks |", None),
    ("tarn-press.txt", "text", "replace the pair of screens every 9 months", None),
]


@pytest.mark.parametrize(("name", "kind", "text", "page"), SAMPLES, ids=[sample[0] for sample in SAMPLES])
async def test_the_handbook(parser: Parser, name: str, kind: str, text: str, page: int | None) -> None:
    parsed = await parser.parse(HANDBOOK / name)
    assert parsed.kind == kind
    assert text in parsed.text
    assert parsed.page_at(parsed.text.index(text)) == page
    for heading in parsed.headings:
        assert heading.title in " ".join(parsed.text[heading.start : heading.end].split())


async def test_page_furniture_is_dropped_and_wrapped_lines_are_joined(parser: Parser) -> None:
    parsed = await parser.parse(HANDBOOK / "travel-and-expenses.pdf")
    assert "Travel and Expenses Policy Page" not in parsed.text
    assert "42 pence a mile for the first 8,000 miles in a tax year and 24 pence a mile after that" in parsed.text
    assert [page.number for page in parsed.pages] == [1, 2, 3]


@pytest.mark.slow
async def test_a_scan_is_read(parser: Parser) -> None:
    pytest.importorskip("rapidocr")
    parsed = await parser.parse(HANDBOOK / "repair-centre-notice.pdf")
    assert "payable when the item is handed in: £14.50" in parsed.text
    assert "pypdfium2" in parsed.parser
    assert "rapidocr" in parsed.parser


async def test_a_scan_without_ocr_says_how_to_read_it() -> None:
    parser = Parser(RagSettings(ocr=False))
    with pytest.raises(UnreadableDocument, match=r"rag\.ocr"):
        await parser.parse(HANDBOOK / "repair-centre-notice.pdf")
    await parser.close()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "kreuzberg", None)
    monkeypatch.setitem(__import__("sys").modules, "rapidocr", None)
    with pytest.raises(MissingExtra, match=r"mainspring\[documents\]"):
        formats.read(b"PK", "a.odt", "odt")
    with pytest.raises(MissingExtra, match=r"mainspring\[ocr\]"):
        formats.read((HANDBOOK / "repair-centre-notice.pdf").read_bytes(), "scan.pdf", "pdf")


@pytest.mark.slow
async def test_a_worker_that_keeps_much_memory_serves_no_other_document(
    own_parser: Parser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_private_mb", lambda _: 10.0**6)
    await own_parser.parse(b"One line.", "a.txt")
    assert not own_parser._idle


async def test_one_worker_serves_a_batch(own_parser: Parser) -> None:
    for number in range(5):
        await own_parser.parse(f"text {number}".encode(), f"{number}.txt")
    assert [worker.served for worker in own_parser._idle] == [5]


# --- text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected", "warns"),
    [
        ("naïve café".encode(), "naïve café", False),
        ("naïve".encode("utf-8-sig"), "naïve", False),
        ("naïve".encode("utf-16"), "naïve", False),
        ("na\u00efve caf\u00e9".encode("cp1252"), "naïve café", True),
        ("é".encode() * 200 + b"\xff end", "é" * 200 + "\ufffd end", True),
        (b"one\r\ntwo\rthree\x0bx", "one\ntwo\nthreex", False),
    ],
)
async def test_encodings(parser: Parser, data: bytes, expected: str, warns: bool) -> None:
    parsed = await parser.parse(data, "a.txt")
    assert parsed.text == expected
    assert bool(parsed.warnings) == warns


async def test_csv_rows_carry_their_column_names(parser: Parser) -> None:
    parsed = await parser.parse(b'name;price\n"Wren; dripper";29\nPress;54\n', "list.csv")
    assert parsed.text.split("\n") == ["| name: Wren; dripper | price: 29 |", "| name: Press | price: 54 |"]


async def test_headings_of_markdown_leave_code_alone(parser: Parser) -> None:
    text = "# Title\n\n```sh\n# a comment\n```\n\nUnder\n=====\n\n## *Part* two ##\n"
    parsed = await parser.parse(text.encode(), "a.md")
    assert [(one.level, one.title) for one in parsed.headings] == [(1, "Title"), (1, "Under"), (2, "Part two")]


async def test_headings_in_capitals_of_plain_text(parser: Parser) -> None:
    parsed = await parser.parse(HANDBOOK / "tarn-press.txt")
    assert [one.title for one in parsed.headings][:3] == ["TARN PRESS 750", "1. SPECIFICATION", "2. BREWING"]


async def test_tables_of_plain_text_are_read_as_tables(parser: Parser) -> None:
    text = "DELIVERY\n\n| Zone | Price |\n|------|-------|\n| North | 4.50 |\n| South | 6.20 |\n\nSince May.\n"
    parsed = await parser.parse(text.encode(), "delivery.txt")
    assert "| Zone: South | Price: 6.20 |" in parsed.text
    assert [table.rows[0] for table in parsed.tables] == [("Zone", "Price")]
    assert [heading.title for heading in parsed.headings] == ["DELIVERY"]


async def test_a_page_with_front_matter_is_read(parser: Parser) -> None:
    front = '---\ntitle: "Opening hours"\nlayout: default\nregion: Hexley\n---\n'
    page = f"{front}<p>The shop opens at nine on weekdays.</p>\n"
    parsed = await parser.parse(page.encode(), "hours.html")
    assert parsed.text == "# Opening hours\n\n| region: Hexley |\n\nThe shop opens at nine on weekdays."
    assert [heading.title for heading in parsed.headings] == ["Opening hours"]


async def test_code_is_text(parser: Parser) -> None:
    parsed = await parser.parse(b"def f():\n    # no heading\n    return 1\n", "f.py")
    assert parsed.kind == "code"
    assert parsed.headings == ()


# --- damaged and hostile --------------------------------------------------------------------------------------


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def encrypted_pdf() -> bytes:
    """A PDF whose encryption dictionary wants a password: standard handler, 40 bits, keys that fit none."""
    body = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]>>endobj\n"
        b"4 0 obj<</Filter/Standard/V 1/R 2/P -4/O<" + b"41" * 32 + b">/U<" + b"42" * 32 + b">>>endobj\n"
    )
    offsets = [body.index(b"%d 0 obj" % number) for number in range(1, 5)]
    table = b"xref\n0 5\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer<</Size 5/Root 1 0 R/Encrypt 4 0 R/ID[<61><62>]>>\nstartxref\n%d\n%%%%EOF" % len(body)
    return body + table + trailer


PDF = (HANDBOOK / "warranty.pdf").read_bytes()
DOCX = (HANDBOOK / "leave-policy.docx").read_bytes()
BAD = {
    "empty": (b"", "a.pdf", "is empty"),
    "blank": (b" \n ", "a.txt", "is empty"),
    "encrypted": (encrypted_pdf(), "a.pdf", "is encrypted"),
    "encrypted office": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
        "a.docx",
        "is encrypted",
    ),
    "truncated pdf": (PDF[:60], "a.pdf", "damaged|no text"),
    "truncated docx": (DOCX[: len(DOCX) // 2], "a.docx", "damaged or truncated"),
    "not a pdf": (b"<html>an error page</html>", "a.pdf", "is not a PDF"),
    "text as docx": (b"just text", "a.docx", "is not a DOCX"),
    "binary": (bytes(range(256)) * 40, "a.bin", "binary file"),
    "binary as text": (b"\x00\x01\x02" * 100, "a.txt", "binary file"),
    "archive": (zipped({"x.txt": b"hello"}), "a.zip", "is an archive"),
    "old office": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "a.bin", "old Office file"),
    "broken docx": (
        zipped({"word/document.xml": b"<w:document><unclosed", "[Content_Types].xml": b"<a/>"}),
        "a.docx",
        ".",
    ),
    "damaged image": (b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, "a.png", "."),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_files_are_refused_with_a_remedy(parser: Parser, case: str) -> None:
    data, name, message = BAD[case]
    with pytest.raises(UnreadableDocument, match=message) as raised:
        await parser.parse(data, name)
    assert raised.value.remedy
    assert (await parser.parse(b"still alive", "ok.txt")).text == "still alive"


async def test_a_bomb_is_refused(parser: Parser) -> None:
    bomb = zipped({"[Content_Types].xml": b"<a/>", "xl/workbook.xml": b"0" * (80 * 2**20)})
    assert len(bomb) < 2**18
    with pytest.raises(UnreadableDocument, match="times its size"):
        await parser.parse(bomb, "bomb.xlsx")


def test_an_archive_unpacks_to_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "MAX_UNPACKED", 2**20)
    with pytest.raises(UnreadableDocument, match="unpacks to more than"):
        kinds.detect(zipped({"xl/workbook.xml": b"0" * (3 * 2**20)}), "bomb.xlsx")


@pytest.mark.slow
async def test_a_bomb_that_lies_about_its_size_dies_in_the_child() -> None:
    parser = Parser(RagSettings(parse_memory_mb=256, parse_timeout_s=20))
    honest = zipped({"[Content_Types].xml": b"<a/>", "word/document.xml": b"<w:t>" + b"A" * (400 * 2**20)})
    size = struct.pack("<I", len(b"<w:t>") + 400 * 2**20)
    assert honest.count(size) == 2
    with pytest.raises(UnreadableDocument):
        await parser.parse(honest.replace(size, struct.pack("<I", 1000)), "liar.docx")
    assert (await parser.parse(b"still alive", "ok.txt")).text == "still alive"
    await parser.close()


def flate_bomb_pdf() -> bytes:
    """A page whose content stream unpacks to 300 megabytes of drawing operators."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(b"0 0 m 9 9 l S\n" * 75_000) for _ in range(300)) + packer.flush()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n" % len(packed) + packed + b"\nendstream",
    ]
    body = b"".join(b"%d 0 obj%sendobj\n" % (number, each) for number, each in enumerate(objects, 1))
    return b"%PDF-1.4\n" + body + b"trailer<</Root 1 0 R>>\n%%EOF"


@pytest.mark.slow
async def test_a_document_that_takes_all_memory_or_time_is_refused() -> None:
    parser = Parser(RagSettings(parse_memory_mb=192, parse_timeout_s=3))
    with pytest.raises(UnreadableDocument, match=r"longer than|memory|damaged|no text|crashed") as raised:
        await parser.parse(flate_bomb_pdf(), "bomb.pdf")
    assert raised.value.remedy
    assert (await parser.parse(b"still alive", "ok.txt")).text == "still alive"
    await parser.close()


async def test_too_large(parser: Parser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kinds, "MAX_BYTES", 10)
    (tmp_path / "big.txt").write_text("more than ten bytes")
    for source in (b"more than ten bytes", tmp_path / "big.txt"):
        with pytest.raises(UnreadableDocument, match="more than 10") as raised:
            await parser.parse(source, "big.txt")
        assert "Split" in raised.value.remedy


async def test_a_killed_worker_is_replaced(own_parser: Parser) -> None:
    await own_parser.parse(b"warm", "a.txt")
    killed = own_parser._idle[0].process
    killed.kill()
    await killed.wait()
    assert (await own_parser.parse(b"after", "b.txt")).text == "after"


async def test_content_counts_more_than_the_name(parser: Parser) -> None:
    parsed = await parser.parse(PDF, "warranty.docx")
    assert parsed.kind == "pdf"
    assert parsed.warnings == ("named .docx, but its content is PDF",)


async def test_one_word_of_ten_megabytes(parser: Parser) -> None:
    assert len((await parser.parse(b"x" * 10_000_000, "x.txt")).text) == 10_000_000


@pytest.mark.parametrize(
    ("lines", "warned"),
    [
        ([("Die Größe der Mühle", 0.9, 10.0)], False),
        ([("      .", 0.8, 20.0)], True),
        ([("Ремонт", 0.2, 15.0), ("A line in English", 0.9, 9.0)], True),
        ([("修理需要三天", 0.9, 6.0)], False),
        ([("5", 0.9, 1.0)], False),
    ],
)
def test_lines_that_ocr_sees_and_cannot_read_are_warned_of(
    lines: list[tuple[str, float, float]], warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = [
        np.array([[0, 40 * n], [20 * length, 40 * n], [20 * length, 40 * n + 20], [0, 40 * n + 20]])
        for n, (_, _, length) in enumerate(lines)
    ]
    texts, scores = [text for text, _, _ in lines], [score for _, score, _ in lines]
    recogniser = ocr.Recogniser("scan.png")
    monkeypatch.setattr(recogniser, "load", lambda: lambda _: SimpleNamespace(boxes=boxes, txts=texts, scores=scores))
    sheet = recogniser.read(np.zeros((400, 600, 3), np.uint8), 1.0)
    assert ("could not read 1 of them" in recogniser.warning) is warned
    assert len(sheet.pieces) == sum(score > 0.5 for score in scores)


def test_a_message_of_outlook_is_refused_as_what_it_is() -> None:
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    message = ole + bytes(600) + "__substg1.0_1000001F".encode("utf-16-le")
    with pytest.raises(UnreadableDocument, match=r"mail\.msg is a message of Outlook\. Save it as \.eml"):
        kinds.detect(message, "mail.msg")
    with pytest.raises(UnreadableDocument, match="old Office file"):
        kinds.detect(ole + bytes(600), "mail.msg")


@pytest.mark.slow
async def test_a_document_that_computes_too_long_is_refused_by_its_cpu_time(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = Parser(RagSettings(parse_timeout_s=1))
    # Nobody looks at the clock: only the child's own limit can end it.
    monkeypatch.setattr(workers, "_STILL_S", 1e9)
    with pytest.raises(UnreadableDocument, match="longer than 1 seconds of CPU") as raised:
        await parser.parse(b"Some *text* of :func:`it` here.\n\n" * 300_000, "long.rst")
    assert "rag.parse_timeout_s" in raised.value.remedy
    await parser.close()


async def test_time_that_passes_without_computing_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = Parser(RagSettings(parse_timeout_s=5))
    await parser.parse(b"warm", "a.txt")
    monkeypatch.setattr(workers, "_LOOK_S", 0.05)
    process = parser._idle[0].process
    process.send_signal(signal.SIGSTOP)
    waiting = asyncio.ensure_future(parser.parse(b"later", "b.txt"))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    process.send_signal(signal.SIGCONT)
    assert (await waiting).text == "later"
    await parser.close()


async def test_a_parser_that_stands_still_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = Parser(RagSettings())
    await parser.parse(b"warm", "a.txt")
    monkeypatch.setattr(workers, "_LOOK_S", 0.05)
    monkeypatch.setattr(workers, "_STILL_S", 0.2)
    parser._idle[0].process.send_signal(signal.SIGSTOP)
    with pytest.raises(UnreadableDocument, match="made no progress"):
        await parser.parse(b"never", "b.txt")
    monkeypatch.setattr(workers, "_STILL_S", 60.0)
    assert (await parser.parse(b"after", "c.txt")).text == "after"
    await parser.close()


async def test_a_parser_that_is_killed_is_no_broken_document(monkeypatch: pytest.MonkeyPatch) -> None:
    parser, asked = Parser(RagSettings()), 0
    exchange = workers._exchange

    async def killed_once(process: asyncio.subprocess.Process, *arguments: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            process.kill()
        return await exchange(process, *arguments)

    monkeypatch.setattr(workers, "_exchange", killed_once)
    try:
        assert (await parser.parse(b"Thirty days.", "a.txt")).text.strip() == "Thirty days."
    finally:
        await parser.close()
    assert asked == 2
