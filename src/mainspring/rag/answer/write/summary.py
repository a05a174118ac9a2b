"""The input of a summary: the most informative sentences of each section of a document, or of one section.

The document whose name or title is in the question, else the document of the best passage. The model does not read long
documents: a section is represented by its sentences with most of the words that it repeats.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import sentences, terms
from mainspring.rag.text.sentences import Sentence

MOST = 14
"""The number of sentences that represent a document."""
# The part of a text that is read, and the length range of self-contained sentences.
_CHARACTERS = 400_000
_SHORTEST, _LONGEST = 5, 60
_PART = re.compile(r"\b(?:sections?|chapters?|parts?|paragraphs?|clauses?)\b", re.IGNORECASE)
_ABOUT = terms.content(
    "summarise summarize summary sum overview key main points gist nutshell about cover document documents file policy "
    "section chapter page please short brief give say says"
)


@dataclass(frozen=True, slots=True)
class _Section:
    heading: str
    sentences: tuple[Sentence, ...]


def quoted(
    question: str, found: Sequence[Passage], texts: Mapping[str, str], *, max_sentences: int, max_words: int
) -> list[Passage]:
    """A summary in the document's own words: as many of its typical sentences as fit, in its order; items
    if it has no sentences."""
    for of in (frozenset({"sentence"}), frozenset({"sentence", "item"})):
        for most in range(max_sentences, 0, -1):
            chosen = passages(question, found, texts, most, of)
            if chosen and sum(each.words for each in chosen) <= max_words:
                return chosen
    return []


def passages(
    question: str,
    found: Sequence[Passage],
    texts: Mapping[str, str],
    most: int = MOST,
    of: frozenset[str] = frozenset(get_args(sentences.Kind)),
) -> list[Passage]:
    """At most ``most`` sentences to summarise, of the kinds ``of``, in the order of the document; empty if it has none.
    ``found`` are the passages of the question, best first."""
    if not found:
        return []
    asked = terms.content(question) - _ABOUT
    best = max(found, key=lambda each: (_named(asked, each), -found.index(each)))
    text = texts[best.hit.document_id][:_CHARACTERS]
    sections = _sections(text, of)
    within = asked - _names(best)
    wanted = [each for each in sections if within and within <= terms.content(each.heading)]
    # "The section on vacancies of the council" names the heading "Vacancies".
    if not wanted and _PART.search(question):
        named = [each for each in sections if terms.content(each.heading)]
        wanted = [each for each in named if terms.content(each.heading) <= within]
    chosen = _chosen(text, wanted or sections, most)
    hits = {each.hit.start: each.hit for each in found if each.hit.document_id == best.hit.document_id}
    return [
        replace(
            best,
            hit=_around(best.hit, hits.values(), text, sentence),
            text=text[sentence.start : sentence.end],
            start=sentence.start,
            end=sentence.end,
            kind=sentence.kind,
            heading=heading,
            before="",
            read=None,
        )
        for heading, sentence in chosen
    ]


def _around(best: Hit, hits: Collection[Hit], text: str, sentence: Sentence) -> Hit:
    """The chunk among ``hits`` that has the sentence and knows its page; without one the page is not known."""
    start, end = sentence.start, sentence.end
    having = (each for each in hits if each.start <= start and end <= each.end)
    return next(having, replace(best, text=text[start:end], start=start, end=end, page=None))


def _named(asked: frozenset[str], passage: Passage) -> float:
    """The share of the question's words in the name or the title of the passage's document."""
    return len(asked & _names(passage)) / len(asked) if asked else 0.0


def _names(passage: Passage) -> frozenset[str]:
    """The words of the name and the title of the passage's document."""
    title = passage.hit.heading.partition(" > ")[0]
    return terms.content(f"{re.sub(r'[-_/.]', ' ', passage.hit.source)} {title}")


def _sections(text: str, of: frozenset[str]) -> list[_Section]:
    found: list[tuple[str, list[Sentence]]] = [("", [])]
    for sentence in sentences.split(text):
        body = text[sentence.start : sentence.end]
        if sentence.kind == "heading":
            found.append((body, []))
        elif (
            sentence.kind in of
            and _SHORTEST <= len(body.split()) <= _LONGEST
            and not body.rstrip().endswith((":", "?"))
        ):
            found[-1][1].append(sentence)
    return [_Section(heading, tuple(each)) for heading, each in found if each]


def _chosen(text: str, sections: Sequence[_Section], most: int) -> list[tuple[str, Sentence]]:
    """The best sentence of each section, then the second best, and so on, while there is room; in order."""
    ranked = [(each.heading, _ranked(text, each.sentences)) for each in sections]
    chosen: list[tuple[str, Sentence]] = []
    for place in range(most):
        row = [(heading, found[place]) for heading, found in ranked if place < len(found)]
        room = most - len(chosen)
        # If there are more sections than fit, a sample from everywhere.
        step = max(1.0, len(row) / room) if room else 0.0
        chosen += [row[int(at * step)] for at in range(min(len(row), room))]
    return sorted(chosen, key=lambda each: each[1].start)


def _ranked(text: str, found: Sequence[Sentence]) -> list[Sentence]:
    """``found``, sorted by the number of their frequent words; the first passage, which often states the subject,
    counts one and a half times."""
    contents = [terms.content(text[each.start : each.end]) for each in found]
    counts = Counter(word for words in contents for word in words)
    weights = [
        sum(counts[word] for word in words) / (len(words) + 4) * (1.5 if number == 0 else 1.0)
        for number, words in enumerate(contents)
    ]
    return [
        each
        for _, _, each in sorted(zip(weights, range(len(found)), found, strict=True), key=lambda row: (-row[0], row[1]))
    ]
