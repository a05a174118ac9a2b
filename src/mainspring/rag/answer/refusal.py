"""Refusals: finds the names in a question that the documents lack, and writes the text that replaces an answer.

A near miss has the right subject, but the fact is missing. Rules see only exact names in the question: a product, a
company, a place, an option, a year. If the document to be cited lacks the name, the answer would be about something
else.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

from mainspring.core.types import Answered, Event, Finish, Text, Usage
from mainspring.engines.base import Embedder
from mainspring.rag.answer.evidence import exact_names, missing_topics, missing_values
from mainspring.rag.answer.evidence.exact_names import ExactName
from mainspring.rag.answer.generate import REFUSAL
from mainspring.rag.answer.verbatim import rows
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import terms

# A refusal quotes the closest passage from this evidence on, within this many words, and names this many missing
# things.
_TOLD_FROM, _WORDS, _MOST = 0.15, 30, 4
_LONGEST_TEXT = 2_000_000
_LOOKED_AT, _DOCUMENTS = 16, 3
_BEST = 4
# Words that only say how something is asked for.
_ASKING = frozenset(
    "long far often old soon tall big large deep wide heavy fast quickly early late whats what's want need needs "
    "please tell know happens happen".split()
)
# The lines of a table that is drawn with characters.
_DRAWN = re.compile(r"[\u2500-\u257f]|-\+-")


async def lacks(
    question: str,
    passages: Sequence[Passage],
    candidates: Sequence[Hit],
    shown: Sequence[Hit],
    texts: Mapping[str, str],
    embedder: Embedder,
) -> tuple[ExactName, ...]:
    """What ``question`` names, or asks a value of, and the documents do not say. ``passages`` are of ``shown``,
    ``candidates`` all hits of the search."""
    unsaid = await missing_topics.absent(question, passages, candidates, texts, embedder)
    unsaid = unsaid or await missing_values.ungiven(question, candidates, shown, embedder)
    return lacking(question, passages, texts) + unsaid


def lacking(question: str, passages: Sequence[Passage], texts: Mapping[str, str]) -> tuple[ExactName, ...]:
    """The names in ``question`` that no document of the best of ``passages`` has together with all other names, in its
    text, title or headings. Identifiers and years, and names if the question is not personal."""
    personal = missing_topics.personal(question)
    asked = [each for each in exact_names.named(question) if not (personal and each.kind == "name")]
    if not asked or not passages:
        return ()
    first: dict[str, list[Passage]] = {}
    for passage in passages[:_LOOKED_AT]:
        first.setdefault(passage.hit.document_id, []).append(passage)
    fewest = tuple(asked)
    for name, own in list(first.items())[:_DOCUMENTS]:
        text = texts[name]
        if len(text) > _LONGEST_TEXT:
            # For a book, only its found passages are checked.
            text = "\n".join(each.hit.text for each in own)
        place = f"{own[0].hit.source}\n{own[0].heading}\n{text}"
        # A row for "anywhere else" speaks of every place that its table does not name.
        all_others = any(rows.has_others(each.text) for each in own[:_BEST])
        lacks = (each for each in asked if not (all_others and each.kind == "name"))
        fewest = min(fewest, tuple(each for each in lacks if not exact_names.has(place, each)), key=len)
    return fewest


def looked_for(question: str, lacks: Sequence[ExactName], passages: Sequence[Passage]) -> tuple[str, ...]:
    """The search's target in the question's words: its names, else its words that the closest passage and heading
    lack."""
    if lacks:
        return tuple(dict.fromkeys(each.text for each in lacks))[:_MOST]
    near = passages[0] if passages else None
    said = terms.content(f"{near.heading} {near.text}") if near else frozenset[str]()
    found: list[str] = []
    end = -2
    for word, start, stop in terms.located(question):
        # "4th" is a number and its ending.
        start -= len(question[:start]) - len(question[:start].rstrip("0123456789"))
        written = question[start:stop]
        if word in said or word[0].isdigit() or written.lower() in _ASKING:
            continue
        if found and question[end:start].strip() in ("", "-"):
            found[-1] = question[question.rindex(found[-1], 0, end) : stop]
        else:
            found.append(written)
        end = stop
    return tuple(dict.fromkeys(found))[:_MOST]


def closest(passages: Sequence[Passage], evidence: float) -> Sequence[Passage]:
    """The passage that a refusal quotes as closest, if any: the refusal's record names it, so that it is erased with
    its document."""
    drawn = passages and len(_DRAWN.findall(passages[0].text)) >= _MOST
    return passages[:1] if evidence >= _TOLD_FROM and not drawn else ()


def said(sought: Sequence[str], passages: Sequence[Passage], evidence: float) -> str:
    """The text that replaces an answer: the documents do not say, the missing topic, and the closest passage, if
    any."""
    parts = [REFUSAL]
    if sought:
        parts.append(f"I looked for: {', '.join(sought)}.")
    for best in closest(passages, evidence):
        under = f", under “{best.heading.rpartition(' > ')[2]}”" if best.heading else ""
        page = f", page {best.hit.page}" if best.hit.page else ""
        parts.append(f"The closest is in {best.hit.source}{page}{under}: “{_short(best.text)}”")
    return " ".join(parts)


def _short(text: str) -> str:
    words = text.split()
    return " ".join(words[:_WORDS]) + (" …" if len(words) > _WORDS else "")


async def judged(events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
    """``events`` of a written answer with the verdict whether it is one: a model may say that the documents do not
    answer."""
    told, text = False, ""
    async for event in events:
        told = told or isinstance(event, Answered)
        if isinstance(event, Text):
            text += event.text
        elif isinstance(event, Usage | Finish) and not told:
            told = True
            yield Answered(not text.strip().startswith(REFUSAL))
        yield event
