"""How well PDFs are read: order, tables, page furniture, broken words and captions, on pages made from known text.

    MAINSPRING_DATA=... python benchmarks/parsing.py [--documents 4] [--articles report]

Paragraphs of SQuAD articles are set in one, two and three columns, with titles and tables across, tables with and
without rules, merged cells, figures, turned pages and pages that are drawn in another order than they are read; with
words broken at line ends and headers, footers and page numbers of three kinds. The rules were made on the first
articles (``--articles develop``) and are reported on the others.

Beside it the same figures for plain text extraction by pypdfium2 and for Kreuzberg's own reader of PDFs, where they
have them, and how many pages a second each reads.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from _library import data
from _pages import LAYOUTS, Made, make
from _report import Figure, report, skip
from mainspring.rag.parse.parsed import Parsed
from mainspring.rag.parse.pdf import reader
from mainspring.rag.parse.reading_options import Options

_DEVELOPMENT_ARTICLES = 12
HANDBOOK = Path(__file__).parent.parent / "samples" / "handbook"


def paragraphs(articles: str) -> Iterator[str]:
    """Paragraphs of running text, over and over."""
    found = json.loads((data("qa/squad") / "dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    chosen = found[:_DEVELOPMENT_ARTICLES] if articles == "develop" else found[_DEVELOPMENT_ARTICLES:]
    texts = [" ".join(each["context"].split()) for article in chosen for each in article["paragraphs"]]
    # The standard fonts of PDF know Western letters only.
    plain = [text for text in texts if text.isascii() and len(text) > 250]
    return itertools.cycle(plain)


def ours(document: bytes) -> Parsed:
    return reader.read(document, "made.pdf", Options(ocr=False))


def plain(document: bytes) -> str:
    import pypdfium2

    opened = pypdfium2.PdfDocument(document)
    return "\n".join(page.get_textpage().get_text_range() for page in opened)


def kreuzberg_text(document: bytes) -> str:
    import kreuzberg

    settings: dict[str, Any] = {"output_format": "markdown", "use_cache": False, "disable_ocr": True}
    config = kreuzberg.ExtractionConfig(**settings)
    return str(kreuzberg.extract_bytes_sync(document, "application/pdf", config=config).content)


def order(made: Made, text: str) -> float:
    """Share of sentences that are there whole and right before the next one."""
    squeezed = _squeezed(text)
    places = [squeezed.find(_squeezed(sentence)) for sentence in made.sentences]
    return fmean(0 <= first < second for first, second in itertools.pairwise(places))


def cells(made: Made, parsed: Parsed) -> float:
    """Share of cells that are right, in their row and column, the table found by its header's cells."""
    found = [[[_squeezed(cell) for cell in row] for row in table.rows] for table in parsed.tables]
    right = total = 0
    for table in made.tables:
        wanted = [[_squeezed(cell) for cell in row] for row in table]
        best = 0
        for other in found:
            pairs = zip(itertools.chain(*wanted), itertools.chain(*_shaped(other, wanted)), strict=True)
            best = max(best, sum(a == b for a, b in pairs))
        right, total = right + best, total + sum(map(len, wanted))
    return right / total


def _shaped(table: Sequence[Sequence[str]], like: Sequence[Sequence[str]]) -> list[list[str]]:
    return [
        [table[row][column] if row < len(table) and column < len(table[row]) else "" for column in range(len(cells))]
        for row, cells in enumerate(like)
    ]


def furniture(made: Made, parsed: Parsed) -> tuple[int, int, int]:
    """(dropped rightly, dropped, to be dropped)."""
    wanted = Counter((page, _squeezed(text)) for page, text in made.furniture)
    dropped = Counter((each.page, _squeezed(each.text)) for each in parsed.dropped)
    return sum(min(count, dropped[line]) for line, count in wanted.items()), dropped.total(), wanted.total()


def mended(made: Made, text: str) -> float:
    """Share of words broken at line ends that are whole in the text."""
    words = Counter(re.findall(r"[A-Za-z]+", text))
    wanted = Counter(made.broken_words)
    # A word that is there as often unbroken proves nothing; those that occur only broken do.
    known = Counter(word for sentence in made.sentences for word in re.findall(r"[A-Za-z]+", sentence))
    judged = [word for word in wanted if known[word] == wanted[word]]
    return fmean(word in words for word in judged) if judged else 1.0


def _squeezed(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.,%]", "", text)


def speed(read: Callable[[bytes], object], documents: Sequence[bytes], pages: int, rounds: int = 5) -> float:
    """Pages a second of CPU time, the best of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for document in documents:
            read(document)
        best = min(best, time.process_time() - began)
    return pages / best


def measure(articles: str, documents: int) -> dict[str, Figure]:
    texts = paragraphs(articles)
    made = {layout: [make(layout, texts, seed) for seed in range(documents)] for layout in LAYOUTS}
    figures: dict[str, Figure] = {}
    totals: dict[str, list[float]] = defaultdict(list)
    dropped = Counter[str]()
    for layout, several in made.items():
        parsed = [ours(each.data) for each in several]
        score = fmean(order(each, read.text) for each, read in zip(several, parsed, strict=True))
        bare = fmean(order(each, plain(each.data)) for each in several)
        peer = fmean(order(each, kreuzberg_text(each.data)) for each in several)
        figures[f"reading order: {layout}"] = Figure(
            score, "of pairs", "higher", floor=0.95, aim=0.99,
            against=f"pypdfium2 {bare:.3f}, Kreuzberg {peer:.3f}; {parsed[0].route}",
        )  # fmt: skip
        totals["order"].append(score)
        if several[0].tables:
            right = fmean(cells(each, read) for each, read in zip(several, parsed, strict=True))
            figures[f"table cells: {layout}"] = Figure(right, "right", "higher")
        for each, read in zip(several, parsed, strict=True):
            right, gone, wanted = furniture(each, read)
            dropped.update(right=right, gone=gone, wanted=wanted)
            totals["mended"].append(mended(each, read.text))
            if each.captions:
                captions = {_squeezed(figure.caption) for figure in read.figures}
                totals["captions"].append(fmean(_squeezed(caption) in captions for caption in each.captions))
    figures |= {
        "reading order, mean": Figure(fmean(totals["order"]), "of pairs", "higher"),
        "furniture dropped": Figure(dropped["right"] / dropped["wanted"], "recall", "higher"),
        "dropped rightly": Figure(dropped["right"] / dropped["gone"], "precision", "higher"),
        "broken words mended": Figure(fmean(totals["mended"]), "of words", "higher"),
        "captions of figures": Figure(fmean(totals["captions"]), "found", "higher"),
    }
    return figures | speeds([each for several in made.values() for each in several])


def speeds(made: Sequence[Made]) -> dict[str, Figure]:
    handbook = [path.read_bytes() for path in sorted(HANDBOOK.glob("*.pdf")) if "notice" not in path.name]
    figures = {}
    for label, several, pages in (
        ("handbook", handbook, sum(len(ours(each).pages) for each in handbook)),
        ("made pages", [each.data for each in made], sum(each.pages for each in made)),
    ):
        rates = [speed(read, several, pages) for read in (ours, plain, kreuzberg_text)]
        figures[f"speed: {label}"] = Figure(
            rates[0], "pages/s of CPU", "higher",
            against=f"plain text by pypdfium2 {rates[1]:.0f}, Kreuzberg {rates[2]:.0f}",
        )  # fmt: skip
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=4, help="documents of each layout")
    parser.add_argument("--articles", choices=("develop", "report"), default="report")
    options = parser.parse_args()
    try:
        import pyphen  # noqa: F401
        import reportlab  # noqa: F401
    except ImportError as error:
        skip(f"{error.name} is not installed: pip install 'mainspring[dev]'")
    figures = measure(options.articles, options.documents)
    if options.articles == "report":
        report("parsing", figures)
    else:
        from _report import table

        print(table(figures))


if __name__ == "__main__":
    main()
