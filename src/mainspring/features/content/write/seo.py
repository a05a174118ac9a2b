"""What search engines read of an article: title, slug, description, keywords, headings, structured data.

Made by rules of the article's own words. A small model may word title and description; what is not borne out by the
article is not taken.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mainspring.features.content.text.article import Article, Brief, Seo
from mainspring.rag.answer.write import claims
from mainspring.rag.text import terms

TITLE, DESCRIPTION, LEAST_DESCRIPTION = 60, 160, 50
_MOST_KEYWORDS = 8
_WORD = re.compile(r"[^\W\d_][\w’'-]*[^\W_]|[^\W\d_]")
_DENSEST = 0.04


def seo(article: Article, brief: Brief, proposed: Mapping[str, str] | None = None) -> Seo:
    """The fields of ``article``; ``proposed`` are a model's ``title`` and ``description``."""
    text = " ".join(each.text for each in article.statements() if each.shown)
    given = proposed or {}
    title = _taken(given.get("title", ""), article, text, 10, TITLE) or cut(article.title, TITLE)
    description = _taken(given.get("description", ""), article, text, LEAST_DESCRIPTION, DESCRIPTION)
    description = description or described(article)
    found = Seo(title, slug(article.title), description, keywords(article, brief))
    return Seo(found.title, found.slug, found.description, found.keywords, tuple(problems(article, found, brief)))


def cut(text: str, most: int) -> str:
    """``text`` in at most ``most`` characters, cut between words."""
    text = re.sub(r"\s+", " ", text).strip()
    if len(text) <= most:
        return text
    head = text[: most - 1]
    return head[: head.rfind(" ")].rstrip(" ,;:–—-") + "…" if " " in head else head + "…"


def slug(title: str) -> str:
    """Lower-case letters, digits and hyphens; at most 80 characters."""
    plain = unicodedata.normalize("NFKD", title.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    found = re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "")).strip("-")[:80].rstrip("-")
    return found or "article"


def described(article: Article) -> str:
    """The first sentence that fits, or as much of it as does."""
    shown = [each.text for each in article.statements() if each.shown]
    whole = [text for text in shown if LEAST_DESCRIPTION <= len(text) <= DESCRIPTION]
    return whole[0] if whole else cut(shown[0], DESCRIPTION) if shown else cut(article.title, DESCRIPTION)


def keywords(article: Article, brief: Brief) -> tuple[str, ...]:
    """The brief's that occur, then the words that occur most, as they are written most often."""
    text = " ".join(each.text for each in article.statements() if each.shown)
    counts: Counter[str] = Counter()
    written: dict[str, Counter[str]] = {}
    for stem, start, end in terms.located(text):
        word = text[start:end]
        if word[0].isalpha() and len(word) > 3:
            counts[stem] += 1
            written.setdefault(stem, Counter())[word.lower()] += 1
    present = terms.content(text)
    found = [each for each in brief.keywords if terms.content(each) <= present]
    taken = terms.content(" ".join(found))
    for stem, count in counts.most_common(40):
        if len(found) >= _MOST_KEYWORDS:
            break
        if count >= 2 and stem not in taken:
            found.append(written[stem].most_common(1)[0][0])
    return tuple(found)


def problems(article: Article, found: Seo, brief: Brief) -> list[str]:
    """What an editor should look at."""
    text = " ".join(each.text for each in article.statements() if each.shown)
    words = [word.lower() for word in _WORD.findall(text)]
    missing = [each for each in brief.keywords if not terms.content(each) <= terms.content(text)]
    said = [f"the keyword {each!r} does not occur" for each in missing]
    if len(found.description) < LEAST_DESCRIPTION:
        said.append(f"the description has fewer than {LEAST_DESCRIPTION} characters")
    for each in brief.keywords:
        if " " not in each and len(words) > 100 and words.count(each.lower()) / len(words) > _DENSEST:
            said.append(f"the keyword {each!r} occurs very often")
    if len({each.heading.lower() for each in article.sections}) < len(article.sections):
        said.append("two sections have the same heading")
    return said


def structured(article: Article, at: float, language: str = "en") -> dict[str, Any]:
    """The article as JSON-LD of schema.org, its sources as citations."""
    text = " ".join(each.text for each in article.statements() if each.shown)
    cited = [
        {"@type": "WebPage" if each.kind == "web" else "CreativeWork", "name": each.title}
        | ({"url": each.url} if each.url else {})
        for each in article.sources
    ]
    return {
        "@context": "https://schema.org",
        "@type": "Article",
        "headline": cut(article.title, 110),
        "description": article.seo.description,
        "keywords": ", ".join(article.seo.keywords),
        "inLanguage": language,
        "wordCount": len(text.split()),
        "datePublished": datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d"),
        "citation": cited,
    }


def _taken(proposed: str, article: Article, text: str, least: int, most: int) -> str:
    """``proposed`` if it has the right length and says nothing that the article does not say."""
    proposed = re.sub(r"\s+", " ", proposed).strip().strip("\"'")
    if not least <= len(proposed) <= most:
        return ""
    around = [article.title, *(each.heading for each in article.sections)]
    return "" if claims.problems(proposed, text, names="\n".join(around)) else proposed
