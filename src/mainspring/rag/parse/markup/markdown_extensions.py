"""Removes extensions in Markdown files: HTML, roles, attributes, directives, shortcodes."""

from __future__ import annotations

import html
import re

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
_CONTAINER = re.compile(r"^\s*:{3,}\s*(?:\{?(\w+)\}?)?(?:\s+(.*))?$")
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
    said = _COMMENT.sub(lambda match: "" if match["open"] is None else match[0], text)
    for line in _without_html_tables(said).split("\n"):
        if not _TARGET.match(line):
            lines += _line(line)
    return "\n".join(lines)


def _without_html_tables(text: str) -> str:
    """``text`` with pipe tables in place of tables in HTML. One with a cell a row is only a layout: its cells become
    lines."""
    lowered = text.lower()
    out: list[str] = []
    at = 0
    while (start := lowered.find("<table", at)) >= 0 and (end := lowered.find("</table>", start)) >= 0:
        rows = [[_cell(each) for each in _CELL_TAG.split(row)[1:]] for row in _ROW_TAG.split(text[start:end])[1:]]
        rows = [row for row in rows if any(row)]
        lines = pipe_table(rows) if any(len(row) > 1 for row in rows) else [row[0] for row in rows]
        out += [text[at:start], "\n\n", "\n".join(lines), "\n\n"]
        at = end + len("</table>")
    return "".join([*out, text[at:]])


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
        return [f"{container[1].capitalize()}: {container[2] or ''}".rstrip() if container[1] else ""]
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
