"""The graph of a document by rules: nothing is asked of a model, and the same text gives the same graph.

Sentences are read for names and the text between them; table rows for each column's statement about the row; headings
and the title for the subject of the chunks below.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence

from mainspring.rag.graph.read import relations
from mainspring.rag.graph.read.graph_model import DocumentGraph, EntityCollector, GraphPiece, Kind, Mention, Relation
from mainspring.rag.graph.read.name_rules import FoundName, names, pronoun, titled
from mainspring.rag.query import acronyms
from mainspring.rag.text import sentences

_TITLE = re.compile(r"\s*+([^\n]{2,100})\n[^\S\n]*+\n")
_MARKS = re.compile(r"[.!?;:]$")
_ALSO = re.compile(
    r"\s*+(?:,|\()\s*+(?:(?:also|better|formerly|previously|originally|commonly|usually|or simply|known|now)\s*+)?"
    r"(?:known|called|named|referred to)\s++(?:(?:as|to as)\s*+)?(?:the\s++)?[\"“'‘]?$"
)
_DEFINED = re.compile(
    r"[\"“]([^\"“”\n]{2,60})[\"”]\s+(?:means|is|refers to|are)\b"
    r"|\b(?:called|termed)\s+(?:an?\s+)?[\"“]([^\"”\n]{2,60})[\"”]"
)
_PARENTHESIS = re.compile(r"(?<!\s)\s*\([^()]*\)$")
# Longer ones are no sentences, and names in them say little about each other.
_LONGEST_SENTENCE = 1500
_MOST_SENTENCES = 200_000
_LONGEST_VALUE = 80


def extract(text: str, pieces: Sequence[GraphPiece], headings: Sequence[str], title: str = "") -> DocumentGraph:
    """The graph of ``text``, whose chunks are ``pieces`` under ``headings`` (a path such as ``Leave > Sick leave``, or
    empty); ``title`` comes from the document's name."""
    return _Reading(text, pieces, headings, title).graph()


class _Reading:
    def __init__(self, text: str, pieces: Sequence[GraphPiece], headings: Sequence[str], title: str) -> None:
        self.text = text
        self.pieces = tuple(pieces)
        self.headings = headings
        self.title = title
        self.made = EntityCollector()
        self.spans: list[tuple[int, int]] = []
        self.found: list[list[FoundName]] = []
        self.said: list[Relation] = []
        self.mentions: list[Mention] = []
        self.aliases: set[tuple[int, int]] = set()
        self.about: set[tuple[int, int]] = set()
        self._starts = [piece.start for piece in self.pieces]

    def graph(self) -> DocumentGraph:
        subject = self._titles()
        rows: list[sentences.Sentence] = []
        for each in sentences.split(self.text)[:_MOST_SENTENCES]:
            if each.kind == "row":
                rows.append(each)
            elif each.end - each.start <= _LONGEST_SENTENCE:
                self.spans.append((each.start, each.end))
                self.found.append(self._named(each))
        sure = self._sure()
        shorts = self._shorts()
        for number, found in enumerate(self.found):
            kept = [each for each in found if not each.unsure or each.name in sure or self._acts(each, found)]
            self._sentence(number, kept, shorts, subject)
        for row in rows:
            self._row(row)
        self._explained()
        return DocumentGraph(
            tuple(self.made.entities),
            tuple(self.mentions),
            tuple(self.spans),
            tuple(dict.fromkeys(self.said)),
            tuple(sorted(self.aliases)),
            tuple(sorted(self.about)),
            self.pieces,
        )

    def _acts(self, word: FoundName, found: Sequence[FoundName]) -> bool:
        """Whether a capitalised first word of a sentence is a name, judged by its relation to the next one: "Twitter
        was acquired by X Corp". Plurals are not: "Employees are led by Ada Holm"."""
        if word.name.endswith("s") and not word.name.endswith("ss"):
            return False
        said = relations.between(self.text, found)
        return any(found[each.first] == word and found[each.second].kind == "name" for each in said)

    def _titles(self) -> int | None:
        """Make entities of the title and of headings; the person, work or thing that the whole text is about."""
        subject: int | None = None
        match = _TITLE.match(self.text)
        line = match[1].strip("# \t") if match is not None and not _MARKS.search(match[1].strip()) else ""
        for name in filter(None, (line, self.title)):
            entity = self._heading(name)
            self.about.update((entity, number) for number in range(len(self.pieces)))
            plain = _PARENTHESIS.sub("", name)
            if plain != name and len(plain) > 1:
                # Another document may have the plain name as well: it is an entity of its own, not an alias.
                other = self._heading(plain)
                self.about.update((other, number) for number in range(len(self.pieces)))
                entity = other
            if subject is None and name == line:
                subject = entity
        for number, path in enumerate(self.headings):
            for part in path.split(" > ") if path else ():
                if 2 <= len(part) <= 100:
                    self.about.add((self._heading(part), number))
        return subject

    def _heading(self, line: str) -> int:
        line = " ".join(line.strip(" :.#*_").split()) or line
        kind: Kind = "name" if titled(line) and len(line.split()) <= 6 else "term"
        return self.made.entity(line, kind)

    def _named(self, sentence: sentences.Sentence) -> list[FoundName]:
        if sentence.kind == "heading":
            return []
        found = names(self.text, sentence.start, sentence.end)
        for match in _DEFINED.finditer(self.text, sentence.start, sentence.end):
            group = 1 if match[1] else 2
            span = match.span(group)
            found = [each for each in found if each.end <= span[0] or each.start >= span[1]]
            found.append(FoundName(match[group].strip(), "term", *span))
        return sorted(found, key=lambda each: each.start)

    def _sure(self) -> frozenset[str]:
        """Words that are names where no sentence begins."""
        known = {each.name for found in self.found for each in found if not each.unsure}
        return frozenset(known | {word for name in known for word in name.split()} | self._title_words())

    def _title_words(self) -> set[str]:
        return {word for entity in self.made.entities if entity.kind == "name" for word in entity.name.split()}

    def _shorts(self) -> dict[str, str]:
        """The full name for each single word that begins or ends just one longer name of the document."""
        full: dict[str, set[str]] = {}
        longer = {each.name for found in self.found for each in found if each.kind == "name" and " " in each.name}
        longer |= {each.name for each in self.made.entities if each.kind == "name" and " " in each.name}
        for name in longer:
            words = name.split()
            if len(words) <= 5 and words[0][0].isupper():
                plain = all(word[0].isupper() for word in words)
                for word in {words[0], words[-1]} if plain else {words[0]}:
                    full.setdefault(word, set()).add(name)
        return {word: next(iter(owners)) for word, owners in full.items() if len(owners) == 1 and len(word) > 2}

    def _sentence(self, number: int, found: Sequence[FoundName], shorts: dict[str, str], subject: int | None) -> None:
        start, end = self.spans[number]
        who = pronoun(self.text, start, end) if subject is not None else None
        listed: list[FoundName] = list(found)
        entities = [self.made.entity(shorts.get(each.name, each.name), each.kind) for each in found]
        if who is not None and subject is not None and " " in self.made.entities[subject].name:
            listed.insert(0, FoundName(self.made.entities[subject].name, "name", *who))
            entities.insert(0, subject)
        for entity, each in zip(entities, listed, strict=True):
            self.mentions.append(Mention(entity, number, each.start, each.end))
        for one in relations.between(self.text, listed):
            first, second = entities[one.first], entities[one.second]
            if first != second:
                self._say(first, one.predicate, second, start, end)
        what = relations.is_a(self.text, listed, end)
        if what is not None:
            kind = self.made.entity(what[1], "term")
            if kind != entities[what[0]]:
                self._say(entities[what[0]], "is a", kind, start, end)
                self.mentions.append(Mention(kind, number, what[2], what[3]))
        self._also(listed, entities)

    def _also(self, found: Sequence[FoundName], entities: Sequence[int]) -> None:
        for index in range(1, len(found)):
            gap = self.text[found[index - 1].end : found[index].start]
            if (
                len(gap) < 40
                and _ALSO.fullmatch(gap)
                and {found[index].kind, found[index - 1].kind} <= {"name", "term"}
            ):
                self._alias(entities[index - 1], entities[index])

    def _row(self, row: sentences.Sentence) -> None:
        """The first cell names the row; the other cells are statements about it, named by their columns."""
        if row.end - row.start > 4 * _LONGEST_SENTENCE:
            return
        cells = relations.cells(self.text[row.start : row.end])
        if not cells:
            return
        number = len(self.spans)
        self.spans.append((row.start, row.end))
        entities: list[int] = []
        for place, (_, value, start, end) in enumerate(cells):
            kind = _kind_of(value, row_name=place == 0)
            if kind is None:
                entities.append(-1)
                continue
            entities.append(self.made.entity(value, kind))
            self.mentions.append(Mention(entities[-1], number, row.start + start, row.start + end))
            for each in names(self.text, row.start + start, row.start + end, phrases=False):
                if each.name != value:
                    entity = self.made.entity(each.name, each.kind)
                    self.mentions.append(Mention(entity, number, each.start, each.end))
        for place in range(1, len(cells)):
            if entities[0] >= 0 and entities[place] >= 0 and entities[0] != entities[place]:
                self._say(entities[0], cells[place][0].lower(), entities[place], row.start, row.end)
        if entities[0] >= 0:
            self.about.update((entities[0], piece) for piece in self._holding(row.start, row.end))

    def _explained(self) -> None:
        """Acronyms and their long forms."""
        for short, long in acronyms.explained(self.text):
            self._alias(self.made.entity(short, "acronym"), self.made.entity(_article(long), "term"))

    def _alias(self, one: int, other: int) -> None:
        if one != other:
            self.aliases.add((min(one, other), max(one, other)))

    def _say(self, subject: int, predicate: str, thing: int, start: int, end: int) -> None:
        self.said.append(Relation(subject, predicate[:60], thing, start, end))

    def _holding(self, start: int, end: int) -> list[int]:
        """The pieces that hold ``start``, neighbours that share text included."""
        last = bisect_right(self._starts, start)
        return [number for number in range(max(0, last - 3), last) if self.pieces[number].end >= end]


def _kind_of(value: str, *, row_name: bool) -> Kind | None:
    """The content of a cell; None if it is too long to be a name or a value."""
    if len(value) > _LONGEST_VALUE:
        return None
    found = names(value, 0, len(value), phrases=False)
    whole = [each for each in found if each.end - each.start >= len(value) - 1]
    if whole:
        return whole[0].kind
    if re.fullmatch(r"[\d.,\s£$€¥%+-]+", value):
        return None if row_name and len(value) < 2 else "amount"
    return "term"


def _article(name: str) -> str:
    return re.sub(r"^(?:the|an?)\s+", "", name, flags=re.IGNORECASE)


def counts(graph: DocumentGraph) -> Counter[str]:
    """How many entities of each kind there are."""
    return Counter(each.kind for each in graph.entities)
