"""Where documents do not answer: what a question names that they lack, and what is said instead of an answer.

A near miss is of the right subject, and the fact is not there. What can be seen of it by rules is what the question
names exactly: a product, a company, a place, an option, a year. Where the document that would be cited has not got it,
the answer would be one about something else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mainspring.rag import named, terms
from mainspring.rag.extract import Passage
from mainspring.rag.generate import REFUSAL
from mainspring.rag.named import Named

# Whoever speaks of themselves or to somebody names what is theirs, not what the documents are about.
_PERSONAL = re.compile(r"\b(?:i|i['’]\w+|me|my|mine|we|us|our|ours|you|your|yours)\b", re.IGNORECASE)
# What is closest is told where there is this much evidence, in so many words; so many things are told as looked for.
_TOLD_FROM, _WORDS, _MOST = 0.15, 30, 4
_LONGEST_TEXT = 2_000_000


def lacking(question: str, passages: Sequence[Passage], texts: Mapping[str, str]) -> tuple[Named, ...]:
    """What ``question`` names and the document of the best of ``passages`` has not got anywhere, its name and headings
    included; identifiers and years, and of names those of questions that are not personal."""
    asked = named.named(question)
    if not asked or not passages:
        return ()
    best = passages[0]
    text = texts[best.hit.document_id]
    if len(text) > _LONGEST_TEXT:
        # Of a book what was found of it is looked at.
        own = [each for each in passages if each.hit.document_id == best.hit.document_id]
        text = "\n".join(each.hit.text for each in own)
    place = f"{best.hit.source}\n{best.heading}\n{text}"
    personal = _PERSONAL.search(question) is not None
    return tuple(each for each in asked if not (personal and each.kind == "name") and not named.has(place, each))


def looked_for(question: str, lacks: Sequence[Named], passages: Sequence[Passage]) -> tuple[str, ...]:
    """What was looked for and not found, as the question writes it: what it names, else its words that the closest
    passage and its heading lack."""
    if lacks:
        return tuple(dict.fromkeys(each.text for each in lacks))[:_MOST]
    near = passages[0] if passages else None
    said = terms.content(f"{near.heading} {near.text}") if near else frozenset[str]()
    found: list[str] = []
    end = -2
    for word, start, stop in terms.located(question):
        if word in said or word[0].isdigit():
            continue
        written = question[start:stop]
        if found and question[end:start].strip() in ("", "-"):
            found[-1] = question[question.rindex(found[-1], 0, end) : stop]
        else:
            found.append(written)
        end = stop
    return tuple(dict.fromkeys(found))[:_MOST]


def said(sought: Sequence[str], passages: Sequence[Passage], evidence: float) -> str:
    """What is said in place of an answer: that the documents do not say, what was looked for, and what is closest to
    it and where, if anything is."""
    parts = [REFUSAL]
    if sought:
        parts.append(f"I looked for: {', '.join(sought)}.")
    if passages and evidence >= _TOLD_FROM:
        best = passages[0]
        under = f", under “{best.heading.rpartition(' > ')[2]}”" if best.heading else ""
        page = f", page {best.hit.page}" if best.hit.page else ""
        parts.append(f"The closest is in {best.hit.source}{page}{under}: “{_short(best.text)}”")
    return " ".join(parts)


def _short(text: str) -> str:
    words = text.split()
    return " ".join(words[:_WORDS]) + (" …" if len(words) > _WORDS else "")
