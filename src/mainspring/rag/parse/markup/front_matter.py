"""Front matter: the pairs of keys and values that open a file of Markdown, HTML or reStructuredText.

The title heads the document. Descriptions are paragraphs below it, and other pairs are rows (``| date: 2024-03-01 |``),
which can be found and cited. What only steers the program that builds a site (``layout: page``) says nothing about the
subject, and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_FRONT_MATTER = re.compile(r"---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
# Pairs of keys and values that open a text, as those of MultiMarkdown, Pelican and Python's proposals do.
_HEADER = re.compile(
    r"(?:[A-Z][\w-]{0,30}(?: [\w-]{1,20}){0,2}:(?:[ \t][^\n]*)?\n(?:[ \t]+\S[^\n]*\n){0,20}){2,40}(?=\s*\n)"
)
_TITLE = re.compile(r"^title:[ \t]*+[\"']?(?=.)([^\n]*\S)", re.MULTILINE)
_KEY = re.compile(r"^([\w.-]+(?: [\w.-]+){0,2}):(?:[ \t]|$)")
_PLAIN_ITEM = re.compile(r"^-[ \t](?![ \t]*[\w.-]+:(?:[ \t]|$))")
_BLOCK = re.compile(r"[|>][+-]?\d?[+-]?")
_SWITCHES = frozenset(("true", "false", "null", "~"))
_MARKS = ("#", "---", "===", "|||")
# Keys of site generators, without their hyphens and underscores.
_STEERING = frozenset(
    "layout permalink slug url alias aliases redirect redirects redirectfrom redirectto template theme class bodyclass "
    "pageclass cssclass cssclasses nav navigation navorder navtitle haschildren parent grandparent sidebar sidenav "
    "sidebarlabel sidebarposition toc tocdepth outline pagetitle eleventynavigation pagination paginate sitemap robots "
    "canonical canonicalurl image images thumbnail cover banner ogimage opengraph twitter meta head icon prev next "
    "script scripts style styles stylesheet editurl customediturl contenttype outputs".split()
)
# These give a page its place in a menu if their value is a bare number.
_PLACES = frozenset("order weight position".split())
_PROSE = frozenset("description summary intro introduction excerpt abstract subtitle tagline synopsis".split())


def split(text: str) -> tuple[str, str]:
    """(front matter, the rest) of ``text``; the first is empty if there is none."""
    front = _FRONT_MATTER.match(text)
    if front is None:
        return header(text)
    first = next((line for line in front[1].split("\n") if line.strip() and not line.startswith("#")), "")
    # Other text between two rules is text.
    return (front[1], text[front.end() :]) if not first or _KEY.match(first) else ("", text)


def header(text: str) -> tuple[str, str]:
    """(the pairs that open ``text`` as front matter, the rest); the first is empty if they name no title."""
    found = _HEADER.match(text)
    if found is None:
        return "", text
    lines = re.sub(r"\n[ \t]+", " ", found[0]).split("\n")
    pairs = [line.partition(":") for line in lines if line.partition(":")[2].strip()]
    front = "\n".join(f"{'title' if key == 'Title' else key}:{value}" for key, _, value in pairs)
    return (front, text[found.end() :]) if _TITLE.search(front) else ("", text)


def title(front: str) -> str:
    """The title that ``front`` gives; empty if it gives none."""
    found = _TITLE.search(front)
    if found is None:
        return ""
    said = found[1]
    return said[:-1] if len(said) > 1 and said[-1] in "\"'" else said


def described(front: str, body: str = "", *, headed: bool = False) -> str:
    """What ``front`` says besides its title, as Markdown: a paragraph for each description, then a row for each other
    pair, then what is nested. Switches, marks, what ``body`` repeats and keys that steer a program are left out.
    ``headed``: ``body`` has a title of its own, so that another one in ``front`` is a row too."""
    heads, flat = title(front), " ".join(body.split())
    prose: list[str] = []
    rows = [f"| title: {heads} |"] if headed and heads and heads not in flat else []
    nested: list[str] = []
    for key, value, under in _entries(front):
        name = re.sub(r"[-_ ]", "", key.lower())
        if name in _STEERING or (name.startswith("ms.") and name != "ms.date"):
            continue
        if under:
            nested += [f"{key}:", *under]
        elif not key:
            nested.append(value)
        elif not value or value.lower() in _SWITCHES or value == heads or (name in _PLACES and value.isdigit()):
            continue
        elif name in _PROSE:
            said = " ".join(value.split())
            prose += [said] if said not in prose and said not in flat else []
        else:
            rows.append(f"| {key}: {value} |" if "|" not in value else f"{key}: {value}")
    return "\n\n".join([*prose, *filter(None, ("\n".join(rows), "\n".join(nested)))])


def _entries(front: str) -> Iterator[tuple[str, str, list[str]]]:
    """(key, value, lines nested under it) of each entry of ``front`` but its title. A line without a key is a value, so
    is a list of plain items, with commas, and text over several lines, in one."""
    groups: list[list[str]] = []
    for line in map(str.rstrip, front.split("\n")):
        if not line or line.startswith(_MARKS):
            continue
        if groups and line[0] in " \t-" and _KEY.match(groups[-1][0]):
            groups[-1].append(line)
        else:
            groups.append([line])
    for first, *under in groups:
        found = _KEY.match(first)
        if found is None:
            yield "", first, []
        elif found[1] != "title":
            yield found[1], *_value(first[found.end(1) + 1 :].strip(), under)


def _value(value: str, under: list[str]) -> tuple[str, list[str]]:
    """The value of a pair, and the lines ``under`` it that are no part of it."""
    lines = [line.strip() for line in under]
    if _BLOCK.fullmatch(value):
        return " ".join(lines), []
    if value:
        return _bare(" ".join([value, *lines])), []
    if lines and all(map(_PLAIN_ITEM.match, lines)):
        return ", ".join(_bare(line[1:]) for line in lines), []
    return "", under


def _bare(value: str) -> str:
    """``value`` without its quotes."""
    value = value.strip()
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
