"""How many numbers of PDFs are lost in reading, and what a page costs: generated PDFs, and real ones of a folder.

    python benchmarks/parsing_numbers.py [FOLDER] [--documents 5]

A number of three digits and more that pdfium's own text of a page has must stand in what was read of the page, or
among what was left out on purpose (headers, footers, page numbers). The generated PDFs (``_stress``) are drawn in ways
that lose figures and are compared with the text that they were made from; real ones with pdfium's text. Financial
reports are what to try: every PDF below FOLDER is read, without OCR.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median

import _stress
from _report import Figure, report, skip
from mainspring.core.errors import MainspringError
from mainspring.rag.parse.parsed import Parsed
from mainspring.rag.parse.pdf import reader
from mainspring.rag.parse.reading_options import Options

_NUMBER = re.compile(r"\d(?:[\d.,]*\d)?")
_OPTIONS = Options(ocr=False)


def numbers(text: str) -> Counter[str]:
    return Counter(each for each in _NUMBER.findall(text) if sum(map(str.isdigit, each)) >= 3)


def generated(documents: int) -> dict[str, Figure]:
    figures = {}
    for way in _stress.WAYS:
        lost = total = silent = 0
        for seed in range(documents):
            made = _stress.make(way, seed)
            parsed = reader.read(made.data, "made.pdf", _OPTIONS)
            missing = (numbers(made.text) - numbers(parsed.text)).total()
            lost, total = lost + missing, total + numbers(made.text).total()
            silent += bool(missing and not parsed.warnings)
        figures[f"numbers lost: {way}"] = Figure(
            lost / total, "of numbers", "lower", floor=0.005, aim=0.0, against=f"{total} numbers, {silent} silent"
        )
    return figures


def real(folder: Path) -> dict[str, Figure]:
    import pypdfium2

    shares: list[float] = []
    costs: list[float] = []
    silent = pages = total = lost = plain = 0
    for path in sorted(folder.rglob("*.pdf")):
        data = path.read_bytes()
        try:
            began = time.process_time()
            parsed = reader.read(data, path.name, _OPTIONS)
            costs.append((time.process_time() - began) / max(1, len(parsed.pages)))
        except MainspringError as error:
            print(f"{path.name}: {error}")
            continue
        wanted = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(data)]
        missing, of = _lost(parsed, wanted)
        print(f"{path.name}: {len(wanted)} pages, {missing} of {of} numbers lost, {costs[-1]:.3f} s a page")
        shares.append(missing / of if of else 0.0)
        silent += bool(missing and not parsed.warnings)
        plain += any("plain text" in warning for warning in parsed.warnings)
        pages, total, lost = pages + len(wanted), total + of, lost + missing
    if not shares:
        skip(f"no PDF with text below {folder}")
    said = f"{len(shares)} documents, {pages} pages, {total} numbers, {lost} lost; {plain} with a page as plain text"
    return {
        "real: numbers lost, the worst document": Figure(max(shares), "of numbers", "lower", floor=0.005, against=said),
        "real: documents that lose silently": Figure(silent, "documents", "lower", floor=0.0),
        "real: CPU a page, the median document": Figure(median(costs), "s", "lower", floor=0.1),
        "real: CPU a page, the slowest document": Figure(max(costs), "s", "lower", floor=3.0),
    }


def _lost(parsed: Parsed, wanted: list[str]) -> tuple[int, int]:
    dropped: dict[int | None, list[str]] = defaultdict(list)
    for each in parsed.dropped:
        dropped[each.page].append(each.text)
    lost = total = 0
    for page, text in zip(parsed.pages, wanted, strict=True):
        read = "\n".join([parsed.text[page.start : page.end], *dropped[page.number]])
        lost += (numbers(text) - numbers(read)).total()
        total += numbers(text).total()
    return lost, total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--documents", type=int, default=5, help="generated documents of each kind")
    options = parser.parse_args()
    try:
        import reportlab  # noqa: F401
    except ImportError as error:
        skip(f"{error.name} is not installed: pip install 'mainspring[dev]'")
    report("parsing_numbers", generated(options.documents) | (real(options.folder) if options.folder else {}))


if __name__ == "__main__":
    main()
