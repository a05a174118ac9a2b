"""Counts of an article, for its author."""

from __future__ import annotations

from typing import Any

from mainspring.features.content.text.article import Article


def figures(article: Article) -> dict[str, Any]:
    """Words, statements by state, sources, and the share of statements that are supported (1 without any)."""
    every = article.statements()
    borne = [each for each in every if each.state in ("verbatim", "supported")]
    return {
        "words": sum(len(each.text.split()) for each in every if each.shown),
        "sections": len(article.sections),
        "statements": len(every),
        "verbatim": sum(each.state == "verbatim" for each in every),
        "struck": sum(each.state == "struck" for each in every),
        "marked": sum(each.state == "marked" for each in every),
        "supported": round(len(borne) / len(every), 4) if every else 1.0,
        "sources": len(article.sources),
        "unanswered": sum(len(each.missing) for each in article.sections),
        "tokens": sum(each.tokens for each in article.costs),
        "cost_nanousd": sum(each.cost_nanousd for each in article.costs),
        "seconds": round(sum(each.seconds for each in article.costs), 3),
    }
