"""An article as a Word document, with the library that the extra ``documents`` brings."""

from __future__ import annotations

import datetime
import io
import re
from typing import Any

from mainspring.core.errors import MissingExtra
from mainspring.features.content.export.markdown import EXTRACTIVE, UNSUPPORTED, missing, named, numbers
from mainspring.features.content.text.article import Article, Paragraph, Statement

# What XML has no place for.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def docx(article: Article, at: float) -> bytes:
    """The file; ``at`` is when it was made, in Unix seconds. Raises ``MissingExtra``."""
    try:
        from docx import Document
    except ImportError:
        raise MissingExtra(
            "Word documents cannot be written", remedy="Run `pip install 'mainspring[documents]'`"
        ) from None
    made = Document()
    about = made.core_properties
    about.title, about.subject = _text(article.title)[:255], _text(article.seo.description)[:255]
    about.keywords, about.author = ", ".join(article.seo.keywords)[:255], ""
    about.created = about.modified = datetime.datetime.fromtimestamp(at, datetime.UTC).replace(tzinfo=None)
    made.add_heading(_text(article.title), 0)
    if article.mode == "extractive":
        made.add_paragraph().add_run(EXTRACTIVE).italic = True
    for section in article.sections:
        shown = [each for each in section.paragraphs if any(one.shown for one in each.statements)]
        if not shown and not section.missing:
            continue
        made.add_heading(_text(section.heading), 1)
        for part in shown:
            _paragraph(made, part, article)
        for question in section.missing:
            made.add_paragraph().add_run(_text(missing(question))).italic = True
    if article.sources:
        made.add_heading("Sources", 1)
        for number, source in enumerate(article.sources, 1):
            where = f". {source.url}" if source.url else ""
            made.add_paragraph(f"[{number}] {_text(named(source))}{_text(where)}")
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def _paragraph(made: Any, part: Paragraph, article: Article) -> None:
    shown = [each for each in part.statements if each.shown]
    if part.kind == "list":
        if part.lead:
            made.add_paragraph(_text(part.lead))
        for each in shown:
            _statement(made.add_paragraph(style="List Bullet"), each, article)
        return
    line = made.add_paragraph()
    for at, each in enumerate(shown):
        if at:
            line.add_run(" ")
        _statement(line, each, article)


def _statement(line: Any, found: Statement, article: Article) -> None:
    line.add_run(_text(found.text))
    if found.state == "marked":
        line.add_run(f" {UNSUPPORTED}").bold = True
    elif marks := "".join(f"[{number}]" for number in numbers(found, article)):
        line.add_run(marks).font.superscript = True


def _text(text: str) -> str:
    return _NOT_XML.sub("", text)
