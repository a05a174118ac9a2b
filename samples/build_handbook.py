"""Build the binary files of the sample handbook from the readable sources.

The Markdown, HTML and plain-text files in ``samples/handbook`` are written by
hand. The PDF, DOCX, XLSX and PPTX files beside them come from the texts in
``samples/source`` and are made by this script::

    python -m pip install reportlab python-docx openpyxl python-pptx pillow pyyaml
    python samples/build_handbook.py

Run it from anywhere; ``--out`` writes to another folder. The sources use a
small part of Markdown: ``#`` headings, paragraphs on one line, ``-`` lists and
pipe tables. With the same package versions, two runs give the same bytes.
"""

from __future__ import annotations

import argparse
import io
import random
import re
import textwrap
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

import reportlab
import yaml
from docx import Document
from docx.document import Document as DocxDocument
from docx.opc.coreprops import CoreProperties as DocxProperties
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from PIL import Image, ImageChops, ImageDraw, ImageFont
from pptx import Presentation
from pptx.parts.coreprops import CorePropertiesPart
from pptx.util import Pt
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle, getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    Flowable,
    ListFlowable,
    ListItem,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "source"
HANDBOOK = HERE / "handbook"
AUTHOR = "Larkfield Supply Co."
STAMP = datetime(2025, 2, 1, 9, 0, 0)
FONT_DIR = Path(reportlab.__file__).parent / "fonts"

PDF_NAMES = ("returns-and-refunds", "warranty", "travel-and-expenses", "cinder-stove")
DOCX_NAMES = ("leave-policy", "remote-work", "wholesale-terms")
XLSX_NAME = "shipping-rates"
PPTX_NAME = "onboarding-deck"
SCAN_NAME = "repair-centre-notice"

PAGE_MARGIN = 22 * mm
FRAME_PADDING = 6  # points, reportlab's default

SCAN_DPI = 200
SCAN_SIZE = (1654, 2339)  # A4 at SCAN_DPI
SCAN_MARGIN = 170
SCAN_ANGLE = 0.5
SCAN_NOISE = 0.10

BlockKind = Literal["heading", "paragraph", "list", "table"]


@dataclass
class Block:
    """One piece of a source text."""

    kind: BlockKind
    text: str = ""
    level: int = 0
    items: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def parse_markdown(text: str) -> list[Block]:
    """Split a source text into headings, paragraphs, lists and tables."""
    blocks: list[Block] = []
    for chunk in re.split(r"\n\s*\n", text.strip()):
        lines = [line.rstrip() for line in chunk.splitlines()]
        first = lines[0]
        heading = re.match(r"(#+)\s+(.*)", first)
        if heading:
            blocks.append(Block("heading", heading[2], level=len(heading[1])))
        elif first.startswith("- "):
            blocks.append(Block("list", items=[line[2:] for line in lines]))
        elif first.startswith("|"):
            cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines]
            blocks.append(Block("table", rows=[cells[0], *cells[2:]]))
        else:
            # The lines of one paragraph are kept apart only by the scan.
            blocks.append(Block("paragraph", "\n".join(lines)))
    return blocks


def read_blocks(name: str) -> list[Block]:
    """Read and parse ``source/<name>.md``."""
    return parse_markdown((SOURCE / f"{name}.md").read_text(encoding="utf-8"))


# --- PDF ---------------------------------------------------------------------


def pdf_styles() -> dict[str, ParagraphStyle]:
    """Return the paragraph styles of the PDF files."""
    base = getSampleStyleSheet()
    body = ParagraphStyle("Body", parent=base["BodyText"], fontSize=9.5, leading=13, spaceAfter=4)
    styles = {
        "body": body,
        "cell": ParagraphStyle("Cell", parent=body, fontSize=9, leading=11.5, spaceAfter=0),
    }
    for level, size in ((1, 20), (2, 13), (3, 11)):
        styles[f"h{level}"] = ParagraphStyle(
            f"H{level}",
            parent=base[f"Heading{level}"],
            fontSize=size,
            leading=size * 1.25,
            textColor=colors.HexColor("#1f3d36"),
            keepWithNext=1,
        )
    return styles


def pdf_table(rows: list[list[str]], width: float, styles: dict[str, ParagraphStyle]) -> Table:
    """Lay out a table over the full text width, with a repeated header row."""
    header = [Paragraph(f"<b>{escape(c)}</b>", styles["cell"]) for c in rows[0]]
    body = [[Paragraph(escape(c), styles["cell"]) for c in row] for row in rows[1:]]
    share = width / len(rows[0])
    table = Table([header, *body], colWidths=[share] * len(rows[0]), repeatRows=1)
    table.setStyle(
        TableStyle(
            [
                ("GRID", (0, 0), (-1, -1), 0.4, colors.HexColor("#9fb0aa")),
                ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#e3ece9")),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 3),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
            ]
        )
    )
    return table


def pdf_flowables(blocks: list[Block], width: float) -> list[Flowable]:
    """Turn parsed blocks into reportlab flowables."""
    styles = pdf_styles()
    story: list[Flowable] = []
    for block in blocks:
        if block.kind == "heading":
            story.append(Paragraph(escape(block.text), styles[f"h{min(block.level, 3)}"]))
        elif block.kind == "paragraph":
            story.append(Paragraph(escape(block.text), styles["body"]))
        elif block.kind == "list":
            items = [ListItem(Paragraph(escape(i), styles["body"])) for i in block.items]
            story.append(ListFlowable(items, bulletType="bullet", start="\u2022", leftIndent=14))
        else:
            story += [Spacer(1, 4), pdf_table(block.rows, width, styles), Spacer(1, 8)]
    return story


def build_pdf(name: str, out: Path) -> None:
    """Write one text PDF with a footer and page numbers."""
    blocks = read_blocks(name)
    title = blocks[0].text

    def footer(canvas: Canvas, doc: SimpleDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont("Helvetica", 8)
        canvas.setFillGray(0.4)
        canvas.drawString(PAGE_MARGIN + FRAME_PADDING, 12 * mm, f"{AUTHOR} - {title}")
        canvas.drawRightString(A4[0] - PAGE_MARGIN - FRAME_PADDING, 12 * mm, f"Page {doc.page}")
        canvas.restoreState()

    document = SimpleDocTemplate(
        str(out / f"{name}.pdf"),
        pagesize=A4,
        leftMargin=PAGE_MARGIN,
        rightMargin=PAGE_MARGIN,
        topMargin=20 * mm,
        bottomMargin=22 * mm,
        title=title,
        author=AUTHOR,
        invariant=1,
    )
    story = pdf_flowables(blocks, document.width - 2 * FRAME_PADDING)
    document.build(story, onFirstPage=footer, onLaterPages=footer)


# --- DOCX, XLSX, PPTX --------------------------------------------------------


def set_properties(properties: DocxProperties | CorePropertiesPart, title: str) -> None:
    """Give an office file a title, an author and fixed dates."""
    properties.title = title
    properties.author = AUTHOR
    properties.last_modified_by = AUTHOR
    properties.created = STAMP
    properties.modified = STAMP


def write_office(save: Callable[[io.BytesIO], Any], path: Path) -> None:
    """Save an office file with fixed dates in the archive and its properties."""
    raw = io.BytesIO()
    save(raw)
    stamp = STAMP.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    dates = re.compile(rb"(<dcterms:(?:created|modified)[^>]*>)[^<]*")
    with zipfile.ZipFile(raw) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == "docProps/core.xml":
                data = dates.sub(rb"\g<1>" + stamp, data)
            info = zipfile.ZipInfo(name, date_time=STAMP.timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(info, data)


def add_docx_table(document: DocxDocument, rows: list[list[str]]) -> None:
    """Append a table whose first row is bold."""
    table = document.add_table(rows=len(rows), cols=len(rows[0]))
    table.style = "Table Grid"
    for r, row in enumerate(rows):
        for c, text in enumerate(row):
            run = table.cell(r, c).paragraphs[0].add_run(text)
            run.bold = r == 0
    document.add_paragraph()


def build_docx(name: str, out: Path) -> None:
    """Write one Word document with real heading, list and table styles."""
    document = Document()
    blocks = read_blocks(name)
    for block in blocks:
        if block.kind == "heading":
            document.add_heading(block.text, level=block.level)
        elif block.kind == "paragraph":
            document.add_paragraph(block.text)
        elif block.kind == "list":
            for item in block.items:
                document.add_paragraph(item, style="List Bullet")
        else:
            add_docx_table(document, block.rows)
    set_properties(document.core_properties, blocks[0].text)
    write_office(document.save, out / f"{name}.docx")


def build_xlsx(name: str, out: Path) -> None:
    """Write the rate card, one worksheet for each sheet of the source."""
    data = yaml.safe_load((SOURCE / f"{name}.yaml").read_text(encoding="utf-8"))
    book = Workbook()
    book.remove(book.active)
    for spec in data["sheets"]:
        sheet = book.create_sheet(spec["name"])
        for row in spec["rows"]:
            sheet.append(row)
        for cell in sheet[1]:
            cell.font = Font(bold=True)
            cell.fill = PatternFill("solid", fgColor="E3ECE9")
        for index, column in enumerate(sheet.columns, start=1):
            longest = max(len(str(cell.value)) for cell in column)
            sheet.column_dimensions[get_column_letter(index)].width = min(longest + 2, 60)
            for cell in column:
                if isinstance(cell.value, float):
                    cell.number_format = "0.00"
                cell.alignment = Alignment(wrap_text=True, vertical="top")
        sheet.freeze_panes = "B2"
    properties = book.properties
    properties.title, properties.creator = data["title"], AUTHOR
    properties.created = properties.modified = STAMP
    write_office(book.save, out / f"{name}.xlsx")


def build_pptx(name: str, out: Path) -> None:
    """Write the slide deck with titles, bullets and speaker notes."""
    data = yaml.safe_load((SOURCE / f"{name}.yaml").read_text(encoding="utf-8"))
    deck = Presentation()
    first = deck.slides.add_slide(deck.slide_layouts[0])
    first.shapes.title.text = data["title"]
    first.placeholders[1].text = data["subtitle"]
    for spec in data["slides"]:
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = spec["title"]
        frame = slide.placeholders[1].text_frame
        frame.text = spec["bullets"][0]
        for bullet in spec["bullets"][1:]:
            frame.add_paragraph().text = bullet
        for paragraph in frame.paragraphs:
            paragraph.font.size = Pt(22)
        slide.notes_slide.notes_text_frame.text = spec["notes"]
    set_properties(deck.core_properties, data["title"])
    write_office(deck.save, out / f"{name}.pptx")


# --- Scanned page ------------------------------------------------------------


def scan_font(size: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load a font that comes with reportlab, so that every machine has it."""
    return ImageFont.truetype(str(FONT_DIR / ("VeraBd.ttf" if bold else "Vera.ttf")), size)


def draw_page(blocks: list[Block]) -> Image.Image:
    """Draw the notice as black text on a white A4 page."""
    page = Image.new("L", SCAN_SIZE, 255)
    draw = ImageDraw.Draw(page)
    body = scan_font(32)
    y = SCAN_MARGIN
    for block in blocks:
        heading = block.kind == "heading"
        font = scan_font(52 if block.level == 1 else 38, bold=True) if heading else body
        y += 18 if heading else 0
        for source_line in block.text.split("\n"):
            for line in textwrap.wrap(source_line, width=74):
                draw.text((SCAN_MARGIN, y), line, font=font, fill=20)
                y += int(font.size * 1.45)
        y += 16
    # A wavy stroke stands for the signature.
    wave = [(SCAN_MARGIN + 4 * i, y + 50 + (i * 37) % 23 - (i * i) % 31) for i in range(90)]
    draw.line(wave, fill=70, width=4, joint="curve")
    return page


def age_page(page: Image.Image) -> Image.Image:
    """Tilt the page a little and add light, repeatable paper noise."""
    tilted = page.rotate(SCAN_ANGLE, resample=Image.Resampling.BICUBIC, fillcolor=255)
    half = (SCAN_SIZE[0] // 2, SCAN_SIZE[1] // 2)
    grain = Image.frombytes("L", half, random.Random(7).randbytes(half[0] * half[1]))
    grain = grain.resize(SCAN_SIZE, Image.Resampling.BILINEAR)
    grain = grain.point([int(255 - SCAN_NOISE * value) for value in range(256)])
    return ImageChops.multiply(tilted, grain)


def build_scan(name: str, out: Path) -> None:
    """Write a PDF whose only page is an image, without a text layer."""
    picture = io.BytesIO()
    page = age_page(draw_page(read_blocks(name)))
    page.save(picture, "JPEG", quality=60, dpi=(SCAN_DPI, SCAN_DPI))
    canvas = Canvas(str(out / f"{name}.pdf"), pagesize=A4, invariant=1)
    canvas.setTitle("scan0017")
    picture.seek(0)
    canvas.drawImage(ImageReader(picture), 0, 0, *A4)
    canvas.showPage()
    canvas.save()


def main() -> None:
    """Build every generated file of the handbook."""
    parser = argparse.ArgumentParser(description="Build the sample handbook's binary files.")
    parser.add_argument("--out", type=Path, default=HANDBOOK, help="folder to write to")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name in PDF_NAMES:
        build_pdf(name, out)
    for name in DOCX_NAMES:
        build_docx(name, out)
    build_xlsx(XLSX_NAME, out)
    build_pptx(PPTX_NAME, out)
    build_scan(SCAN_NAME, out)


if __name__ == "__main__":
    main()
