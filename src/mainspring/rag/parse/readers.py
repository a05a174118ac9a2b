"""One function per format: bytes to ``Parsed``. They run in the parser's child process, never in the server's.

Heavy libraries are imported on use: a worker that reads only PDFs loads nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import MissingExtra, UnreadableDocument
from mainspring.core.plugins import Registry, hookimpl
from mainspring.rag.parse import kinds, ocr, structured
from mainspring.rag.parse.compose import Composer, clean
from mainspring.rag.parse.encoding import decode
from mainspring.rag.parse.formats import PARSER
from mainspring.rag.parse.markup import asciidoc, front_matter, html, markdown_extensions, roff, rst
from mainspring.rag.parse.markup.markdown import plain
from mainspring.rag.parse.office import docx, opc, pptx, xlsx
from mainspring.rag.parse.parsed import Parsed
from mainspring.rag.parse.pdf import layout
from mainspring.rag.parse.pdf import reader as pdf
from mainspring.rag.parse.reading_options import Options

_OFFICE = {
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "epub": "application/epub+zip",
    "rtf": "application/rtf",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
}
_ARCHIVES = ("odt", "ods", "epub")
_HEADS = re.compile(r"\s*#\s[^\n]*(?:\n|$)")


@dataclass(frozen=True, slots=True)
class BuiltinReader:
    """A function as a ``DocumentReader``."""

    kind: str
    function: Callable[[bytes, str, Options], Parsed]
    content_types: frozenset[str] = frozenset()

    @property
    def suffixes(self) -> frozenset[str]:
        return frozenset(suffix for suffix, kind in kinds.SUFFIXES.items() if kind == self.kind)

    def read(self, data: bytes, name: str, options: Options) -> Parsed:
        return self.function(data, name, options)


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """``factory() -> DocumentReader``."""

    def add(kind: str, function: Callable[[bytes, str, Options], Parsed]) -> None:
        registry.add(PARSER, kind, lambda: BuiltinReader(kind, function))

    def plain(kind: str, function: Callable[[bytes, str, str], Parsed]) -> None:
        add(kind, lambda data, name, _options: function(data, name, kind))

    add("pdf", pdf.read)
    add("image", _image)
    for kind in ("text", "code"):
        plain(kind, _text)
    for kind in _TO_MARKDOWN:
        plain(kind, _markup)
    for kind in _OFFICE:
        plain(kind, _office)
    plain("markdown", _markdown)
    plain("csv", structured.read_csv)
    plain("json", structured.read_json)
    plain("jsonl", structured.read_json_lines)
    plain("xml", structured.read_xml)
    plain("html", _html)
    plain("email", html.read_mail)
    plain("docx", lambda data, name, _kind: docx.read(data, name))
    plain("pptx", lambda data, name, _kind: pptx.read(data, name))
    plain("xlsx", lambda data, name, _kind: xlsx.read(data, name))


# --- text -----------------------------------------------------------------------------------------------------


def _text(data: bytes, name: str, kind: str) -> Parsed:
    text, warning = decode(data, name)
    composer = Composer(name)
    composer.warnings.append(warning)
    if kind == "text":
        # Tables are written with pipes in plain text too.
        composer.markdown(text)
    else:
        composer.add(text)
    return composer.parsed(kind, "text", headings="capitals" if kind == "text" else "none")


def _markup(data: bytes, name: str, kind: str) -> Parsed:
    """reStructuredText, AsciiDoc or a manual page, by way of Markdown."""
    text, warning = decode(data, name)
    composer = Composer(name)
    composer.warnings.append(warning)
    text = clean(text)
    front, text = front_matter.header(text.lstrip("\n")) if kind == "rst" else ("", text)
    marked = _TO_MARKDOWN[kind](text)
    if title := front_matter.title(front):
        pairs = (line.partition(":") for line in front.split("\n"))
        front = "\n".join(f"{key}: {_TO_MARKDOWN[kind](value).strip()}" for key, _, value in pairs)
        marked = f"# {title}\n\n{front_matter.described(front, marked)}\n\n{_deeper(marked)}"
    composer.markdown(markdown_extensions.gathered(marked))
    return composer.parsed(kind, "text")


def _markdown(data: bytes, name: str, kind: str) -> Parsed:
    text, warning = decode(data, name)
    text = clean(text).lstrip("\n")
    composer = Composer(name)
    composer.warnings.append(warning)
    front, text = front_matter.split(text)
    # Its title heads the document where no heading does, and what else it says is right below, under no section.
    heads = _HEADS.match(text)
    described = front_matter.described(front, text, headed=heads is not None)
    if title := "" if heads else front_matter.title(front):
        composer.add(f"# {title}")
    if described:
        own, rest = (heads[0], text[heads.end() :]) if heads else ("", text)
        text = "\n\n".join((own.rstrip(), described, rest.lstrip("\n")))
    composer.markdown(markdown_extensions.strip(text))
    return composer.parsed(kind, "text")


def _html(data: bytes, name: str, kind: str) -> Parsed:
    """A page, which site generators open with front matter as they do Markdown."""
    if not data.lstrip(b"\xef\xbb\xbf").startswith(b"---"):
        return html.read_html(data, name, kind)
    text, warning = decode(data, name)
    front, text = front_matter.split(clean(text).lstrip("\n"))
    composer = Composer(name)
    composer.warnings.append(warning)
    title, headed = front_matter.title(front), "<h1" in text.lower()
    if title and not headed:
        composer.add(f"# {title}")
    composer.markdown(front_matter.described(front, text, headed=headed))
    html.write_html(text, composer)
    return composer.parsed(kind, "trafilatura")


def _deeper(text: str) -> str:
    """Markdown with its headings one level deeper: its title heads them all."""
    lines, code = text.split("\n"), False
    for number, line in enumerate(lines):
        code ^= line.lstrip().startswith("```")
        if not code and re.match(r"#{1,5} ", line):
            lines[number] = f"#{line}"
    return "\n".join(lines)


# --- office ---------------------------------------------------------------------------------------------------


def _office(data: bytes, name: str, kind: str) -> Parsed:
    try:
        import kreuzberg
    except ImportError:
        raise _missing("documents", f"{name} is {kind.upper()}") from None
    if kind in _ARCHIVES:
        opc.check(data, name)
    settings: dict[str, Any] = {"output_format": "markdown", "use_cache": False, "disable_ocr": True}
    config = kreuzberg.ExtractionConfig(**settings)
    try:
        result = kreuzberg.extract_bytes_sync(data, _OFFICE[kind], config=config)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UnreadableDocument(
            f"{name} cannot be read as {kind.upper()}: {reason}",
            remedy="Open it in its program and save it again, or export it as PDF",
        ) from None
    composer = Composer(name)
    composer.markdown(plain(clean(str(result.content))), prefixed=kind in ("xls", "ods"))
    return composer.parsed(kind, "kreuzberg")


# --- images ---------------------------------------------------------------------------------------------------


def _image(data: bytes, name: str, options: Options) -> Parsed:
    if not options.ocr:
        raise UnreadableDocument(f"{name} is an image", remedy="Set rag.ocr to true")
    recogniser = ocr.Recogniser(name)
    recogniser.load()
    sheet = recogniser.read(ocr.pixels_of(data, name), 1.0)
    composer = Composer(name)
    composer.warnings.append(recogniser.warning)
    composer.page(1)
    blocks, route = layout.render([sheet])
    pdf.write(composer, blocks[0])
    return composer.parsed("image", "rapidocr", route=route)


def _missing(extra: str, reason: str) -> MissingExtra:
    return MissingExtra(
        f"{reason}, and the extra `{extra}` that reads it is not installed",
        remedy=f"pip install 'mainspring[{extra}]'",
    )


_TO_MARKDOWN = {"rst": rst.to_markdown, "asciidoc": asciidoc.to_markdown, "roff": roff.to_markdown}
