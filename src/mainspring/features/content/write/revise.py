"""A section written again: shorter, longer, or as an instruction says; the rest of the article stays."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Literal

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import Context
from mainspring.features.content.text.article import (
    Article,
    Brief,
    Evidence,
    Findings,
    Note,
    Plan,
    PlannedSection,
    Section,
)
from mainspring.features.content.write import compose
from mainspring.features.content.write.budgets import StepBudget
from mainspring.features.content.write.draft import Assembler, References
from mainspring.features.content.write.pipeline import Kitchen
from mainspring.features.content.write.seo import seo

Way = Literal["shorter", "longer", "other"]
_SHORTER = re.compile(r"\b(?:short(?:er|en)?|brief(?:er)?|concise|condense|cut|trim|less)\b", re.IGNORECASE)
_LONGER = re.compile(r"\b(?:long(?:er)?|expand|more detail(?:s|ed)?|elaborate|extend|add)\b", re.IGNORECASE)
_SHARE = {"shorter": 0.5, "longer": 2.0, "other": 1.0}


@dataclass(frozen=True, slots=True)
class Wish:
    """What should become of a section: its number from 1, the instruction, and the version that was read (None: the
    newest)."""

    section: int
    instruction: str
    version: int | None = None

    def told(self) -> str:
        """The change in words, for the list of versions."""
        return f"section {self.section}: {self.instruction}"

    @property
    def way(self) -> Way:
        """Whether it asks for less or more of the same."""
        if _SHORTER.search(self.instruction):
            return "shorter"
        return "longer" if _LONGER.search(self.instruction) else "other"


@dataclass(frozen=True, slots=True)
class Revision:
    """An article with its brief and plan, and the wish."""

    brief: Brief
    plan: Plan | None
    article: Article
    wish: Wish


async def revised(kitchen: Kitchen, asked: Revision, context: Context) -> Article:
    """The article with the section changed. Raises ``InvalidRequest`` for a section that there is not, ``Unsupported``
    for an instruction that needs a model where none writes."""
    article, wish = asked.article, asked.wish
    if not 1 <= wish.section <= len(article.sections):
        raise InvalidRequest(f"the article has the sections 1 to {len(article.sections)}", param="section")
    section = article.sections[wish.section - 1]
    assembler = Assembler()
    assembler.references = References(list(article.sources), list(article.evidence))
    if kitchen.writers.draft and article.mode == "written":
        made = await _written(kitchen, asked, section, assembler, context)
    elif wish.way == "shorter":
        made = _shorter(section)
    elif wish.way == "longer":
        made = await _longer(kitchen, asked, section, assembler, context)
    else:
        raise Unsupported(
            "no model here rewords the sentences of sources",
            remedy="Ask for a shorter or longer section, or set content.draft_model",
            param="instruction",
        )
    sections = list(article.sections)
    sections[wish.section - 1] = made
    kept = assembler.references
    return await _finished(kitchen, asked, tuple(sections), kept, context)


async def _finished(
    kitchen: Kitchen, asked: Revision, sections: tuple[Section, ...], kept: References, context: Context
) -> Article:
    flagged, copied = await kitchen.drafter.copied(sections, kept.sources, kept.evidence, context)
    codes = {"copied", "long_quotation", "much_of_source"}
    remarks = [each for each in asked.article.remarks if each.code not in codes]
    article = dataclasses.replace(
        asked.article,
        sections=sections,
        sources=tuple(kept.sources),
        evidence=tuple(kept.evidence),
        overlaps=tuple(flagged),
        remarks=(*remarks, *copied),
    )
    return dataclasses.replace(article, seo=seo(article, asked.brief))


def _shorter(section: Section) -> Section:
    """The first half of each paragraph, and of the paragraphs."""
    parts = section.paragraphs[: max(1, (len(section.paragraphs) + 1) // 2)]
    found = [
        dataclasses.replace(each, statements=each.statements[: max(1, (len(each.statements) + 1) // 2)])
        for each in parts
    ]
    if found == list(section.paragraphs):
        raise InvalidRequest("the section has one sentence already, and cannot be shorter", param="section")
    return dataclasses.replace(section, paragraphs=tuple(found))


async def _longer(
    kitchen: Kitchen, asked: Revision, section: Section, assembler: Assembler, context: Context
) -> Section:
    """The section with further sentences of its sources, which the article does not have yet."""
    found = await _found(kitchen, asked.brief, section, context)
    for each in asked.article.statements():
        assembler.said(each.text)
    words = sum(len(each.text.split()) for part in section.paragraphs for each in part.statements)
    more = assembler.section(section.heading, found, max(60, words), kitchen.rooms.settings.rag.refuse_below)
    if not more.paragraphs:
        raise InvalidRequest("the sources say nothing more about this section", param="section")
    return dataclasses.replace(section, paragraphs=(*section.paragraphs, *more.paragraphs))


async def _written(
    kitchen: Kitchen, asked: Revision, section: Section, assembler: Assembler, context: Context
) -> Section:
    """A model's new text, held against the sources."""
    brief, wish = asked.brief, asked.wish
    found = await _found(kitchen, brief, section, context)
    cited = [
        _note(asked.article, asked.article.evidence[at])
        for part in section.paragraphs
        for each in part.statements
        for at in each.evidence
    ]
    found = [Findings(section.heading, tuple(dict.fromkeys(cited)), 1.0), *found]
    words = sum(len(each.text.split()) for part in section.paragraphs for each in part.statements if each.shown)
    words = int(max(40, words) * _SHARE[wish.way])
    notes = kitchen.drafter.notes(found)
    now = " ".join(each.text for part in section.paragraphs for each in part.statements if each.shown)
    planned = PlannedSection(section.heading, section.questions or (section.heading,))
    instruction = f"{compose.draft_instruction(brief, words)} Change the section as you are asked."
    prompt = (
        f"{compose.draft_prompt(planned, notes, ())}\n\nThe section now:\n{now}\n\nChange it so: {wish.instruction}"
    )
    budget = StepBudget("draft", kitchen.settings.draft)
    written = await kitchen.writers.write(kitchen.writers.draft, instruction, prompt, words * 2 + 100, context, budget)
    if not written.text:
        raise Unsupported(
            f"the section could not be written again: {written.limit or written.fault or 'the model said nothing'}"
        )
    made = await kitchen.drafter.grounded(brief, section.heading, written.text, found, assembler, context)
    return dataclasses.replace(made, questions=section.questions, missing=section.missing)


async def _found(kitchen: Kitchen, brief: Brief, section: Section, context: Context) -> list[Findings]:
    budget = StepBudget("research", kitchen.settings.research)
    scope = await kitchen.researcher.scope(brief, context)
    questions = section.questions or (section.heading,)
    return [await kitchen.researcher.find(each, scope, context, budget, "") for each in questions]


def _note(article: Article, evidence: Evidence) -> Note:
    source = article.sources[evidence.source - 1]
    return Note(source, evidence.quote, evidence.start, evidence.end, heading=evidence.heading, page=evidence.page)
