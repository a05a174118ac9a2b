"""What may stand in an article by itself: whole sentences that do not lean on what is not there."""

from __future__ import annotations

import re

from mainspring.rag.answer.verbatim.display import leans
from mainspring.rag.text import terms

_LEAST_WORDS, _MOST_WORDS = 5, 70
# "See section 4", "Figure 2 shows": what it points to is not in the article.
_POINTS = re.compile(
    r"(?:see|cf\.?|as (?:shown|described|mentioned|noted|discussed|seen) (?:above|below|in)|figure|fig\.|table|section|"
    r"chapter|listing|appendix)\b.{0,3}\d*",
    re.IGNORECASE,
)
_REFERS = re.compile(
    r"\b(?:section|chapter|table|figure|fig\.|appendix|listing) \d"
    r"|\b(?:above|below|following|previous|next) (?:faq )?"
    r"(?:section|chapter|figure|table|example|paragraph|code|listing|entry|question|answer)\b"
    r"|\b(?:see|as (?:shown|described|mentioned|noted|discussed)) (?:above|below)\b"
    r"|\b(?:in )?this (?:section|chapter|paper|article|document|tutorial|guide|page|faq|manual)\b"
    r"|\b(?:refer to|see(?: also)?|details (?:in|at)|found (?:in|at)) "
    r"(?::\w+:|`|\[|the (?:docs|documentation)\b|https?:)"
    r"|\bplease (?:refer|see|visit|read)\b|\bfor (?:more|further) (?:information|details)\b|\bread (?:more )?about\b"
    r"|\bhere[.:]?$",
    re.IGNORECASE,
)
_OPENS = re.compile(
    r"(?:and|or|but|also|thus|hence|moreover|furthermore|additionally|similarly|likewise|conversely|consequently|"
    r"meanwhile|nevertheless|nonetheless|finally|for (?:example|instance)|on the other hand|as a result|"
    r"in (?:addition|contrast|particular|other words|general|short|that case|such cases?|these cases?)|"
    r"here|there|these|those|yes|no|well|just|sure|ok|okay|assume|suppose|alternatively|again|either of|"
    r"if (?:either|any|one|none) of|the (?:second|third|other|last|next) )\b",
    re.IGNORECASE,
)
_STANDS = re.compile(
    r"there (?:is|are|was|were|has|have|can|will|may)\b|the (?:second|third|last|next) \w+ (?:of|in)\b", re.I
)
# "... get £26 instead", "may shorten this to": a part of the sentence before.
_BACK = re.compile(
    r"\b(?:instead(?! of)|likewise|the (?:former|latter)|as well(?! as)|(?:do|does|did) so"
    r"|(?:one|none|some|all|both|each|any|most|many) of (?:them|these|those))\b"
    r"|\b(?:this|these|those|such)"
    r"(?:[.,;]|\s+(?:to|by|with|for|in|on|as|is|are|was|were|can|may|must|will|has|have)\b)",
    re.IGNORECASE,
)
_END = re.compile(r"[.!?…。！？\"”’)\]`:]$")
_MARKUP = (
    re.compile(r"!?\[(?P<text>[^\[\]]+)\]\((?:[^()\s]|\([^()]*\))+\)"),
    re.compile(r"(?P<mark>\*\*|__)(?=\S)(?P<text>.+?)(?P=mark)"),
    re.compile(r"(?<![\w*])\*(?=[^\s*])(?P<text>[^*]+?)\*(?![\w*])"),
    re.compile(r"(?::[\w:-]{1,60}:)?(?P<mark>`{1,2})(?=\S)(?P<text>[^`]+?)(?P=mark)_{0,2}"),
)
_FOOTNOTE = re.compile(r"\[(?:\d{1,3}|\^[\w-]+|citation needed|edit)\]")


def fit(text: str, kind: str, lead: str = "") -> bool:
    """Whether ``text`` of a source can stand in an article, with ``lead`` in front of it if it leans on that."""
    words = text.split()
    if kind == "code" or kind == "row" or not terms.content(text):
        return False
    if _POINTS.match(text) or _REFERS.search(text) or text.rstrip().endswith(("?", "...", "…")):
        return False
    if sum(text.count(mark) for mark in '"“”') % 2:
        # A quotation that begins or ends elsewhere.
        return False
    if kind == "item":
        return 2 <= len(words) <= _MOST_WORDS and len(lead.split()) > 2 and not alone_unclear(lead)
    if not _whole(text):
        return False
    return not alone_unclear(text) or bool(lead and _whole(lead) and not alone_unclear(lead))


def _whole(text: str) -> bool:
    """Whether it is a sentence by its length, its beginning and its end."""
    words = len(text.split())
    return _LEAST_WORDS <= words <= _MOST_WORDS and bool(_END.search(text.rstrip())) and not text[:1].islower()


def alone_unclear(text: str) -> bool:
    """Whether a sentence is not understood by itself: it opens with what was said before, or points back to it."""
    opens = leans(text) or _OPENS.match(text) is not None
    return (opens and _STANDS.match(text) is None) or _BACK.search(text) is not None


def shown(text: str) -> str:
    """``text`` of a source as it is shown: without marks of Markdown, footnotes and line breaks, else word for word."""
    plain, before = text, ""
    while plain != before:
        before = plain
        for mark in _MARKUP:
            plain = mark.sub(lambda match: match["text"], plain)
    plain = _FOOTNOTE.sub("", plain)
    return re.sub(r"\s+", " ", plain).strip()
