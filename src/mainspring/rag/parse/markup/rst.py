"""reStructuredText as Markdown is parsed here: headings, items, fenced code, pipe tables, plain prose.

Sphinx's directives and roles are converted by their effect: a described function becomes a heading, a note a paragraph
that starts with ``Note:``, a role its text. Parts that only control a build (indexes, targets, comments) are left out.
Source: the reStructuredText specification of Docutils and the directives of Sphinx.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mainspring.rag.parse.markup import markup_tables

_MARKS = re.compile(r"([=\-`:.'\"~^_*+#<>!$%&,/;?@\\|])\1{2,}\s*$")
_EXPLICIT = re.compile(r"\.\.(?:\s|$)")
_DIRECTIVE = re.compile(r"\.\.\s+(?:\|[^|]+\|\s+)?(?:[\w-]+:)?([\w-]+)::\s*(.*)$")
_SUBSTITUTION = re.compile(r"\.\.\s+\|([^|]+)\|\s+(?:replace|unicode)::\s*(.*)$")
_FOOTNOTE = re.compile(r"\.\.\s+\[([^\]]+)\]\s*(.*)$")
_BULLET = re.compile(r"([*+•‣-]|\(?(?:\d{1,3}|#|[a-zA-Z])[.)])(\s+)(?=\S)")
_OPTION = re.compile(
    r"((?:-{1,2}|/)[\w?][^\s,]*(?:[ =][<\w][^\s,]*)?(?:, -{1,2}[\w?]\S*(?:[ =][<\w]\S*)?)*)"
    r"(?:\s{2,}(\S.*))?$"
)
_FIELD = re.compile(r":([^:\s`][^:`]*):(?:\s+(.*))?$")
_GRID = re.compile(r"\+(?:[-=]+\+)+\s*$")
_SIMPLE = re.compile(r"={2,}(?:\s+={2,})+\s*$")
_CODE = frozenset(
    "code-block code sourcecode parsed-literal doctest testcode productionlist math highlight-block prompt console "
    "ipython testoutput graphviz digraph".split()
)
_SILENT = frozenset(
    "index module moduleauthor sectionauthor currentmodule highlight toctree contents audit-event raw include meta "
    "role default-role tabularcolumns testsetup testcleanup literalinclude sectnum codeauthor program image py-module "
    "automodule target-notes title header footer ifconfig impl-detail-index XXX availability-index".split()
)
_SAYS = {
    "versionadded": "Added in version {}", "versionchanged": "Changed in version {}",
    "deprecated": "Deprecated since {}",
    "deprecated-removed": "Deprecated since {}", "versionremoved": "Removed in version {}", "seealso": "See also",
    "availability": "Availability", "impl-detail": "Implementation detail",
    "soft-deprecated": "Soft deprecated since {}",
}  # fmt: skip
_ADMONITIONS = frozenset("note warning tip hint important caution danger attention error admonition todo".split())
_DESCRIBES = frozenset(
    "function method class attribute data exception option cmdoption envvar describe object decorator staticmethod "
    "classmethod opcode decoratormethod property type macro member struct enum enumerator var confval setting "
    "django-admin rst-directive directive term pdbcommand monitoring-event coroutinefunction coroutinemethod "
    "awaitablefunction awaitablemethod abstractmethod".split()
)
_ROLE = re.compile(r":[\w.+-]{1,60}(?::[\w.+-]{1,60}){0,4}:`([^`]+)`")
_LITERAL = re.compile(r"``(.+?)``", re.DOTALL)
_LINK = re.compile(r"`([^`<]+)<[^`>]+>`__?")
_REFERENCE = re.compile(r"`([^`]+)`__?(?!\w)")
# "mp3gain_" points to a target of that name.
_TARGET = re.compile(r"\.\. _([\w.+-]+):")
_WORD_LINK = re.compile(r"(?<![\w.+-])([\w.+-]*[^\W_])_(?!\w)")
_NOTE_MARK = re.compile(r"\s?\[(?:\d+|#[\w-]*|\*)\]_(?!\w)")
_EMPHASIS = re.compile(r"(?<![\w*\\])(\*{1,2})(?=\S)([^*]+?)(?<=\S)\1(?!\w)")
_DEFAULT_ROLE = re.compile(r"(?<![`\w:])`([^`\n]+)`(?![`_\w])")
_ESCAPE = re.compile(r"\\(\s|.)", re.DOTALL)
_KEPT = "\x00{}\x00"
_KEPT_AT = re.compile("\x00(\\d+)\x00")


def to_markdown(text: str) -> str:
    """``text`` in Markdown. Lines of one paragraph become one line."""
    lines = [line.expandtabs(8).rstrip() for line in text.split("\n")]
    return "\n".join(_Converter(lines).block(lines, 0)).strip("\n") + "\n"


class _Converter:
    """Converts blocks; knows the order of heading marks and the substitutions of the document."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._levels: list[str] = []
        self._level = 1
        self._replaced = {match[1]: match[2] for line in lines if (match := _SUBSTITUTION.match(line.strip()))}
        self._targets = {match[1].lower() for line in lines if (match := _TARGET.match(line.strip()))}

    def block(self, lines: Sequence[str], depth: int) -> list[str]:
        """The Markdown lines of a block, whose own lines are not indented."""
        out: list[str] = []
        at = 0
        while at < len(lines):
            line = lines[at]
            if not line.strip():
                out.append("")
                at += 1
            elif line[0] == " ":
                end = _indented(lines, at, 1)
                out += ["", *self.block(_dedented(lines[at:end]), depth), ""]
                at = end
            else:
                at = self._next(lines, at, out, depth)
        return out

    def _next(self, lines: Sequence[str], at: int, out: list[str], depth: int) -> int:
        """Convert the element at line ``at``; returns the next line after it."""
        line = lines[at]
        heading = self._heading(lines, at, out)
        if heading:
            return heading
        if _EXPLICIT.match(line):
            return self._explicit(lines, at, out, depth)
        if line.startswith("__ ") or (_MARKS.match(line) and len(line) >= 4 and not _SIMPLE.match(line)):
            return at + 1
        if _GRID.match(line) or _SIMPLE.match(line):
            table, end = markup_tables.grid(lines, at) if line[0] == "+" else markup_tables.simple(lines, at)
            out += ["", *markup_tables.pipe_table([[self.inline(cell) for cell in row] for row in table]), ""]
            return end
        if line.startswith(">>>"):
            end = _until_blank(lines, at)
            out += ["", "```python", *lines[at:end], "```", ""]
            return end
        bullet = _BULLET.match(line)
        if bullet:
            return self._item(lines, at, out, depth, bullet)
        field = _FIELD.match(line)
        option = _OPTION.match(line)
        following = lines[at + 1] if at + 1 < len(lines) else ""
        if field or (option and (option[2] or following.startswith(" "))):
            end = _indented(lines, at + 1, 1)
            term = field[1] if field else option[1] if option else ""
            said = (field[2] if field else option[2] if option else "") or ""
            body = _dedented(lines[at + 1 : end])
            self._definition(term if field else f"`{term}`", [said, *body] if said else body, out, depth)
            return end
        return self._paragraph(lines, at, out, depth)

    def _heading(self, lines: Sequence[str], at: int, out: list[str]) -> int:
        """The line after a heading that starts at ``at``; 0 if none does."""
        over = _MARKS.match(lines[at])
        title = lines[at + 1] if over and at + 2 < len(lines) else lines[at]
        under = at + 2 if over else at + 1
        marks = _MARKS.match(lines[under]) if under < len(lines) else None
        if not marks or not title.strip() or _MARKS.match(title) or (over and over[1] != marks[1]):
            return 0
        if len(lines[under].rstrip()) < min(len(title.strip()), 4) or (not over and title[0] == " "):
            return 0
        mark = marks[1] + ("o" if over else "")
        if mark not in self._levels:
            self._levels.append(mark)
        self._level = min(6, self._levels.index(mark) + 1)
        out += ["", f"{'#' * self._level} {self.inline(title.strip())}", ""]
        return under + 1

    def _explicit(self, lines: Sequence[str], at: int, out: list[str], depth: int) -> int:
        end = _indented(lines, at + 1, 1)
        body = _dedented(lines[at + 1 : end])
        note = _FOOTNOTE.match(lines[at])
        match = _DIRECTIVE.match(lines[at])
        if note:
            out += ["", self.inline(" ".join([note[2], *(line for line in body if line)])), ""]
        elif match and not _SUBSTITUTION.match(lines[at]):
            self._directive(match[1], match[2].strip(), body, out, depth)
        return end

    def _directive(self, name: str, argument: str, body: list[str], out: list[str], depth: int) -> None:
        options, content = _options(body)
        if name in _SILENT:
            return
        if name in _CODE:
            language = argument if re.fullmatch(r"[\w+-]+", argument) else "text"
            code = content if name != "math" or content else [argument]
            out += ["", f"```{language}", *_trimmed(code), "```", ""]
        elif name in ("list-table", "csv-table"):
            rows = markup_tables.csv_rows(content) if name[0] == "c" else markup_tables.list_rows(content)
            headed = options.get("header")
            rows = [*markup_tables.csv_rows([headed]), *rows] if headed else rows
            out += [
                "",
                self.inline(argument),
                "",
                *markup_tables.pipe_table([[self.inline(c) for c in row] for row in rows]),
                "",
            ]
        elif name in _DESCRIBES:
            self._described(argument, body, out, depth)
        elif name in _SAYS or name in _ADMONITIONS:
            self._admonition(name, argument, content, out, depth)
        elif name in ("rubric", "centered", "topic"):
            out += ["", self.inline(argument), "", *self.block(content, depth)]
        else:
            said = self.inline(argument) if name in ("epigraph", "pull-quote", "productionlist", "table") else ""
            out += ["", said, *self.block(content, depth), ""]

    def _admonition(self, name: str, argument: str, content: list[str], out: list[str], depth: int) -> None:
        label = _SAYS.get(name, name.capitalize() if name != "admonition" else argument)
        if "{}" in label:
            version, _, rest = argument.partition(" ")
            label, argument = label.format(version.rstrip(",")), rest
        elif name == "admonition":
            argument = ""
        converted = _trimmed(self.block([argument, *content] if argument else content, depth))
        prose = converted and not converted[0].startswith(("- ", "#", "|", "```"))
        # A bare "Added in version 3.4." is a sentence; before prose it opens the sentence.
        first = f"{label}: {converted[0]}" if prose else f"{label}:" if converted else f"{label}."
        out += ["", first, *(converted[1:] if prose else ["", *converted]), ""]

    def _described(self, argument: str, body: list[str], out: list[str], depth: int) -> None:
        signatures = [argument] if argument else []
        rest = list(body)
        while rest and rest[0].strip() and not rest[0].startswith(":"):
            signatures.append(rest.pop(0).strip())
        joined = " ".join(signatures).replace("\\ ", "") if argument.endswith("\\") else ", ".join(signatures)
        _, content = _options(rest)
        outer, self._level = self._level, min(6, self._level + 1)
        signature = re.sub(r"\s+", " ", joined.replace("\\", ""))
        out += ["", f"{'#' * self._level} {signature}", "", *self.block(content, depth), ""]
        self._level = outer

    def _item(self, lines: Sequence[str], at: int, out: list[str], depth: int, bullet: re.Match[str]) -> int:
        width = bullet.end()
        end = _indented(lines, at + 1, 2)
        body = [lines[at][width:], *_dedented(lines[at + 1 : end])]
        converted = _trimmed(self.block(body, depth + 1))
        marker = "-" if bullet[1] in "*+•‣-" else "1." if "#" in bullet[1] else bullet[1]
        out += [f"{marker} {converted[0] if converted else ''}", *(f"  {line}".rstrip() for line in converted[1:])]
        return end

    def _definition(self, term: str, body: Sequence[str], out: list[str], depth: int) -> None:
        converted = _trimmed(self.block(body, depth + 1))
        prose = bool(converted) and not converted[0].startswith(("#", "|", "```", "- "))
        out += [f"- {term}: {converted[0]}" if prose else f"- {term}:"]
        out += [f"  {line}".rstrip() for line in converted[int(prose) :]]

    def _paragraph(self, lines: Sequence[str], at: int, out: list[str], depth: int) -> int:
        following = lines[at + 1] if at + 1 < len(lines) else ""
        if following.startswith(" ") and not lines[at].endswith("::"):
            # A definition: its term on one line, its meaning below, indented.
            end = _indented(lines, at + 1, 1)
            self._definition(self.inline(lines[at]), _dedented(lines[at + 1 : end]), out, depth)
            return end
        end = at
        while end < len(lines) and lines[end].strip() and lines[end][0] != " ":
            if end > at and lines[end].startswith("* "):
                # Without the blank line in front of it a list is prose by the letter, and meant as a list.
                break
            end += 1
        text = " ".join(line.strip() for line in lines[at:end])
        if text.endswith("::"):
            stop = _indented(lines, end, 1)
            said = text[:-2].rstrip()
            code = _trimmed(_dedented(lines[end:stop]))
            out += ["", f"{self.inline(said)}:" if said else "", ""]
            out += ["```text", *code, "```", ""] if code else []
            return stop
        out += ["", self.inline(text), ""]
        return end

    def inline(self, text: str) -> str:
        """Prose without the marks of roles, links, emphasis and substitutions."""
        kept: list[str] = []

        def keep(shown: str) -> str:
            kept.append(shown)
            return _KEPT.format(len(kept) - 1)

        text = _LITERAL.sub(lambda match: keep(f"`{match[1]}`"), text)
        text = _ROLE.sub(lambda match: keep(_role(match[0], match[1])), text)
        text = _NOTE_MARK.sub("", text)
        text = re.sub(r"\|([^|\s][^|]*)\|_{0,2}", lambda match: self._replaced.get(match[1], match[1]), text)
        text = _LINK.sub(lambda match: match[1].rstrip(), text)
        text = _REFERENCE.sub(r"\1", text)
        text = _DEFAULT_ROLE.sub(r"\1", text)
        text = _WORD_LINK.sub(lambda match: match[1] if match[1].lower() in self._targets else match[0], text)
        text = _EMPHASIS.sub(r"\2", text)
        text = _ESCAPE.sub(lambda match: "" if match[1].isspace() else match[1], text)
        while _KEPT_AT.search(text):
            text = _KEPT_AT.sub(lambda match: kept[int(match[1])], text)
        return " ".join(text.split())


def _role(whole: str, text: str) -> str:
    """The visible text of a role: its title, or the end of the name that it points to."""
    text = " ".join(text.split())
    # "Title <name>": the name has no bracket in it.
    place = text.find("<", text.rfind(">", 0, -1) + 1 or 1)
    if text.endswith(">") and 0 < place < len(text) - 2:
        return text[:place].rstrip().lstrip("!~")
    if whole.startswith((":pep:", ":rfc:")):
        return f"{whole[1:4].upper()} {text.lstrip('!')}"
    name = text[1:].rsplit(".", 1)[-1] if text.startswith("~") else text.lstrip("!")
    called = re.match(r":(?:[\w]+:)?(?:func|meth|cfunc):", whole) is not None
    return f"{name}()" if called and not name.endswith(")") else name


def _options(body: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """(the options at the head of a directive's body, the rest of it)."""
    options: dict[str, str] = {}
    rest = list(body)
    while rest and (match := _FIELD.match(rest[0])):
        options[match[1]] = match[2] or ""
        rest.pop(0)
    return options, rest


def _indented(lines: Sequence[str], at: int, width: int) -> int:
    """The line behind those from ``at`` on that are blank or indented by ``width`` columns or more."""
    end = last = at
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith(" " * width)):
        end += 1
        last = end if lines[end - 1].strip() else last
    return last


def _dedented(lines: Sequence[str]) -> list[str]:
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return [line[margin:] for line in lines]


def _trimmed(lines: Sequence[str]) -> list[str]:
    found = list(lines)
    while found and not found[0].strip():
        found.pop(0)
    while found and not found[-1].strip():
        found.pop()
    return found


def _until_blank(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and lines[at].strip():
        at += 1
    return at
