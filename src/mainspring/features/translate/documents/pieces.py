"""The pieces of a text, a Markdown or HTML document, subtitles or JSON. All of them together are the document."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from mainspring.core.errors import InvalidRequest

Format = Literal["text", "markdown", "html", "srt", "json"]
FORMATS: tuple[str, ...] = get_args(Format)
SUFFIXES = {".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html", ".srt": "srt", ".json": "json"}
_BEGINS = re.compile(r"\s*(?:#{1,6}\s+|>+\s*|[-*+]\s+(?:\[[ xX]\]\s+)?|\d+[.)]\s+|\|)")
_RULE = re.compile(r"\s*(?:[-*_=]\s*){3,}$|[\s|:+-]+$")
_FENCE = re.compile(r"\s*(```|~~~)")
_INLINE = frozenset(
    ("a", "abbr", "b", "bdi", "cite", "code", "del", "em", "i", "img", "ins", "kbd", "mark", "q", "s", "small", "span",
     "strong", "sub", "sup", "time", "u", "var", "wbr")
)  # fmt: skip
_TAG = re.compile(r"<!--|<!\[CDATA\[|<[!/?]?[A-Za-z][^<>]*+>")
_RAW = re.compile(r"<(script|style|pre|textarea|template|svg)\b", re.IGNORECASE)
_ENDS = {"<!--": re.compile("-->"), "<![CDATA[": re.compile(r"\]\]>")} | {
    name: re.compile(rf"</{name}\s*+>", re.IGNORECASE)
    for name in ("script", "style", "pre", "textarea", "template", "svg")
}
_TIME = re.compile(r"\d+:\d\d:\d\d[,.]\d+\s*-->")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"')
_KEY = re.compile(r"\s*+:")
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Piece:
    """``say``: it is translated, and ``written`` by this before it takes its place."""

    text: str
    say: bool = False
    write: Callable[[str], str] = str


def pieces(text: str, kind: str) -> list[Piece]:
    """Those of the document; written and joined they are ``text``. Raises ``InvalidRequest`` for JSON that is none."""
    found = {"text": _text, "markdown": _markdown, "html": _html, "srt": _srt, "json": _json}[kind](text)
    return [each if each.say and _LETTER.search(each.text) else Piece(each.text, False, each.write) for each in found]


def joined(found: list[Piece], said: list[str]) -> str:
    """The document with ``said`` in the places of what is translated, in order."""
    coming = iter(said)
    return "".join(each.write(next(coming) if each.say else each.text) for each in found)


def _said(text: str) -> Iterator[Piece]:
    """With the spaces around it kept."""
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    if start >= end:
        yield Piece(text)
        return
    yield Piece(text[:start])
    yield Piece(text[start:end], True)
    yield Piece(text[end:])


def _text(text: str) -> Iterator[Piece]:
    for line in _wrapped(text.splitlines(keepends=True)):
        yield from _said(line)


def _wrapped(lines: list[str]) -> Iterator[str]:
    """Lines, with those as one that a sentence runs through: long ones that end within it."""
    whole: list[str] = []
    for line in lines:
        last = whole[-1] if whole else ""
        runs = len(last.removesuffix("\n")) >= 50 and last.rstrip()[-1:].isalnum()
        if whole and not (runs and line[:1].islower()):
            yield "".join(whole)
            whole = []
        whole.append(line)
    if whole:
        yield "".join(whole)


def _markdown(text: str) -> Iterator[Piece]:
    lines = text.splitlines(keepends=True)
    fence, front = "", bool(lines) and lines[0].strip() == "---"
    plain: list[str] = []
    for number, line in enumerate(lines):
        opened = _FENCE.match(line)
        kept = bool(fence or front or opened or _RULE.match(line) or line.startswith(("    ", "\t")))
        if front and number and line.strip() == "---":
            front = False
        elif opened and not front:
            fence = "" if fence == opened.group(1) else fence or opened.group(1)
        begin = _BEGINS.match(line)
        if not kept and not begin and line.strip():
            plain.append(line)
            continue
        for each in _wrapped(plain):
            yield from _said(each)
        plain = []
        if kept or not begin:
            yield Piece(line)
        else:
            yield Piece(begin.group())
            for cell in re.split(r"(\|)", line[begin.end() :]) if "|" in begin.group() else [line[begin.end() :]]:
                yield from _said(cell)
    for each in _wrapped(plain):
        yield from _said(each)


def _html(text: str) -> Iterator[Piece]:
    """Blocks; the tags within a line of text are part of it."""
    at = 0
    for start, end in _spans(text, _RAW):
        yield from _blocks(text[at:start])
        yield Piece(text[start:end])
        at = end
    yield from _blocks(text[at:])


def _spans(text: str, begins: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Where what begins so starts and ends. What has no end is none; each end is looked for once if there is none."""
    at = 0
    endless: set[str] = set()
    while begin := begins.search(text, at):
        at = begin.end()
        name = (begin.group(1) if begins.groups else begin.group()).lower()
        ends = _ENDS.get(name if begins.groups else begin.group())
        if ends is None:
            yield begin.span()
        elif name not in endless:
            end = ends.search(text, at)
            if end is None:
                endless.add(name)
            else:
                at = end.end()
                yield begin.start(), at


def _blocks(text: str) -> Iterator[Piece]:
    at = 0
    for start, end in _spans(text, _TAG):
        tag = text[start:end]
        name = re.sub(r"[</]|[\s>].*", "", tag, flags=re.DOTALL).lower()
        if name in _INLINE:
            continue
        yield from _said(text[at:start])
        yield Piece(tag)
        at = end
    yield from _said(text[at:])


def _srt(text: str) -> Iterator[Piece]:
    cue = ""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if not line.strip() or _TIME.match(line) or (line.strip().isdigit() and _TIME.match(following)):
            yield from _said(cue)
            cue = ""
            yield Piece(line)
        else:
            cue += line
    yield from _said(cue)


def _json(text: str) -> Iterator[Piece]:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(
            f"the document is not JSON: {error}", remedy="Name another format, or correct it", param="format"
        ) from None
    at = 0
    for string in _STRING.finditer(text):
        if _KEY.match(text, string.end()):
            continue
        yield Piece(text[at : string.start()] + '"')
        for each in _text(json.loads(string.group())):
            yield Piece(each.text, each.say, _escaped)
        yield Piece('"')
        at = string.end()
    yield Piece(text[at:])


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
