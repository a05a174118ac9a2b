"""From what was found to sections: assembled of the sources' sentences, or a model's text held against them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mainspring.core.errors import Conflict, NotFound
from mainspring.core.types import Context
from mainspring.feature import Rooms
from mainspring.features.content.settings import ContentSettings
from mainspring.features.content.text.article import (
    Brief,
    Evidence,
    Findings,
    Note,
    Overlap,
    Paragraph,
    Plan,
    Remark,
    Section,
    Source,
)
from mainspring.features.content.text.overlap import overlaps, shares
from mainspring.features.content.write.draft import Assembler
from mainspring.features.content.write.ground import Grounder

_MOST_NOTES = 14
# A run of this many words of a source is no chance.
_LEAST_RUN = 15


@dataclass(frozen=True, slots=True)
class Drafted:
    """Grounded sections with what they cite. ``mode`` is how most of it was made."""

    sections: tuple[Section, ...]
    sources: tuple[Source, ...]
    evidence: tuple[Evidence, ...]
    mode: Literal["extractive", "written"]
    overlaps: tuple[Overlap, ...] = ()
    remarks: tuple[Remark, ...] = ()


class Drafter:
    """Makes drafts."""

    def __init__(self, rooms: Rooms, settings: ContentSettings) -> None:
        self._rooms = rooms
        self._settings = settings
        self._refuse_below = rooms.settings.rag.refuse_below

    def notes(self, found: Sequence[Findings]) -> list[Note]:
        """What a model reads for a section: the best notes of its questions in turn, each once."""
        taken: list[Note] = []
        lists = [list(each.notes) for each in found if each.evidence >= self._refuse_below]
        while any(lists) and len(taken) < _MOST_NOTES:
            for notes in lists:
                if notes and (note := notes.pop(0)) not in taken:
                    taken.append(note)
        return taken[:_MOST_NOTES]

    async def drafted(
        self,
        brief: Brief,
        plan: Plan,
        found: Sequence[Sequence[Findings]],
        drafts: Mapping[int, str],
        context: Context,
    ) -> Drafted:
        """The sections of ``plan``; those of ``drafts`` (by place) are a model's, the others are assembled."""
        assembler = Assembler()
        words = brief.words // max(1, len(plan.sections))
        sections: list[Section] = []
        for place, (planned, each) in enumerate(zip(plan.sections, found, strict=True)):
            if place in drafts:
                sections.append(await self.grounded(brief, planned.heading, drafts[place], each, assembler, context))
            else:
                sections.append(assembler.section(planned.heading, each, words, self._refuse_below))
        kept = assembler.references
        mode: Literal["extractive", "written"] = "written" if drafts else "extractive"
        flagged, copied = await self.copied(sections, kept.sources, kept.evidence, context)
        remarks = [*_remarks(sections, found, drafts, mode), *copied]
        return Drafted(tuple(sections), tuple(kept.sources), tuple(kept.evidence), mode, tuple(flagged), tuple(remarks))

    async def grounded(
        self,
        brief: Brief,
        heading: str,
        text: str,
        found: Sequence[Findings],
        assembler: Assembler,
        context: Context,
    ) -> Section:
        """A model's text for a section, held against its notes."""
        embedder = self._rooms.path.charged.embedder(self._rooms.engines.embedder, context)
        strike = brief.unsupported == "strike"
        grounder = Grounder(self.notes(found), embedder, assembler.references, strike=strike)
        paragraphs = []
        for part in text.split("\n\n"):
            if statements := await grounder.statements(part):
                paragraphs.append(Paragraph(tuple(statements)))
        missing = tuple(each.question for each in found if each.evidence < self._refuse_below or not each.notes)
        return Section(heading, tuple(paragraphs), tuple(each.question for each in found), missing)

    async def copied(
        self, sections: Sequence[Section], sources: Sequence[Source], evidence: Sequence[Evidence], context: Context
    ) -> tuple[list[Overlap], list[Remark]]:
        """The runs that are longer than may be copied: any that are not cited to their source, and quotations beyond
        ``quote_words``; and what is quoted of each source beyond ``quoted_share``."""
        pieces = [
            (
                " ".join(each.text for each in part.statements if each.shown),
                frozenset(evidence[at].source for each in part.statements for at in each.evidence),
            )
            for section in sections
            for part in section.paragraphs
        ]
        texts = {number: await self._text(each, context) for number, each in enumerate(sources, 1)}
        found = await asyncio.to_thread(overlaps, pieces, texts, _LEAST_RUN)
        flagged = [each for each in found if not each.attributed or each.words > self._settings.quote_words]
        taken = await asyncio.to_thread(shares, pieces, texts, _LEAST_RUN)
        remarks = []
        if unattributed := [each for each in flagged if not each.attributed]:
            said = f"{len(unattributed)} runs of a source's words are not cited to it; the longest has"
            remarks.append(Remark("copied", f"{said} {unattributed[0].words} words."))
        if quoted := [each for each in flagged if each.attributed]:
            said = f"{len(quoted)} quotations are longer than {self._settings.quote_words} words"
            remarks.append(Remark("long_quotation", f"{said}; the longest has {quoted[0].words}."))
        for number, share in taken.items():
            if share > self._settings.quoted_share:
                said = (
                    f"{share:.0%} of the words of source {number} ({sources[number - 1].title}) stand in the article."
                )
                remarks.append(Remark("much_of_source", said))
        return flagged, remarks

    async def _text(self, source: Source, context: Context) -> str:
        if source.kind != "document":
            return source.text
        try:
            found = await self._rooms.library.document(context.principal, source.collection_id, source.id)
            return await self._rooms.library.search.text(found.text_blob)
        except (NotFound, Conflict):
            return ""


def _remarks(
    sections: Sequence[Section], found: Sequence[Sequence[Findings]], drafts: Mapping[int, str], mode: str
) -> list[Remark]:
    """What the author should know of how it was made."""
    said = []
    if mode == "extractive":
        said.append(
            Remark("extractive", "Assembled of sentences of the sources, word for word: no model has written a draft.")
        )
    elif len(drafts) < len(sections):
        missing = len(sections) - len(drafts)
        said.append(Remark("partly_extractive", f"{missing} sections are assembled of sentences of the sources."))
    limits = sorted({each.limit for section in found for each in section if each.limit})
    if limits:
        said.append(Remark("research_limited", f"Research ended at its limit ({', '.join(limits)})."))
    left_out = sum(each.left_out for section in found for each in section)
    if left_out:
        said.append(Remark("left_out", f"{left_out} passages look like instructions to models and were left out."))
    unanswered = sum(len(each.missing) for each in sections)
    if unanswered:
        said.append(Remark("unanswered", f"The sources do not answer {unanswered} questions of the plan."))
    states = [each.state for section in sections for part in section.paragraphs for each in part.statements]
    for state in ("struck", "marked"):
        if count := sum(each == state for each in states):
            said.append(Remark(state, f"{count} statements that no source supports are {state}."))
    return said
