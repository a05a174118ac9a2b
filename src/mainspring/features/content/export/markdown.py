"""An article as Markdown: marks of its numbered sources, struck statements left out, the list of sources below."""

from __future__ import annotations

import datetime
import re

from mainspring.features.content.text.article import Article, Paragraph, Source, Statement

UNSUPPORTED = "[unsupported]"
EXTRACTIVE = "This article is assembled of sentences of its sources, word for word."
_SPECIAL = re.compile(r"[\\`*<\[]|(?<![^\W_])_|_(?![^\W_])")
_OPENS = re.compile(r"^(\s*)([#>+-]|\d+[.)])(?=\s)")


def markdown(article: Article) -> str:
    """The text of ``article``."""
    parts = [f"# {escaped(article.title)}"]
    if article.mode == "extractive":
        parts.append(f"*{EXTRACTIVE}*")
    for section in article.sections:
        body = [paragraph(each, article) for each in section.paragraphs]
        body = [each for each in body if each]
        if not body and not section.missing:
            continue
        parts += [f"## {escaped(section.heading)}", *body]
        parts += [f"*{escaped(missing(each))}*" for each in section.missing]
    if article.sources:
        parts += ["## Sources", "\n".join(f"{at}. {_source(each)}" for at, each in enumerate(article.sources, 1))]
    return "\n\n".join(parts) + "\n"


def missing(question: str) -> str:
    """The words for a question without an answer."""
    return f"The sources do not say: {question}"


def paragraph(found: Paragraph, article: Article) -> str:
    """A paragraph or a list; empty if nothing of it is shown."""
    shown = [statement(each, article) for each in found.statements if each.shown]
    if not shown:
        return ""
    if found.kind == "text":
        return " ".join(shown)
    lead = [f"{_opening(escaped(found.lead))}\n"] if found.lead else []
    return "\n".join([*lead, *(f"- {each}" for each in shown)])


def statement(found: Statement, article: Article) -> str:
    """A statement with the marks of its sources."""
    marks = "".join(f"[{number}]" for number in numbers(found, article))
    mark = UNSUPPORTED if found.state == "marked" else marks
    return _opening(escaped(found.text)) + (f" {mark}" if mark else "")


def numbers(found: Statement, article: Article) -> list[int]:
    """The numbers of the sources of a statement, each once."""
    return list(dict.fromkeys(article.evidence[each].source for each in found.evidence))


def named(source: Source) -> str:
    """A source in words."""
    day = f", {datetime.datetime.fromtimestamp(source.at, datetime.UTC):%Y-%m-%d}" if source.at else ""
    where = f" ({source.collection})" if source.collection else ""
    return f"{source.title}{where}{day}"


def _source(source: Source) -> str:
    text = escaped(named(source))
    return f"{text}. <{source.url}>" if source.url else text


def escaped(text: str) -> str:
    """``text`` so that Markdown shows it as it is."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def _opening(text: str) -> str:
    """A line that does not begin like a list or a heading."""
    return _OPENS.sub(r"\1\\\2", text)
