"""What an article is made of: the brief, the plan, what research found, and the text with its evidence.

All of it is JSON at rest (``dump``, ``read``): in steps of runs, in versions of articles, in the cache of research.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter

T = TypeVar("T")
Kind = Literal["article", "blog", "guide", "report", "faq", "news"]
Length = Literal["short", "medium", "long"]
Mode = Literal["auto", "extractive", "written"]
State = Literal["verbatim", "supported", "marked", "struck"]
"""Of a statement: words of a source; other words that a source supports; unsupported, and shown as such; unsupported,
and taken out."""
WORDS: dict[str, int] = {"short": 350, "medium": 700, "long": 1400}
"""Words of an article of each length."""


@dataclass(frozen=True, slots=True)
class Brief:
    """What is wanted. ``collections`` are names or ids (none: all that the caller sees), ``documents`` restricts to
    files or documents by id, ``web`` searches the web, too (None: as the settings say), ``domains`` restricts that.
    ``questions`` are to be answered, each in a section of its own. With ``approval`` a person approves the plan before
    anything is researched. ``unsupported`` says what becomes of statements that no source supports. ``deadline_s``
    counts from the beginning, without the time in which the plan waits."""

    topic: str
    audience: str = ""
    kind: Kind = "article"
    length: Length = "medium"
    tone: str = ""
    keywords: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    web: bool | None = None
    domains: tuple[str, ...] = ()
    approval: bool = False
    mode: Mode = "auto"
    unsupported: Literal["strike", "mark"] = "strike"
    deadline_s: float | None = None

    @property
    def words(self) -> int:
        """How long the article should be."""
        return WORDS[self.length]


@dataclass(frozen=True, slots=True)
class PlannedSection:
    """A heading, and the questions that its section answers. ``within`` names the documents (by id) that the plan was
    made of."""

    heading: str
    questions: tuple[str, ...]
    within: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """``origin``: ``headings`` of the documents, a ``model``, the ``questions`` of the brief, or a ``person``."""

    title: str
    sections: tuple[PlannedSection, ...]
    origin: str = "headings"


@dataclass(frozen=True, slots=True)
class Source:
    """A document of a collection, or a page of the web (``url``, with its ``text``). ``at`` is its time in Unix seconds
    (0: unknown)."""

    kind: Literal["document", "web"]
    id: str
    title: str
    collection: str = ""
    collection_id: str = ""
    file_id: str | None = None
    url: str = ""
    at: float = 0.0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """What research found: ``text`` is ``[start:end]`` of its source, word for word. ``lead`` is what it leans on: the
    sentence before it, or the line above its list, at ``lead_start`` (-1: none). ``score`` orders notes of one
    question."""

    source: Source
    text: str
    start: int
    end: int
    kind: str = "sentence"
    heading: str = ""
    page: int | None = None
    score: float = 0.0
    cosine: float = 0.0
    lead: str = ""
    lead_start: int = -1


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found for a question; ``limit`` says which limit ended the research before it (empty: none).
    ``left_out`` counts passages that the guards kept back."""

    question: str
    notes: tuple[Note, ...] = ()
    evidence: float = 0.0
    cached: bool = False
    left_out: int = 0
    limit: str = ""
    tokens: int = 0
    cost_nanousd: int = 0


@dataclass(frozen=True, slots=True)
class Evidence:
    """A passage that supports statements: ``quote`` is ``[start:end]`` of the source numbered ``source`` (from 1)."""

    source: int
    quote: str
    start: int
    end: int
    page: int | None = None
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence of an article. ``evidence`` are numbers (from 0) in ``Article.evidence``. ``support`` in [0, 1] is how
    well they support it, ``reason`` why it was struck or marked."""

    text: str
    state: State
    evidence: tuple[int, ...] = ()
    support: float = 1.0
    reason: str = ""

    @property
    def shown(self) -> bool:
        """Whether readers see it."""
        return self.state != "struck"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Statements in a row; in a list each is an item, below ``lead``."""

    statements: tuple[Statement, ...]
    kind: Literal["text", "list"] = "text"
    lead: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """``missing`` are the questions of the plan that no source answers."""

    heading: str
    paragraphs: tuple[Paragraph, ...]
    questions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seo:
    """``description`` has at most 160 characters, ``slug`` only lower-case letters, digits and hyphens."""

    title: str = ""
    slug: str = ""
    description: str = ""
    keywords: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overlap:
    """A run of ``words`` words that the article shares with the source numbered ``source`` (from 1). ``attributed``:
    it is cited to that source."""

    source: int
    words: int
    text: str
    attributed: bool


@dataclass(frozen=True, slots=True)
class StepCost:
    """What a step used. ``limit`` is the limit that ended it (empty: none)."""

    step: str
    tokens: int = 0
    cost_nanousd: int = 0
    seconds: float = 0.0
    calls: int = 0
    limit: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """A note to the author, outside of the text; ``code`` is stable."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Article:
    """An article. ``mode``: assembled of sentences of the sources (``extractive``), or ``written`` by ``model``."""

    title: str
    sections: tuple[Section, ...]
    sources: tuple[Source, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    mode: Literal["extractive", "written"] = "extractive"
    model: str = ""
    seo: Seo = field(default_factory=Seo)
    overlaps: tuple[Overlap, ...] = ()
    remarks: tuple[Remark, ...] = ()
    costs: tuple[StepCost, ...] = ()

    def statements(self) -> list[Statement]:
        """All of them in order, those that were struck included."""
        return [each for section in self.sections for part in section.paragraphs for each in part.statements]


_ADAPTERS: dict[type[Any], TypeAdapter[Any]] = {}


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def dump(value: Any) -> Any:
    """``value`` as JSON values."""
    return _adapter(type(value)).dump_python(value, mode="json")


def read(kind: type[T], value: Any) -> T:
    """The ``kind`` that ``dump`` made ``value`` of. Raises ``pydantic.ValidationError``."""
    return _adapter(kind).validate_python(value)
