"""Lists that Markdown files write in HTML, as items of Markdown: each can be found, shown and cited by itself."""

from __future__ import annotations

import re

_TAG = re.compile(r"<(?P<end>/?)(?P<name>ul|ol|li)\b[^<>]*>", re.IGNORECASE)
# What stands between the tag of an item and its first words.
_OPENING = re.compile(r"\s*(?:<p\b[^<>]*>\s*)?", re.IGNORECASE)
_INDENT = "  "


def items(text: str) -> str:
    """``text`` with a mark ("- ", or a number within ``ol``) in place of each ``li``, one a line, deeper ones indented.
    Lists in rows of pipe tables and in code stay."""
    out: list[str] = []
    # For each open list the number of its next item, None if it has no numbers.
    depth: list[int | None] = []
    at = line = ticks = 0
    for tag in _TAG.finditer(text):
        begin = text.rfind("\n", at, tag.start()) + 1
        if begin:
            line, ticks = begin, 0
        ticks += text.count("`", max(at, line), tag.start())
        if ticks % 2 or text.startswith("|", line):
            out.append(text[at : tag.end()])
            at = tag.end()
            continue
        out.append(text[at : tag.start()])
        at = tag.end()
        name = tag["name"].lower()
        if name == "li" and not tag["end"]:
            number = depth[-1] if depth else None
            if number is not None:
                depth[-1] = number + 1
            out[-1] = out[-1].rstrip(" \t")
            mark = "- " if number is None else f"{number}. "
            out.append(f"{_break(out)}{_INDENT * (len(depth) - 1)}{mark}")
            opening = _OPENING.match(text, at)
            at = opening.end() if opening else at
        elif name != "li" and not tag["end"]:
            depth.append(1 if name == "ol" else None)
        elif name != "li" and depth:
            depth.pop()
            # What follows a list in its line is a paragraph of its own.
            out.append("" if depth else "\n\n")
    return "".join([*out, text[at:]])


def _break(out: list[str]) -> str:
    """What ends the line of ``out``."""
    last = next((part for part in reversed(out) if part), "\n")
    return "" if last.endswith("\n") else "\n"
