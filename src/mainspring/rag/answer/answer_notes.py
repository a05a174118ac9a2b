"""Notes about an answer: the parts of the question that the documents do not answer, and disagreements between sources.

Both stand in the text and are separate events, so that a program need not read the text.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mainspring.core.types import Claim, Contradiction, Event, Missing, Text
from mainspring.rag.answer.cite import Numbers, cite
from mainspring.rag.answer.contradict import Disagreement, disagreements
from mainspring.rag.answer.evidence import exact_names
from mainspring.rag.answer.verbatim import rows
from mainspring.rag.answer.verbatim.extract import Passage

# Documents whose times are closer than this arrived together: none of them is the newest.
_TOGETHER_S = 60.0


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes on a question beside its answer. ``passages`` are its best, ``texts`` the documents' texts, ``missing``
    the parts that the documents do not answer."""

    question: str
    passages: Sequence[Passage]
    texts: Mapping[str, str]
    missing: tuple[str, ...] = ()

    def events(self, numbers: Numbers) -> list[Event]:
        """The text, citations and events of the notes, after an answer with the citations in ``numbers``."""
        events: list[Event] = []
        for found in disagreements(self.question, list(numbers.passages), self.passages):
            events += self._disagreement(found, numbers)
        for part in (*self.missing, *self._unnamed(numbers.passages)):
            events += [Text(f"\n\nThe documents do not say: {part}"), Missing(part)]
        return events

    def _unnamed(self, cited: Iterable[Passage]) -> Iterator[str]:
        """Missing parts that are not reported where a row for all others answers a question about a name."""
        found = list(cited)
        texts = "\n".join(f"{each.hit.source} {self.texts[each.hit.document_id]}" for each in found)
        if not any(each.kind == "row" and rows.has_others(each.text) for each in found):
            return
        for each in exact_names.named(self.question.rpartition("\n")[2]):
            if each.kind == "name" and not exact_names.has(texts, each):
                yield f"which row is for {each.text}"

    def _disagreement(self, found: Disagreement, numbers: Numbers) -> list[Event]:
        events: list[Event] = []
        times = [passage.hit.modified_at for passage in (found.one, found.other)]
        apart = abs(times[0] - times[1]) > _TOGETHER_S
        claims = []
        for passage, value, at in zip((found.one, found.other), found.values, times, strict=True):
            number, new = numbers.of(passage)
            if new:
                events.append(cite(number, passage, self.texts[passage.hit.document_id]))
            claims.append(Claim(number, value, passage.hit.source, at, newest=apart and at == max(times)))
        said = "; ".join(map(_said, claims))
        return [Text(f"\n\nThe sources disagree: {said}."), *events, Contradiction(found.about, tuple(claims))]


def _said(claim: Claim) -> str:
    day = time.strftime("%Y-%m-%d", time.gmtime(claim.modified_at))
    newest = ", newest" if claim.newest else ""
    return f"{claim.value} [{claim.citation}] ({claim.source}, {day}{newest})"
