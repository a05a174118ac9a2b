"""How well real PDFs are read, judged by the LaTeX sources that they were made from.

    python benchmarks/parsing_real.py [--papers FOLDER] [--part report]

Every PDF below FOLDER (``papers`` in MAINSPRING_DATA; at most 40 pages) that has its source of the same name beside
it (.tex or .tex.gz, at least 15 kB) is a document: papers, manuals and theses in many publishers' layouts. The Debian
package texlive-publishers-doc has over a hundred: ``apt-get download texlive-publishers-doc``, then ``dpkg-deb -x`` it
into FOLDER. Needs pandoc, found on the path or in PANDOC.

Sentences are judged that at least one parser found whole. Nothing of the parsers was made on these documents: mistakes
were looked at in a third of them (``--part develop``), the figures are those of the other two thirds.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import time
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import _sources
from _library import data
from _report import Figure, report, skip, table
from _sources import Source, squeezed
from mainspring.core.errors import MainspringError
from mainspring.core.settings import load
from mainspring.rag.parse.parser import layout_model
from mainspring.rag.parse.pdf import reader as pdf
from mainspring.rag.parse.reading_options import Options

_MAX_PAGES = 40
_MIN_SOURCE = 15_000
# LaTeX numbers what its source leaves bare: 2.1, IV., A, Appendix B:
_NUMBER = re.compile(
    r"^(?:(?:appendix|chapter|section|part)\s+)?(?:\d+|[IVX]+|[A-Z])(?:\.\d+)*[.:)]?\s+(?:[•|–—-]\s*)?", re.IGNORECASE
)
_ACCEPTED = {"abstract", "references", "contents", "acknowledgments", "acknowledgements", "bibliography", "appendix"}


@dataclass(frozen=True, slots=True)
class Read:
    """What a parser made of a PDF; ``None`` where it does not tell that kind of thing."""

    text: str
    headings: tuple[str, ...] | None = None
    rows: tuple[tuple[str, ...], ...] | None = None
    captions: tuple[str, ...] | None = None


def ours(options: Options) -> Callable[[bytes], Read]:
    def reader(document: bytes) -> Read:
        parsed = pdf.read(document, "paper.pdf", options)
        rows = tuple(tuple(row) for each in parsed.tables for row in each.rows)
        captions = tuple(figure.caption for figure in parsed.figures if figure.caption)
        return Read(parsed.text, tuple(each.title for each in parsed.headings), rows, captions)

    return reader


def plain(document: bytes) -> Read:
    import pypdfium2

    opened = pypdfium2.PdfDocument(document)
    return Read("\n".join(page.get_textpage().get_text_range() for page in opened))


def kreuzberg(document: bytes) -> Read:
    import kreuzberg

    settings: dict[str, Any] = {"output_format": "markdown", "use_cache": False, "disable_ocr": True}
    config = kreuzberg.ExtractionConfig(**settings)
    text = str(kreuzberg.extract_bytes_sync(document, "application/pdf", config=config).content)
    headings = tuple(re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE))
    rows = tuple(
        tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        for line in text.splitlines()
        if line.lstrip().startswith("|")
    )
    return Read(text, headings, rows)


def documents(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    """(name, PDF, source), one for each pair."""
    seen: set[int] = set()
    for paper in sorted(folder.rglob("*.pdf")):
        source = next((each for end in (".tex", ".tex.gz") if (each := paper.with_suffix(end)).is_file()), None)
        if source is None:
            continue
        data = source.read_bytes()
        key = zlib.crc32(paper.read_bytes())
        unpacked = len(_unpacked(source, data))
        if unpacked >= _MIN_SOURCE and key not in seen:
            seen.add(key)
            yield paper.relative_to(folder).as_posix(), paper, source


def _unpacked(path: Path, data: bytes) -> bytes:
    import gzip

    return gzip.decompress(data) if path.suffix == ".gz" else data


def part_of(name: str) -> str:
    """Samples of one class are alike, so a folder is in one part as a whole."""
    folder = "/".join(name.split("/")[:-1]).split("/texlive-doc/")[-1]
    return "develop" if zlib.crc32("/".join(folder.split("/")[:2]).encode()) % 3 == 0 else "report"


class Score:
    """Counts of one parser: (right, of) by what is judged."""

    def __init__(self) -> None:
        self.counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        self.seconds = 0.0

    def add(self, what: str, right: int, of: int) -> None:
        self.counts[what][0] += right
        self.counts[what][1] += of

    def share(self, what: str) -> float:
        right, of = self.counts[what]
        return right / of if of else 0.0


def judge(source: Source, running: set[str], reads: dict[str, Read], scores: dict[str, Score]) -> Counter[str]:
    """Add one document to ``scores``; (whole sentences by parser, for the lines that ``--verbose`` prints)."""
    texts = {name: squeezed(each.text) for name, each in reads.items()}
    judged = [each for each in source.sentences if any(each in text for text in texts.values())]
    whole = Counter[str]()
    for name, each in reads.items():
        score, text = scores[name], texts[name]
        places = [text.find(sentence) for sentence in judged]
        whole[name] = sum(place >= 0 for place in places)
        score.add("whole", whole[name], len(judged))
        score.add("order", sum(0 <= one < two for one, two in pairwise(places)), max(0, len(judged) - 1))
        lines = {squeezed(re.sub(r"\d+", "", line)) for line in each.text.splitlines()}
        score.add("furniture", sum(line not in lines for line in running), len(running))
        if each.headings is not None:
            found = [squeezed(_NUMBER.sub("", title)) for title in each.headings]
            known = {squeezed(title) for title in each.headings} | set(found)
            score.add("headings", sum(title in known for title in source.headings), len(source.headings))
            right = sum(
                one in source.headings or squeezed(title) in source.headings or one in _ACCEPTED
                for one, title in zip(found, each.headings, strict=True)
            )
            score.add("headings that are", right, len(found))
        if each.rows is not None:
            rows = {tuple(squeezed(cell) for cell in row if squeezed(cell)) for row in each.rows}
            score.add("rows", sum(row in rows for row in source.rows), len(source.rows))
        if each.captions is not None:
            captions = [squeezed(caption) for caption in each.captions]
            found_captions = sum(any(wanted in caption for caption in captions) for wanted in source.captions)
            score.add("captions", found_captions, len(source.captions))
    return whole


def running_lines(document: bytes) -> tuple[int, set[str]]:
    """(pages, lines without their numbers that open or close three pages or more)."""
    import pypdfium2

    opened = pypdfium2.PdfDocument(document)
    counts = Counter[str]()
    for page in opened:
        lines = [line for line in page.get_textpage().get_text_range().splitlines() if line.strip()]
        counts.update({squeezed(re.sub(r"\d+", "", line)) for line in (*lines[:1], *lines[-1:])})
    return len(opened), {line for line, count in counts.items() if count >= 3 and len(line) >= 4}


def measure(
    folder: Path, pandoc: str, part: str, readers: dict[str, Callable[[bytes], Read]], verbose: bool, every: int = 1
) -> Any:
    scores = {name: Score() for name in readers}
    counts = Counter[str]()
    for name, paper, tex in documents(folder):
        if part not in ("all", part_of(name)):
            continue
        counts["seen"] += 1
        if counts["seen"] % every:
            continue
        content = paper.read_bytes()
        pages, running = running_lines(content)
        source = _sources.read(tex, pandoc) if pages <= _MAX_PAGES else None
        if source is None or len(source.sentences) < 20:
            counts["left out"] += 1
            continue
        reads = {}
        for label, reader in readers.items():
            began = time.process_time()
            try:
                reads[label] = reader(content)
            except MainspringError as error:
                print(f"{name}: {label}: {error}")
                reads[label] = Read("")
            scores[label].seconds += time.process_time() - began
        whole = judge(source, running, reads, scores)
        counts.update(documents=1, pages=pages)
        if verbose:
            print(f"{name:70.70} {pages:3} pages", " ".join(f"{label} {whole[label]}" for label in readers), flush=True)
    return scores, counts


UNITS = {
    "whole": ("sentences found whole", "of sentences"),
    "order": ("and right before the next", "of pairs"),
    "headings": ("headings found", "of headings"),
    "headings that are": ("headings that are ones", "of found"),
    "rows": ("rows of tables, every cell right", "of rows"),
    "captions": ("captions of figures", "of captions"),
    "furniture": ("running headers and footers gone", "of lines"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=("report", "develop", "all"), default="report")
    parser.add_argument("--papers", type=Path, help="folder of PDFs with their sources beside them")
    parser.add_argument("--every", type=int, default=1, help="only every so many documents: a quick look, not kept")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    folder = options.papers or data("papers")
    pandoc = os.environ.get("PANDOC") or shutil.which("pandoc")
    if not pandoc:
        skip("pandoc is not on the path, and PANDOC does not name it")
    readers: dict[str, Callable[[bytes], Read]] = {
        "rules": ours(Options(ocr=False, parser="rules")),
        "layout": ours(Options(ocr=False, parser="layout")),
        "auto": ours(Options(ocr=False)),
        "pypdfium2": plain,
        "Kreuzberg": kreuzberg,
    }
    graph = layout_graph()
    if graph:
        readers["layout-model"] = ours(Options(ocr=False, parser="layout-model", layout_model=graph))
    scores, counts = measure(folder, pandoc, options.part, readers, options.verbose, options.every)
    others = [name for name in readers if name != "auto"]
    figures = {}
    for what, (label, unit) in UNITS.items():
        against = ", ".join(f"{name} {scores[name].share(what):.3f}" for name in others if scores[name].counts[what][1])
        of = scores["auto"].counts[what][1]
        figures[label] = Figure(scores["auto"].share(what), unit, "higher", against=f"of {of}; {against}")
    rates = {name: counts["pages"] / score.seconds for name, score in scores.items()}
    figures["speed"] = Figure(
        rates["auto"], "pages/s of CPU", "higher",
        against=", ".join(f"{name} {rates[name]:.0f}" for name in others)
        + f"; {counts['documents']} documents, {counts['pages']} pages",
    )  # fmt: skip
    if options.part == "report" and options.every == 1:
        report("parsing_real", figures)
    else:
        print(table(figures))


def layout_graph() -> str:
    """The layout model, where it is pulled."""
    settings = load().settings
    rag = settings.rag.model_copy(update={"parser": "layout-model"})
    try:
        return layout_model(settings.model_copy(update={"rag": rag}))
    except MainspringError:
        return ""


if __name__ == "__main__":
    main()
