"""The plan of an article: its sections and their questions, taken from the headings under which sources speak of the
topic, or proposed by a model and checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mainspring.core.errors import InvalidRequest
from mainspring.features.content.text.article import Brief, Kind, Length, Plan, PlannedSection
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import terms

MOST_SECTIONS = 12
_SECTIONS: dict[Length, int] = {"short": 3, "medium": 5, "long": 8}
# A heading whose passages score less than this share of the best heading's is about something else.
_LEAST_SHARE = 0.6
_OFTEN = 0.12
_NUMBER = re.compile(r"^(?:(?:chapter|section|part|appendix)\s+)?(?:[\dIVX]+(?:\.\d+)*[.):]?|[A-Z][.)])\s+", re.I)
# Headings that name a kind of text and no thing.
_PLAIN = frozenset(
    "introduction overview contents summary conclusion conclusions abstract preface references see also notes note "
    "table of appendix index about this document page general background further reading external links "
    "acknowledgements license example examples faq faqs quickstart readme usage changelog changes index main home misc "
    "miscellaneous questions frequently asked glossary".split()
)
TITLES: dict[Kind, str] = {
    "article": "{topic}",
    "blog": "{topic}",
    "guide": "A guide to {topic}",
    "report": "{topic}: report",
    "faq": "{topic}: questions and answers",
    "news": "{topic}",
}


@dataclass(slots=True)
class _Group:
    heading: str
    best: float = 0.0
    count: int = 0
    first: tuple[str, int] = ("", 0)
    documents: list[str] = field(default_factory=list)


def of_headings(brief: Brief, hits: Sequence[Hit]) -> Plan:
    """The plan of the headings above ``hits`` of the topic (best first), in the order of their documents.

    The brief's own questions come first, each in a section of its own. Raises ``InvalidRequest`` if there is neither.
    """
    own = [PlannedSection(heading_of(each), (whole(brief, each),)) for each in brief.questions][:MOST_SECTIONS]
    groups = _groups(hits, brief)
    for each in groups:
        # A heading below which much is found is more of a section than one with a single passage.
        each.best *= 1 + _OFTEN * min(3, each.count - 1)
    best = max((each.best for each in groups), default=0.0)
    near = [each for each in groups if each.best >= _LEAST_SHARE * best]
    room = max(1 if not own else 0, _SECTIONS[brief.length] - len(own))
    taken = sorted(near, key=lambda each: -each.best)[:room]
    # Documents in the order of their best section, sections in the order of their document.
    order = {each.first[0]: place for place, each in reversed(list(enumerate(taken)))}
    taken.sort(key=lambda each: (order[each.first[0]], each.first[1]))
    found = [PlannedSection(each.heading, (asked(brief, each.heading),), tuple(each.documents)) for each in taken]
    sections = _different([*own, *found])
    if not sections:
        raise InvalidRequest(
            f"no source mentions {brief.topic!r}",
            remedy="Name other collections, or add documents about it",
            param="topic",
        )
    return Plan(title_of(brief), tuple(sections), "questions" if own and not found else "headings")


def whole(brief: Brief, question: str) -> str:
    """A question of the brief as it is searched for: one that names nothing ("How long do I have?") with the topic."""
    said = terms.content(question)
    return question if len(said) > 1 or said & terms.content(brief.topic) else f"{brief.topic}: {question}"


def asked(brief: Brief, heading: str) -> str:
    """The question of a section of that heading."""
    known = terms.content(heading)
    topic = brief.topic if terms.content(brief.topic) - known else ""
    return f"{topic}: {heading}" if topic else heading


def title_of(brief: Brief) -> str:
    """The title without a model: the topic in the form of the kind."""
    topic = brief.topic.strip().rstrip(".?!")
    topic = topic if brief.kind in ("guide",) else topic[:1].upper() + topic[1:]
    return TITLES[brief.kind].format(topic=topic)


def heading_of(question: str) -> str:
    """A question as a heading: as it is, with a capital letter."""
    text = re.sub(r"\s+", " ", question).strip()
    return text[:1].upper() + text[1:]


def clean_heading(path: str) -> str:
    """The last heading of ``path`` that names a thing, without its number; empty if none does."""
    for part in reversed(path.split(" > ")):
        text = _NUMBER.sub("", re.sub(r"[#*_`]+", "", part).strip()).strip(" .:-–—")
        words = {word.lower() for word in re.findall(r"[^\W\d_]+", text)}
        if words - _PLAIN and len(text) <= 90 and terms.content(text):
            return text[:1].upper() + text[1:]
    return ""


def below(path: str, heading: str) -> bool:
    """Whether the path of headings ends in the section's heading."""
    return bool(heading) and clean_heading(path).casefold() == heading.strip().casefold()


def _groups(hits: Sequence[Hit], brief: Brief) -> list[_Group]:
    """The headings above ``hits``, each once."""
    found: dict[frozenset[str], _Group] = {}
    for hit in hits:
        heading = clean_heading(hit.heading) or clean_heading(re.sub(r"\.\w{1,5}$", "", hit.source))
        heading = heading or title_of(brief)
        key = terms.content(heading)
        group = found.setdefault(key, _Group(heading, first=(hit.document_id, hit.start)))
        group.best = max(group.best, hit.score if hit.rerank_score is None else hit.rerank_score)
        group.count += 1
        if hit.document_id not in group.documents:
            group.documents.append(hit.document_id)
    return list(found.values())


def _different(sections: Sequence[PlannedSection]) -> list[PlannedSection]:
    """``sections`` without those whose heading says what an earlier one says."""
    found: list[PlannedSection] = []
    for each in sections:
        words = terms.content(each.heading)
        if not any(_same(words, terms.content(other.heading)) for other in found):
            found.append(each)
    return found


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one) and len(one & other) >= 0.75 * len(one | other)


def checked(plan: Plan) -> Plan:
    """A plan that a person or a model gives. Raises ``InvalidRequest`` naming the field."""
    if not plan.title.strip():
        raise InvalidRequest("the plan has no title", param="plan.title")
    if not 1 <= len(plan.sections) <= MOST_SECTIONS:
        raise InvalidRequest(f"a plan has 1 to {MOST_SECTIONS} sections", param="plan.sections")
    for number, each in enumerate(plan.sections):
        if not each.heading.strip():
            raise InvalidRequest("a section has no heading", param=f"plan.sections.{number}.heading")
        if not each.questions or not all(question.strip() for question in each.questions):
            raise InvalidRequest(
                f"the section {each.heading!r} has no questions", param=f"plan.sections.{number}.questions"
            )
    return plan
