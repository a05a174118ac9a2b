"""An article as a page of HTML. Everything from outside is escaped, and only addresses of the web become links."""

from __future__ import annotations

import json
from html import escape
from urllib.parse import urlsplit

from mainspring.features.content.export.markdown import EXTRACTIVE, UNSUPPORTED, missing, named, numbers
from mainspring.features.content.text.article import Article, Paragraph, Source, Statement
from mainspring.features.content.write.seo import structured

_STYLE = (
    "body{font:17px/1.6 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}"
    "sup a{text-decoration:none}.note{opacity:.7;font-style:italic}mark{background:#fd6}ol{padding-left:1.5rem}"
)


def html(article: Article, at: float) -> str:
    """The whole page; ``at`` is when it was made, in Unix seconds."""
    found = article.seo
    data = json.dumps(structured(article, at), ensure_ascii=False).replace("<", "\\u003c")
    head = [
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(found.title or article.title)}</title>",
        f'<meta name="description" content="{escape(found.description)}">',
        f'<meta name="keywords" content="{escape(", ".join(found.keywords))}">',
        f'<meta property="og:title" content="{escape(found.title or article.title)}">',
        f'<meta property="og:description" content="{escape(found.description)}">',
        '<meta property="og:type" content="article">',
        f"<style>{_STYLE}</style>",
        f'<script type="application/ld+json">{data}</script>',
    ]
    head_text, body_text = "\n".join(head), body(article)
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head_text}\n</head>\n<body>\n{body_text}\n</body>\n</html>\n'


def body(article: Article) -> str:
    """The article without the page around it."""
    parts = ["<article>", f"<h1>{escape(article.title)}</h1>"]
    if article.mode == "extractive":
        parts.append(f'<p class="note">{EXTRACTIVE}</p>')
    for section in article.sections:
        inner = [text for each in section.paragraphs if (text := _paragraph(each, article))]
        inner += [f'<p class="note">{escape(missing(each))}</p>' for each in section.missing]
        if inner:
            parts += ["<section>", f"<h2>{escape(section.heading)}</h2>", *inner, "</section>"]
    if article.sources:
        items = [f'<li id="source-{at}">{_source(each)}</li>' for at, each in enumerate(article.sources, 1)]
        parts += ["<section>", "<h2>Sources</h2>", "<ol>", *items, "</ol>", "</section>"]
    return "\n".join([*parts, "</article>"])


def _paragraph(found: Paragraph, article: Article) -> str:
    shown = [_statement(each, article) for each in found.statements if each.shown]
    if not shown:
        return ""
    if found.kind == "text":
        return f"<p>{' '.join(shown)}</p>"
    lead = f"<p>{escape(found.lead)}</p>\n" if found.lead else ""
    items = "\n".join(f"<li>{each}</li>" for each in shown)
    return f"{lead}<ul>\n{items}\n</ul>"


def _statement(found: Statement, article: Article) -> str:
    text = escape(found.text)
    if found.state == "marked":
        return f'<mark title="{escape(found.reason)}">{text} {escape(UNSUPPORTED)}</mark>'
    marks = "".join(f'<a href="#source-{each}">[{each}]</a>' for each in numbers(found, article))
    return f"{text}<sup>{marks}</sup>" if marks else text


def _source(source: Source) -> str:
    text = escape(named(source))
    if urlsplit(source.url).scheme in ("http", "https"):
        return f'<a href="{escape(source.url)}" rel="noopener noreferrer nofollow">{text}</a>'
    return text
