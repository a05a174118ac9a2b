"""Manual pages (roff with the macros man or mdoc) as Markdown is parsed here: headings, items, fenced code, prose.

Only visible text is kept: comments, macro definitions, conditions and fonts are dropped. An option and its description
are one item. Source: groff_man(7), mdoc(7).
"""

from __future__ import annotations

import re

from mainspring.rag.parse.markup import markup_tables

_COMMENT = re.compile(r"(?<!\\)\\[\"#].*$")
_GLYPHS = {
    "aq": "'", "dq": '"', "lq": "“", "rq": "”", "oq": "‘", "cq": "’", "em": "—", "en": "–", "hy": "-", "bu": "•",
    "co": "©", "rg": "®", "tm": "™", "ti": "~", "ha": "^", "rs": "\\", "ga": "`", "mu": "×", "->": "→", "<-": "←",
    "<=": "≤", ">=": "≥", "!=": "≠", "+-": "±", "de": "°", "sq": "□", "or": "|", "at": "@", "sh": "#", "Do": "$",
    "ss": "ß", "mi": "-", "pl": "+", "cm": ",", "fm": "'", "sd": "″", "Fo": "«", "Fc": "»", "la": "⟨", "ra": "⟩",
}  # fmt: skip
_STRINGS = {"Aq": "'", "lq": "“", "rq": "”", 'L"': "“", 'R"': "”", "R": "®", "Tm": "™", "C+": "C++", "dd": '"'}
_ESCAPE = re.compile(
    r"\\(?:f(?:\[[^\]]*\]|\(..|.)|s[-+]?(?:\(\d\d|\[[^\]]*\]|\d{1,2})|[whvmMFbDlLZ]'[^']*'|m\[[^\]]*\]|F\[[^\]]*\]"
    r"|\((?P<glyph>..)|\[(?P<named>[^\]]*)\]|\*(?:\((?P<string>..)|\[(?P<strings>[^\]]*)\]|(?P<one>.))"
    r"|n(?:\(..|\[[^\]]*\]|.)|(?P<plain>.))"
)
_PLAIN = {"-": "-", "e": "\\", " ": " ", "~": " ", "0": " ", "\\": "\\", "'": "'", "`": "`", ".": ".", '"': ""}
# Macros leave space before marks that belong to the word before them.
_APART = re.compile(r" ([,;)]|[.:](?=$| [A-Z]))")
_FONTS = frozenset("B I R BR RB BI IB RI IR SM SB CW".split())
_SILENT = frozenset(
    "TH Dd Os ad na hy nh ne ta in ti ll fam ft ps so tr ds nr rm rn als mso if ie el while am PD DT UC AT hw ce fi_ "
    "lf pc cflags Bk Ek Sm rr de1 vs cs ss eo ec open write close ls mk rt".split()
)
_MDOC_TEXT = frozenset(
    "Nm Ar Fl Cm Op Pa Ev Ic Dv Er Va Vt Fn Fa Em Sy Li Xr Nd Sq Dq Ql Pq Bq Aq Qq Ns Lk Mt An".split()
)
_QUOTES = {"Op": "[]", "Sq": "‘’", "Dq": "“”", "Pq": "()", "Bq": "[]", "Aq": "<>", "Qq": '""'}


def to_markdown(text: str) -> str:
    """The page in Markdown. Lines of one paragraph become one line."""
    reader = _Reader()
    for line in text.split("\n"):
        reader.line(line)
    return reader.markdown()


class _Reader:
    def __init__(self) -> None:
        self._out: list[str] = []
        self._words: list[str] = []
        # An item's term, and whether the next text is the term or its meaning.
        self._term: list[str] = []
        self._state = ""
        self._code = False
        self._skip = 0
        self._table: list[list[str]] | None = None
        # Whether the format of the table is read, and whether a block of text is open in its last cell.
        self._format = self._cell = False
        self._tab = "\t"
        self._name = ""
        self._indent = 0

    def markdown(self) -> str:
        """What was read."""
        self._end()
        return "\n".join(self._out).strip("\n") + "\n"

    def line(self, line: str) -> None:
        """Take one line of the source."""
        if self._skipped(line) or self._in_table(line):
            return
        if not line.startswith((".", "'")):
            text = _shown(_COMMENT.sub("", line))
            if self._code:
                self._out.append(text)
            elif line.strip():
                self._say(text)
            else:
                self._end()
            return
        name, _, rest = line[1:].strip().partition(" ")
        rest = _COMMENT.sub("", rest).strip()
        if name.startswith(("\\", "#")) or not name:
            return
        self._macro(name, rest)

    def _skipped(self, line: str) -> bool:
        """Whether the line belongs to a definition or a condition; no branch is shown."""
        if self._skip < 0:
            self._skip = 0 if line.startswith("..") else -1
            return True
        if re.match(r"[.']\s*(?:de|am|ig)\b", line):
            self._skip = -1
            return True
        if self._skip or re.match(r"[.']\s*(?:if|ie|el|while)\b", line):
            self._skip += line.count("\\{") - line.count("\\}")
            return True
        return False

    def _in_table(self, line: str) -> bool:
        """Take a line of a table: its format first, then a row a line, whose cells may be blocks between T{ and T}."""
        if self._table is None or line.startswith(".TE"):
            return False
        if self._format or line.startswith(".T&"):
            tab = re.search(r"\btab ?\((.)\)", line)
            self._tab = tab[1] if tab else self._tab
            self._format = not line.rstrip().endswith(".")
        elif self._cell and not line.startswith("T}"):
            if not line.lstrip().startswith((".", "'")):
                self._table[-1][-1] = f"{self._table[-1][-1]} {_shown(line)}".strip()
        elif line[:1] not in (".", "_", "="):
            cells = line[2:].split(self._tab)[1:] if self._cell else line.split(self._tab)
            if not self._cell:
                self._table.append([])
            self._cell = bool(cells) and cells[-1] == "T{"
            self._table[-1] += ["" if cell == "T{" else _shown(cell) for cell in cells]
        return True

    def _macro(self, name: str, rest: str) -> None:
        if name in ("TH", "Dt"):
            words = _arguments(rest)
            section = f"({words[1]})" if len(words) > 1 else ""
            self._out += [f"# {words[0] if words else ''}{section}", ""]
        elif name in ("SH", "Sh", "SS", "Ss"):
            self._end()
            self._indent = 0
            self._out += ["", f"{'##' if name[1] in 'Hh' else '###'} {' '.join(_arguments(rest)) or ''}".rstrip(), ""]
        elif name in ("PP", "P", "LP", "Pp", "HP", "sp", "br", "RE", "Ed", "El", "RS", "Bl"):
            self._break(name)
        elif name in ("TP", "TQ"):
            self._end(term=name == "TQ")
            self._state = "term"
        elif name in ("IP", "It"):
            self._item(name, rest)
        elif name in ("nf", "EX", "Bd"):
            self._end()
            self._code = True
            self._out += ["", "```text"]
        elif name in ("fi", "EE") and self._code:
            self._fence()
        elif name == "TS":
            self._end()
            self._table, self._format, self._cell, self._tab = [], True, False, "\t"
        elif name == "TE" and self._table is not None:
            self._out += ["", *markup_tables.pipe_table(self._table), ""]
            self._table = None
        elif name in ("UR", "MT"):
            self._say(f"<{rest}>")
        elif name in _FONTS:
            words = _arguments(rest)
            self._text(("" if len(name) == 2 and name not in ("SM", "SB", "CW") else " ").join(words))
        elif name in _MDOC_TEXT:
            self._text(self._mdoc(name, rest))
        elif name not in _SILENT and name[0].isupper() and len(name) == 2 and self._table is None:
            self._text(" ".join(_arguments(rest)))

    def _break(self, name: str) -> None:
        if name == "RS" and self._words and len(self._words) < 6 and not self._state:
            # A term on lines of its own, and its meaning indented below, as DocBook writes them.
            self._term, self._words, self._state = [word for word in self._words if word != "\n"], [], "body"
            self._indent += 1
            return
        if name == "Ed" and self._code:
            self._fence()
            return
        if name == "br" and not self._state and not self._code:
            self._words.append("\n")
            return
        if name in ("br", "sp") and self._code:
            self._out.append("")
            return
        if name == "RE" or self._state != "term":
            self._end()
        if name == "RE":
            self._indent = max(0, self._indent - 1)

    def _fence(self) -> None:
        self._code = False
        self._out += ["```", ""]

    def _item(self, name: str, rest: str) -> None:
        self._end()
        words = _arguments(rest)
        if name == "It":
            self._term, self._state = [self._mdoc("It", rest)] if rest else [], "body"
            return
        term = words[0] if words else ""
        if not term:
            return
        self._term, self._state = ([] if term in "•*-o–" else [term]), "body"

    def _say(self, text: str) -> None:
        self._text(text)

    def _text(self, text: str) -> None:
        text = _shown(text) if "\\" in text else text
        if self._code:
            self._out.append(text)
        elif self._state == "term":
            self._term.append(text.strip())
            self._state = "body"
        elif text.strip():
            self._words.append(text.strip())

    def _end(self, *, term: bool = False) -> None:
        """Write the paragraph or the item that was read. ``term``: another term of the same item follows."""
        if term and not self._words:
            return
        lines = [_APART.sub(r"\1", " ".join(part.split())) for part in " ".join(self._words).split("\n")]
        text = "\n".join(line for line in lines if line)
        if self._state:
            said = f"{', '.join(self._term)}: {text}" if self._term else text
            self._out += [f"- {said}".rstrip()] if said.strip() else []
        elif text:
            self._out += ["", text, ""]
        self._words, self._term, self._state = [], [], ""

    def _mdoc(self, name: str, rest: str) -> str:
        """The text of a line of mdoc's macros."""
        words = [name, *_arguments(rest)] if name != "It" else _arguments(rest)
        found: list[str] = []
        closing = ""
        flag = glue = False
        for number, word in enumerate(words):
            if word in _MDOC_TEXT:
                if flag:
                    found.append("-")
                flag = word == "Fl"
                glue = glue or word == "Ns"
                if word in _QUOTES:
                    found.append(_QUOTES[word][0])
                    glue, closing = True, _QUOTES[word][1] + closing
                if word == "Nm" and (number + 1 == len(words) or words[number + 1] in _MDOC_TEXT) and self._name:
                    found.append(self._name)
                if word == "Ar" and number + 1 == len(words):
                    found.append("file ...")
                continue
            if name == "Nm" and not self._name:
                self._name = word
            shown = f"-{word}" if flag and word not in ".,:;)]" else word
            flag = flag and word == "|"
            joins = glue or word in ".,:;)]" or (found and re.fullmatch(r"\d\w?", word) and words[number - 2] == "Xr")
            glue = False
            if joins and found:
                found[-1] += f"({word})" if words[max(0, number - 2)] == "Xr" and word[0].isdigit() else shown
            else:
                found.append(shown)
        return " ".join(found) + closing


def _arguments(text: str) -> list[str]:
    """The words of a macro's line; quoted ones are one."""
    # An escaped space is part of its word.
    words = re.findall(r'"((?:[^"]|"")*)"?|((?:\\.|\S)+)', text)
    return [_shown((quoted or bare).replace('""', '"')) for quoted, bare in words]


def _shown(text: str) -> str:
    """``text`` without roff's escapes."""

    def glyph(match: re.Match[str]) -> str:
        named = match["glyph"] or match["named"]
        if named is not None:
            if re.fullmatch(r"u[0-9A-F]{4,6}", named):
                return chr(int(named[1:], 16)) if int(named[1:], 16) < 0x110000 else ""
            return _GLYPHS.get(named, "")
        string = match["string"] or match["strings"] or match["one"]
        if string is not None:
            return _STRINGS.get(string, "")
        return _PLAIN.get(match["plain"] or "", "")

    return _ESCAPE.sub(glyph, text)
