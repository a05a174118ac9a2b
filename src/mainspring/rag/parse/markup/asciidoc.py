"""AsciiDoc as Markdown is parsed here: headings, items, fenced code, pipe tables, plain prose.

Attribute lines, anchors, conditions and includes control a build and are left out; macros leave their visible text.
Source: the AsciiDoc language documentation and the manual pages of git.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mainspring.rag.parse.markup import markup_tables

_HEADING = re.compile(r"(={1,6}|#{1,6})\s+(\S.*)$")
_UNDERLINES = {"=": 1, "-": 2, "~": 3, "^": 4, "+": 5}
_UNDERLINE = re.compile(r"([=\-~^+])\1{2,}\s*$")
_DELIMITED = re.compile(r"(-{4,}|\.{4,}|_{4,}|\*{4,}|={4,}|\+{4,}|/{4,}|--|```)\s*\S*$")
_LEFT_OUT = re.compile(
    r"(?:ifdef|ifndef|ifeval|endif|include|toc|image|ifn?def)::|//(?!/)|:[\w!-][\w-]*!?:(?:\s|$)|\[\[.*\]\]$|<<<$|'''$"
)
_ATTRIBUTES = re.compile(r"\[(?!\[)[^\]]*\]\s*$")
_TITLE = re.compile(r"\.(?!\.)(\S.*)$")
_TERM = re.compile(r"(\S.*?)(?:::{1,3}|;;)(?:\s+(\S.*))?$")
_BULLET = re.compile(r"(\*{1,5}|-|\.{1,5}|\d{1,3}\.|[a-z]\.)\s+(\S.*)$")
_LINK = re.compile(
    r"(?:link:)?(?:https?|ftp|mailto|irc):[^\s\[\]]{0,500}\[([^\]]*)\]|link:[^\s\[\]]{1,500}\[([^\]]*)\]"
)
_MANUAL = re.compile(r"\blink(?:git|man)?:([\w.-]+)\[(\d\w*)\]")
_CROSS = re.compile(
    r"<<((?:(?!<<)[^,>])+)(?:,\s*+((?:(?!<<)[^>])*))?>>|xref:((?:(?!xref:)[^\[\s])+)\[((?:(?!xref:)[^\]])*)\]"
)
_MACRO = re.compile(r"\b(?:footnote|kbd|btn|menu|pass|stem|indexterm2?|icon|anchor):[\w#]*\[([^\]]*)\]")
_ANCHOR = re.compile(r"\[\[[^\]]{1,300}\]\]|\(\(\(.{1,300}?\)\)\)")
_REFERENCE = re.compile(r"\{([\w-]+)\}")
_REFERENCES = {
    "empty": "", "nbsp": " ", "plus": "+", "asterisk": "*", "caret": "^", "tilde": "~", "apostrophe": "'", "sp": " ",
    "startsb": "[", "endsb": "]", "backslash": "\\", "backtick": "`", "two-colons": "::", "vbar": "|", "amp": "&",
    "lt": "<", "gt": ">", "litdd": "--", "lbracket": "[", "rbracket": "]", "zwsp": "",
}  # fmt: skip
_STRONG = re.compile(r"(?<![\w*])\*{1,2}(?=\S)([^*\n]+?)(?<=\S)\*{1,2}(?![\w*])")
_SLANTED = re.compile(r"(?<![\w_])_{1,2}(?=\S)([^_]+?)(?<=\S)_{1,2}(?![\w_])")
_PLUS = re.compile(r"(?<![\w+])\+(?=\S)([^+\n]+?)(?<=\S)\+(?![\w+])")
_PASS = re.compile(r"`\+(.(?:(?!`\+).)*?)\+`")


def to_markdown(text: str) -> str:
    """``text`` in Markdown. Lines of one paragraph become one line."""
    return "\n".join(_Converter([line.rstrip() for line in text.split("\n")]).lines()).strip("\n") + "\n"


class _Converter:
    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._at = 0
        self._out: list[str] = []
        self._style = ""
        # The indentation of the current text, within an item.
        self._inside = ""

    def lines(self) -> list[str]:
        """The Markdown lines."""
        while self._at < len(self._lines):
            self._next()
        return self._out

    def _next(self) -> None:
        line = self._lines[self._at]
        following = self._lines[self._at + 1] if self._at + 1 < len(self._lines) else ""
        under = _UNDERLINE.match(following)
        if not line.strip():
            self._out.append("")
            # After a blank line an item continues only with a plus or an indent.
            self._inside = self._inside if following == "+" or following.startswith((" ", "\t")) else ""
            self._at += 1
        elif line == "+":
            self._out.append("")
            self._inside = "  "
            self._at += 1
        elif _LEFT_OUT.match(line):
            self._at += 1
        elif _ATTRIBUTES.match(line):
            self._style = line.strip("[] ")
            self._at += 1
        elif (heading := _HEADING.match(line)) and not _DELIMITED.match(line):
            self._head(len(heading[1]), heading[2])
            self._at += 1
        elif under and abs(len(following.rstrip()) - len(line)) <= 3 and line[0].isalnum():
            self._head(_UNDERLINES[under[1]], line)
            self._at += 2
        elif line.startswith("|==="):
            self._table()
        elif _DELIMITED.match(line):
            self._block(line)
        elif (title := _TITLE.match(line)) and not _BULLET.match(line):
            self._write(f"{self.inline(title[1])}:")
            self._at += 1
        else:
            self._text(line)

    def _head(self, level: int, title: str) -> None:
        self._inside = ""
        self._out += ["", f"{'#' * min(6, level)} {self.inline(title.rstrip('= '))}", ""]

    def _write(self, text: str) -> None:
        self._out += [f"{self._inside}{text}"]

    def _block(self, opening: str) -> None:
        """Code in fences, comments left out; other delimiters only go."""
        mark = opening.split()[0]
        self._at += 1
        closing = "```" if mark.startswith("```") else mark
        end = next((n for n in range(self._at, len(self._lines)) if self._lines[n] == closing), None)
        body = self._lines[self._at : end]
        if mark[0] in "-.+`" and mark != "--" and end is not None:
            language = self._style.split(",")[1].strip() if self._style.startswith("source,") else "text"
            self._out += ["", *(f"{self._inside}{line}" for line in (f"```{language}", *body, "```")), ""]
            self._at = end + 1
        elif mark[0] == "/" and end is not None:
            self._at = end + 1
        self._style = ""

    def _table(self) -> None:
        self._at += 1
        cells: list[str] = []
        rows: list[list[str]] = []
        while self._at < len(self._lines) and not self._lines[self._at].startswith("|==="):
            line = self._lines[self._at]
            parts = [part.strip() for part in re.split(r"(?:(?<=\s)|^)[\d.+]*[<^>]?[aehlmsv]?\|", line)]
            if "|" in line:
                if len(parts) > 2:
                    rows.append(parts[1:])
                else:
                    cells += parts[1:]
            elif line.strip() and (rows or cells):
                last = rows[-1] if rows and not cells else cells
                last[-1] = f"{last[-1]} {line.strip()}"
            self._at += 1
        self._at += 1
        columns = self._style.count(",") + 1 if "cols=" in self._style else len(rows[0]) if rows else 2
        width = int(match[1]) if (match := re.search(r'cols="?(\d+)\*', self._style)) else columns
        rows += [cells[start : start + width] for start in range(0, len(cells), max(1, width))]
        self._out += ["", *markup_tables.pipe_table([[self.inline(cell) for cell in row] for row in rows]), ""]
        self._style = ""

    def _text(self, line: str) -> None:
        term, bullet = _TERM.match(line), _BULLET.match(line)
        styled, self._style = self._style, ""
        if styled.startswith(("verse", "listing", "literal", "source", "synopsis")):
            body = self._paragraph()
            self._out += ["", "```text", *body, "```", ""]
        elif term and not line.startswith((" ", "\t")):
            self._definition()
        elif bullet and not (line[0] == "-" and line.startswith("--")):
            self._at += 1
            said = " ".join([bullet[2], *(each.strip() for each in self._paragraph(begun=True))])
            depth = "  " * (len(bullet[1]) - 1 if bullet[1][0] in "*." else 0)
            marker = bullet[1] if bullet[1][0].isalnum() else "1." if bullet[1][0] == "." else "-"
            self._inside = ""
            self._out.append(f"{depth}{marker} {self.inline(said)}")
            self._inside = f"{depth}  "
        elif line.startswith((" ", "\t")) and not self._inside:
            body = self._paragraph()
            margin = min(len(each) - len(each.lstrip()) for each in body)
            self._out += ["", "```text", *(each[margin:] for each in body), "```", ""]
        else:
            said = " ".join(each.strip() for each in self._paragraph())
            self._write(self.inline(said))

    def _definition(self) -> None:
        """Terms on lines of their own, followed by their meaning, as one item."""
        terms = []
        while self._at < len(self._lines) and (found := _TERM.match(self._lines[self._at])):
            terms.append(self.inline(found[1]))
            self._at += 1
            if found[2]:
                break
        said = [found[2]] if found and found[2] else []
        while not said and self._at < len(self._lines) and not self._lines[self._at].strip():
            self._at += 1
        following = self._lines[self._at] if self._at < len(self._lines) else ""
        if not (_HEADING.match(following) or _DELIMITED.match(following) or _BULLET.match(following.strip())):
            said += [line.strip() for line in self._paragraph()]
        self._inside = ""
        self._out.append(f"- {', '.join(terms)}: {self.inline(' '.join(said))}".rstrip())
        self._inside = "  "

    def _paragraph(self, *, begun: bool = False) -> list[str]:
        """The lines up to a blank one, or to one that begins something else. ``begun``: its first line is read."""
        begin = self._at
        while self._at < len(self._lines):
            line = self._lines[self._at]
            ends = not line.strip() or line == "+" or _LEFT_OUT.match(line) or _DELIMITED.match(line)
            if ends or ((begun or self._at > begin) and (_BULLET.match(line.strip()) or _TERM.match(line))):
                break
            self._at += 1
        return list(self._lines[begin : self._at])

    def inline(self, text: str) -> str:
        """Prose without the marks of macros, links, anchors and emphasis."""
        text = _PASS.sub(r"`\1`", _REFERENCE.sub(lambda match: _REFERENCES.get(match[1], match[0]), text))
        text = _MANUAL.sub(r"\1(\2)", text)
        text = _LINK.sub(lambda match: match[1] or match[2] or match[0].split("[")[0].removeprefix("link:"), text)
        text = _CROSS.sub(lambda match: match[2] or match[4] or (match[1] or match[3]).split("#")[-1], text)
        text = _ANCHOR.sub("", _MACRO.sub(r"\1", text))
        parts = re.split(r"(`[^`]+`)", text)
        for number in range(0, len(parts), 2):
            part = _PLUS.sub(r"\1", _SLANTED.sub(r"\1", _STRONG.sub(r"\1", parts[number])))
            parts[number] = part.replace("``", "“").replace("''", "”").replace(" -- ", " – ")
        # Marks inside of code slant its placeholders.
        parts[1::2] = [re.sub(r"(?<!\w)_(<[^>]+>)_(?!\w)", r"\1", part) for part in parts[1::2]]
        return " ".join("".join(parts).split()).removesuffix(" +")
