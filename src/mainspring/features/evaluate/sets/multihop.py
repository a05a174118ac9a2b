"""Two-hop questions built from a corpus of titled passages, such as 2WikiMultihopQA's (Ho et al., COLING 2020).

A bridge is a passage that names another passage's subject in a known relation ("directed by", "son of", "married"); the
other passage states a fact about it (place or date of birth or death). The question names the first passage only and
asks for the fact of the second, so that each passage is needed: the first alone has no answer, the second is not named.
Questions that the templates cannot make unambiguous are left out: two directors, duplicate titles, answers that are
also in the first passage.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mainspring.core.errors import InvalidRequest
from mainspring.features.evaluate.sets.collections import JudgedCollection, Query, text_document

FILE_NAME = "2wikimultihopqa_corpus.json"
_SEED = 2024
_A_KIND = 30
_DATE = r"(?:\d{1,2} [A-Z][a-z]+ \d{4}|[A-Z][a-z]+ \d{1,2}, ?\d{4})"
_PERSON = r"(?P<name>[A-Z][\w.'’\-]*(?: [\w.'’\-]+){0,4}?)"
# The text that may follow a single name; " and " only if no second name can follow.
_ENDS = r"(?=,| and [a-z]|\.(?:\s|$)|;| starring| from| in \d| based| with | which| that | featuring|\s?\()"


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of the corpus; titles are unique."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Relation:
    """How a passage names another's subject: ``pattern`` finds the ``name``, ``phrase`` asks for it of ``{title}``."""

    kind: str
    phrase: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Fact:
    """A statement of a passage about its subject: ``pattern``'s ``answer``, asked for as ``question`` of
    ``{subject}``."""

    kind: str
    question: str
    pattern: re.Pattern[str]


RELATIONS = (
    Relation("director", "the director of {title}", re.compile(rf"\bdirected by {_PERSON}{_ENDS}")),
    Relation("composer", "the composer of {title}", re.compile(rf"\b(?:music|score)[^.]{{0,20}} by {_PERSON}{_ENDS}")),
    Relation(
        "parent", "the person of whom {title} was a child", re.compile(rf"\b(?:son|daughter) of {_PERSON}{_ENDS}")
    ),
    Relation(
        "spouse", "the person whom {title} married", re.compile(rf"\b(?:married|(?:wife|husband) of) {_PERSON}{_ENDS}")
    ),
)
FACTS = (
    Fact(
        "born", "On what date was {subject} born?", re.compile(rf"\([^()]{{0,80}}?\bborn:? (?:on )?(?P<answer>{_DATE})")
    ),
    Fact(
        "born",
        "On what date was {subject} born?",
        re.compile(rf"^[^(]{{0,80}}\(\s*(?:[^()]{{0,60}}?[;,] ?)?(?P<answer>{_DATE})\s*[–—-]\s*{_DATE}"),
    ),
    Fact(
        "died",
        "On what date did {subject} die?",
        re.compile(rf"^[^(]{{0,80}}\(\s*(?:[^()]{{0,60}}?[;,] ?)?{_DATE}\s*[–—-]\s*(?P<answer>{_DATE})"),
    ),
    Fact(
        "birthplace",
        "In which place was {subject} born?",
        re.compile(rf"\bborn (?:on )?{_DATE},? in (?P<answer>[A-Z][\w.'’-]+(?: [A-Z][\w.'’-]+)*)"),
    ),
)


def read(path: Path) -> list[Passage]:
    """The passages of a JSON file, a list of objects with ``title`` and ``text``.

    Raises ``InvalidRequest`` if the file has another shape.
    """
    rows = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(rows, list) or not all(isinstance(row, dict) and {"title", "text"} <= row.keys() for row in rows):
        raise InvalidRequest(f"{path} is not a list of objects with title and text", param="data")
    return [Passage(f"w{number:05}", row["title"], row["text"]) for number, row in enumerate(rows)]


def judged(passages: Sequence[Passage]) -> JudgedCollection:
    """The corpus with the questions built over it: two relevant passages each, odd ones for development."""
    documents = tuple(text_document(each.id, f"{each.title}\n\n{each.text}") for each in passages)
    return JudgedCollection("2wiki", documents, tuple(build(passages)))


def build(passages: Sequence[Passage]) -> list[Query]:
    """Questions over pairs of passages: at most 30 of each relation and fact, drawn by seed, one a first passage."""
    counts = Counter(each.title for each in passages)
    shorts = Counter(plain(each.title) for each in passages)
    subjects = {each.title: each for each in passages if counts[each.title] == 1}
    kinds: dict[str, list[Query]] = {}
    for first in passages:
        # "Title (1926 film)" is asked for as "Title": that must be the only one.
        if counts[first.title] > 1 or shorts[plain(first.title)] > 1:
            continue
        for kind, query in _questions(first, subjects):
            kinds.setdefault(kind, []).append(query)
    chosen: dict[str, Query] = {}
    for kind, found in sorted(kinds.items()):
        fresh = [query for query in found if _first(query) not in chosen]
        for query in random.Random(f"{_SEED} {kind}").sample(fresh, min(_A_KIND, len(fresh))):
            chosen[_first(query)] = query
    return [
        Query(query.id, query.text, query.gains, query.answers, split="development" if number % 2 else "reported")
        for number, query in enumerate(sorted(chosen.values(), key=lambda each: each.id), 1)
    ]


def plain(title: str) -> str:
    """A title without the part in parentheses that distinguishes it from others."""
    return re.sub(r"\s*\([^)]*\)$", "", title).strip()


def _questions(first: Passage, subjects: Mapping[str, Passage]) -> Iterator[tuple[str, Query]]:
    for relation in RELATIONS:
        names = {match["name"] for match in relation.pattern.finditer(first.text)}
        second = subjects.get(next(iter(names))) if len(names) == 1 else None
        if second is None or second.id == first.id or plain(second.title) in plain(first.title):
            continue
        known: set[str] = set()
        for fact in FACTS:
            match = fact.pattern.search(second.text)
            if match is None or fact.kind in known or match["answer"] in first.text:
                continue
            known.add(fact.kind)
            kind = f"{relation.kind}-{fact.kind}"
            subject = relation.phrase.format(title=plain(first.title))
            text = fact.question.format(subject=subject)
            yield kind, Query(f"{first.id}-{kind}", text, {first.id: 1, second.id: 1}, (match["answer"],))


def _first(query: Query) -> str:
    return query.id.partition("-")[0]
