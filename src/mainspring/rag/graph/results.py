"""The results of a graph search: hits, paths with quoted steps, and themes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mainspring.rag.search.hit import Hit


@dataclass(frozen=True, slots=True)
class CitedStep:
    """A step of a path with its words: ``quote`` is ``text[start:end]`` of the document ``source``."""

    subject: str
    predicate: str
    object: str
    document_id: str
    source: str
    quote: str
    start: int
    end: int

    def worded(self, change: Callable[[str], str]) -> CitedStep:
        """With ``change`` applied to its texts."""
        said = (self.subject, self.predicate, self.object, self.quote)
        subject, predicate, thing, quote = (change(each) for each in said)
        return replace(self, subject=subject, predicate=predicate, object=thing, quote=quote)


@dataclass(frozen=True, slots=True)
class Path:
    """How the chunk ``chunk_id`` of a document (both empty: it is no search's) was reached."""

    steps: tuple[CitedStep, ...]
    document_id: str = ""
    chunk_id: str = ""

    def text(self) -> str:
        """``A -directed by-> B -born-> 3 May 1912``; ``A <-directed by- B`` if the relation is stated in the other
        direction."""
        words: list[str] = []
        for number, step in enumerate(self.steps):
            here, there = step.subject, step.object
            following = self.steps[number + 1] if number + 1 < len(self.steps) else None
            ends = () if following is None else (following.subject, following.object)
            if (words and words[-1] == there) or (not words and here in ends and there not in ends):
                words += [*(() if words else (there,)), f"<-{step.predicate}-", here]
                continue
            if not words or words[-1] != here:
                words += ["|", here] if words else [here]
            words += [f"-{step.predicate}->", there]
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Theme:
    """A community in words: its most central entities, the sentences that say most about them, and its share of the
    whole."""

    entities: tuple[str, ...]
    sentences: tuple[CitedStep, ...]
    weight: float
    size: int
    score: float = 0.0
    summary: str = ""


@dataclass(frozen=True, slots=True)
class GraphResult:
    """Hits after the graph changed them, the paths to the hits that it added, and themes."""

    hits: list[Hit]
    paths: tuple[Path, ...] = ()
    themes: tuple[Theme, ...] = ()

    def cited(self) -> list[CitedStep]:
        """All that paths and themes quote."""
        steps = [step for path in self.paths for step in path.steps]
        return steps + [sentence for theme in self.themes for sentence in theme.sentences]

    def worded(self, change: Callable[[str], str]) -> GraphResult:
        """With ``change`` applied to the texts of paths and themes; the hits stay."""
        paths = tuple(replace(path, steps=tuple(step.worded(change) for step in path.steps)) for path in self.paths)
        themes = tuple(
            replace(
                theme,
                entities=tuple(change(name) for name in theme.entities),
                sentences=tuple(sentence.worded(change) for sentence in theme.sentences),
                summary=change(theme.summary),
            )
            for theme in self.themes
        )
        return GraphResult(self.hits, paths, themes)
