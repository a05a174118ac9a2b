"""The graph of one document: entities, their mentions, and the statements about pairs of entities.

It is stored as one JSON text for each generation of a document. Offsets are character offsets into the parsed text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import orjson

from mainspring.core.errors import StoreError

Kind = Literal["name", "term", "phrase", "acronym", "code", "date", "amount"]
"""``name``: capitalised; ``term``: a heading, a title, a table's row or a defined term; ``phrase``: adjacent words,
which count only if another place makes them an entity; ``code``: identifiers and model numbers."""
VALUES: frozenset[str] = frozenset(("date", "amount"))
"""Kinds that are values of relations; no path leads through them."""
VERSION = 1


@dataclass(frozen=True, slots=True)
class Entity:
    """A name as the document writes it first."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Mention:
    """``text[start:end]`` in sentence number ``sentence`` is the entity number ``entity``, or stands for it."""

    entity: int
    sentence: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Relation:
    """``text[start:end]`` says that ``subject`` -``predicate``-> ``object`` (numbers of entities)."""

    subject: int
    predicate: str
    object: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GraphPiece:
    """A chunk of the document: ``text[start:end]``."""

    chunk_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class DocumentGraph:
    """The graph of one generation of a document. ``about`` are pairs (entity, piece): a heading or title above the
    piece names the entity. ``aliases`` are pairs of entities that the text says are one. ``by`` is what read it:
    ``rules``, or the model's name."""

    entities: tuple[Entity, ...] = ()
    mentions: tuple[Mention, ...] = ()
    sentences: tuple[tuple[int, int], ...] = ()
    relations: tuple[Relation, ...] = ()
    aliases: tuple[tuple[int, int], ...] = ()
    about: tuple[tuple[int, int], ...] = ()
    pieces: tuple[GraphPiece, ...] = ()
    by: str = "rules"

    def dump(self) -> str:
        """As JSON text."""
        rows = {
            "v": VERSION,
            "by": self.by,
            "e": [(each.name, each.kind) for each in self.entities],
            "m": [number for each in self.mentions for number in (each.entity, each.sentence, each.start, each.end)],
            "s": [offset for span in self.sentences for offset in span],
            "r": [(each.subject, each.predicate, each.object, each.start, each.end) for each in self.relations],
            "a": self.aliases,
            "t": self.about,
            "p": [(each.chunk_id, each.start, each.end) for each in self.pieces],
        }
        return orjson.dumps(rows).decode("utf-8")

    @classmethod
    def load(cls, text: str) -> DocumentGraph:
        """From ``dump``'s text. Raises ``StoreError`` if it is something else."""
        try:
            rows = orjson.loads(text)
            if rows["v"] != VERSION:
                raise ValueError(f"version {rows['v']}")
            return cls(
                tuple(Entity(name, kind) for name, kind in rows["e"]),
                tuple(Mention(*four) for four in _groups(rows["m"], 4)),
                tuple((start, end) for start, end in _groups(rows["s"], 2)),
                tuple(Relation(*row) for row in rows["r"]),
                tuple((one, other) for one, other in rows["a"]),
                tuple((entity, piece) for entity, piece in rows["t"]),
                tuple(GraphPiece(*row) for row in rows["p"]),
                rows["by"],
            )
        except (ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"a stored document graph cannot be read: {error}", remedy="Run `mainspring rag graph build COLLECTION`"
            ) from None


@dataclass(slots=True)
class EntityCollector:
    """Collects the entities of one document; each spelling is one entity. ``kinds`` that name more win over others."""

    entities: list[Entity] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def entity(self, name: str, kind: Kind) -> int:
        """The number of the entity of this name, which is created if it is new."""
        known = self._numbers.get(name)
        if known is None:
            self._numbers[name] = len(self.entities)
            self.entities.append(Entity(name, kind))
            return len(self.entities) - 1
        if _RANK[kind] < _RANK[self.entities[known].kind]:
            self.entities[known] = Entity(name, kind)
        return known


_RANK = {kind: rank for rank, kind in enumerate(("acronym", "code", "date", "amount", "term", "name", "phrase"))}
assert set(_RANK) == set(get_args(Kind))


def _groups(values: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return zip(*(iter(values),) * size, strict=True)
