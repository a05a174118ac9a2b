"""Removes extensions in Markdown files: HTML, roles, attributes, directives, shortcodes."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from mainspring.rag.parse.markup import html_lists, table_header
from mainspring.rag.parse.markup.markup_tables import pipe_table

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})")
# One that has no end takes the rest of the text, which stays: each further beginning would look for an end again.
_COMMENT = re.compile(r"<!--(?:.*?-->|(?P<open>.*+))", re.DOTALL)
_BADGE = re.compile(r"\[!\[[^\]]*\]\([^)]*\)\]\([^)]*\)")
_IMAGE = re.compile(r"!\[((?:(?!!\[)[^\]])*)\]\((?:(?!!\[)[^)])*\)")
_IMG = re.compile(r"<img\b([^<>]*)>", re.IGNORECASE)
_ALT = re.compile(r"\balt=[\"']([^\"']*)[\"']", re.IGNORECASE)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_CODE_TAG = re.compile(r"<(?:code|kbd|samp|tt)(?:\s[^<>]*)?>([^<`]*)</(?:code|kbd|samp|tt)>", re.IGNORECASE)
_HEADING_TAG = re.compile(r"^\s*<h([1-6])(?:\s[^>]*)?>(.*?)</h\1>\s*$", re.IGNORECASE)
_TAGS = (
    "a abbr article aside b big blockquote center cite dd del details dfn div dl dt em figcaption figure font footer "
    "header i ins li main mark nav ol p picture q s section small source span strike strong sub summary sup u ul var "
    "video wbr"
)
_TAG = re.compile(
    rf"</?(?:{'|'.join(_TAGS.split())})(?:\s+[\w:@.-]+(?:=(?:\"[^\"]*\"|'[^']*'|[^\s>]+))?)*\s*/?>", re.IGNORECASE
)
_ROW_TAG, _CELL_TAG = re.compile(r"<tr\b[^<>]*>", re.IGNORECASE), re.compile(r"<t[dh]\b[^<>]*>", re.IGNORECASE)
# A table marks the names of its columns by these.
_NAMES_COLUMNS = re.compile(r"<(?:th|b|strong)\b", re.IGNORECASE)
_ANY_TAG = re.compile(r"<[^<>]*>")
# Between items in one line, and between blocks that would run together without their tags.
_NEXT_ITEM = re.compile(r"(?<!\s)\s*</li>\s*<li(?:\s[^<>]*)?>\s*", re.IGNORECASE)
_BETWEEN = re.compile(
    r"(?<=[\w.,;:!?)*`])(?:\s*</?(?:li|ul|ol|p|div|dd|dt|dl|section|article|blockquote|details|summary|figure)"
    r"(?:\s[^<>]*)?>)+\s*(?=[\w(*`\[])",
    re.IGNORECASE,
)
# Escaped marks that begin nothing once they are bare.
_ESCAPED = re.compile(r"\\([$&%@.,!?(){}+~<>\"'/:;=^])")
_ROLE = re.compile(r"\{[\w:+.-]{1,60}\}`([^`<]+)(?:<[^>`]*>)?`|:[\w:+.-]{1,60}:`~?([^`<]+)(?:<[^>`]*>)?`")
_ATTRIBUTE = r"(?:[.#][\w:.-]+|[\w-]+=(?:\"[^\"]*\"|[^\s}]{1,500}))"
_ATTRIBUTES = re.compile(rf"(?<![ \t])[ \t]*\{{:?\s*{_ATTRIBUTE}(?:\s+{_ATTRIBUTE})*\s*\}}")
_SHORTCODE = re.compile(r"\{\{[<%](?:(?!\{\{[<%]).)*?[>%]\}\}|\{%-?\s(?:(?!\{%).)*?-?%\}")
_TARGET = re.compile(r"^\s*\([\w-]+\)=\s*$|^\s*\[(?:toc|_toc_|\[_toc_\])\]\s*$", re.IGNORECASE)
_ALERT = re.compile(r"^(\s*>\s*)\[!(\w+)\]\s*(.*)$")
_ADMONITION = re.compile(r"^(\s*)(?:!!!|\?\?\?\+?)\s+(\w+)(?:\s+\"([^\"]*)\")?\s*$")
_CONTAINER = re.compile(r"^(\s*):{3,}\s*(?:\{?(\w+)\}?)?(?:\s+(.*))?$")
_ASIDES = frozenset(
    "note tip info caution warning danger important hint attention error success details seealso".split()
)
# A line that has only a picture, and an item of a list or what is indented below it.
_ONLY_PICTURE = re.compile(
    r"\s*(?:<(?:p|a|div|center|figure)\b[^<>]*>\s*)*(?:<img\b[^<>]*>|!\[[^\[\]]*\]\([^()]*\))"
    r"\s*(?:</(?:p|a|div|center|figure)>\s*)*",
    re.IGNORECASE,
)
_IS_PICTURE = re.compile(r"\b(?:image|picture|photo|screenshot|banner)s?\W*$", re.IGNORECASE)
_IN_LIST = re.compile(r"[ \t]*(?:[-*+]|\d{1,3}[.)])[ \t]|[ \t]{2,}\S")
# A line of prose, which a label in front of it belongs to.
_SAYS = re.compile(r"(?![ \t]*(?:#|[-*+][ \t]|\d{1,3}[.)][ \t]|\||:::|!!!))[ \t]*(?:>[ \t]?)*(?P<said>[^\s>].*)")
_INLINE_CODE = re.compile(r"(`{1,9})(?!`)(.+?)(?<!`)\1(?!`)")


def strip(text: str) -> str:
    """``text`` without these marks; code stays unchanged."""
    out: list[str] = []
    fence = ""
    prose: list[str] = []
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if not fence and not mark:
            prose.append(line)
            continue
        if prose:
            out += _prose("\n".join(prose)).split("\n")
            prose = []
        if mark:
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1][:3]
        out.append(line)
    if prose:
        out += _prose("\n".join(prose)).split("\n")
    return "\n".join(out)


def _prose(text: str) -> str:
    lines: list[str] = []
    before, labelled = "", False
    said = _COMMENT.sub(lambda match: "" if match["open"] is None else match[0], text)
    for line in html_lists.items(_without_html_tables(said)).split("\n"):
        if _TARGET.match(line):
            continue
        shown = _line(line)
        first = _SAYS.match(shown[0]) if labelled and line.strip(" \t>") else None
        if labelled and first:
            # A note's label and its text are one paragraph.
            while not lines[-1].strip(" \t>"):
                lines.pop()
            shown = [f"{lines.pop()} {first['said']}", *shown[1:]]
        elif _ONLY_PICTURE.fullmatch(line) and shown[0].strip() and not _IN_LIST.match(before):
            # What a picture says is no part of the sentence below it, and that it is one says nothing.
            shown = ["", *shown, ""] if not _IS_PICTURE.search(shown[0]) else [""]
        if line.strip(" \t>"):
            labelled = _is_label(line) and shown[-1].endswith(":")
            before = line
        lines += shown
    return "\n".join(lines)


def _is_label(line: str) -> bool:
    """Whether ``line`` opens a note, which its kind or its title labels."""
    return any(pattern.match(line) for pattern in (_ALERT, _ADMONITION, _CONTAINER))


def _without_html_tables(text: str) -> str:
    """``text`` with pipe tables in place of tables in HTML. One with a cell a row is only a layout: its cells become
    lines."""
    lowered = text.lower()
    out: list[str] = []
    at = 0
    while (start := lowered.find("<table", at)) >= 0 and (end := lowered.find("</table>", start)) >= 0:
        rows = [[_cell(each) for each in _CELL_TAG.split(row)[1:]] for row in _ROW_TAG.split(text[start:end])[1:]]
        rows = [row for row in rows if any(row)]
        head = "<thead" in lowered[start:end]
        named = head or _names_columns([row for row in _ROW_TAG.split(text[start:end])[1:] if _says(row)], rows)
        table = rows if named else [[""] * max(map(len, rows), default=0), *rows]
        lines = pipe_table(table, named=named) if any(len(row) > 1 for row in rows) else [row[0] for row in rows]
        out += [text[at:start], "\n\n", "\n".join(lines), "\n\n"]
        at = end + len("</table>")
    return "".join([*out, text[at:]])


def _says(row: str) -> bool:
    """Whether a row of a table in HTML has a cell with text."""
    return any(_cell(each) for each in _CELL_TAG.split(row)[1:])


def _names_columns(written: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first of ``rows`` (of a table in HTML, ``written``) names the columns. Of two columns it does so
    where it is marked as their header, or stands over figures: else each row is a key and its value."""
    if any(len(row) != 2 for row in rows):
        return True
    second = [tag.start() for tag in _CELL_TAG.finditer(written[0])][1]
    marked = _NAMES_COLUMNS.search(written[0], second) is not None
    return marked or table_header.heads_figures([row[1] for row in rows])


def _cell(text: str) -> str:
    return " ".join(html.unescape(_ANY_TAG.sub(" ", text)).split())


def _line(line: str) -> list[str]:
    alert, admonition, container = _ALERT.match(line), _ADMONITION.match(line), _CONTAINER.match(line)
    heading = _HEADING_TAG.match(line)
    if heading:
        return ["", f"{'#' * int(heading[1])} {_inline(heading[2]).strip()}", ""]
    if alert:
        return [f"{alert[1]}{alert[2].capitalize()}: {alert[3]}".rstrip()]
    if admonition:
        title = admonition[3] if admonition[3] is not None else admonition[2].capitalize()
        return [f"{admonition[1]}{title}:" if title else ""]
    if container:
        kind, title = container[2] or "", (container[3] or "").strip()
        if kind.lower() in _ASIDES:
            return [f"{container[1]}{title.rstrip(':') or kind.capitalize()}:"]
        return [f"{container[1]}{kind.capitalize()}: {title}".rstrip() if kind else ""]
    shown = _inline(line)
    # A line with only marks leaves a gap, so that its neighbours stay separate.
    return [shown if shown.strip() or not line.strip() else ""]


def _inline(line: str) -> str:
    line = _ROLE.sub(lambda match: (match[1] or match[2]).rstrip(), line)
    parts: list[str] = []
    at = 0
    for code in _INLINE_CODE.finditer(line):
        parts += [_plain(line[at : code.start()]), code[0]]
        at = code.end()
    return "".join([*parts, _plain(line[at:])])


def _plain(text: str) -> str:
    if not any(mark in text for mark in "<{![&\\"):
        return text
    text = _IMAGE.sub(r"\1", _BADGE.sub("", text))
    if "<" in text:
        text = _CODE_TAG.sub(r"`\1`", text)
        text = _BETWEEN.sub(" ", _NEXT_ITEM.sub("; ", text))
        text = _TAG.sub("", _BREAK.sub(" ", _IMG.sub(_alternative, text)))
    text = _ESCAPED.sub(r"\1", _SHORTCODE.sub("", _ATTRIBUTES.sub("", text)))
    return html.unescape(text) if re.search(r"&(?:#\d+|#x[\da-fA-F]+|[a-z]{2,8});", text) else text


def _alternative(tag: re.Match[str]) -> str:
    """What a picture's tag says in its place."""
    said = _ALT.search(tag[1])
    return said[1] if said else ""


def gathered(text: str) -> str:
    """``text`` with one blank line in place of several, except in code."""
    out: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark:
            fence = "" if fence and mark[1].startswith(fence) else fence or mark[1][:3]
        if line.strip() or fence or (out and out[-1].strip()):
            out.append(line)
    return "\n".join(out)
