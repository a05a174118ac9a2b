"""Translates texts: pieces of documents, sentences, marks for what is kept, and everything back together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mainspring.core.types import Principal, Usage
from mainspring.features.translate.documents.pieces import Piece, joined, pieces
from mainspring.features.translate.documents.sentences import cut, sentences
from mainspring.features.translate.engine.translator import TranslatedText
from mainspring.features.translate.memory import Edits, Remembered, SentenceTranslation, digest
from mainspring.features.translate.placeholders import MARK, MOST, Masked, between, masks, restore, together
from mainspring.features.translate.text_threads import Aside

_LONG = 400


class Speaks(Protocol):
    """What translates sentences. ``marks``: it may read the marks of placeholders."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def marks(self) -> bool: ...

    async def translate(self, sentences: Sequence[str], source: str, target: str) -> list[TranslatedText]: ...


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked for. ``terms`` of the glossary come as their translations; ``names`` are kept as they are."""

    source: str
    target: str
    kind: str = "text"
    terms: Mapping[str, str] = field(default_factory=dict)
    names: bool = True


@dataclass(slots=True)
class Report:
    """How it went: sentences in all, those that were remembered or edited by the person, those whose marks the
    translator lost and that were translated in parts, those that came back as they were, and those that the translator
    doubts."""

    sentences: int = 0
    remembered: int = 0
    edited: int = 0
    parted: int = 0
    copied: int = 0
    doubtful: int = 0
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class _Parted:
    """A document as pieces, with the sentences of each that is translated; ``digests`` are those of the sentences.
    ``wholes`` are those of pieces of several sentences, by their place, and ``whole`` that of a plain text: a person
    may have edited more than a sentence at once."""

    pieces: list[Piece]
    groups: list[list[str]]
    digests: dict[str, str]
    wholes: dict[int, str]
    whole: str

    @classmethod
    def of(cls, document: str, job: Job) -> _Parted:
        """Raises ``InvalidRequest`` for JSON that is none."""
        found = pieces(document, job.kind)
        texts = [" ".join(each.text.split()) for each in found if each.say]
        groups = [[part for sentence in sentences(text) for part in cut(sentence, _LONG)] for text in texts]
        unique = dict.fromkeys(part.strip() for group in groups for part in group)

        def named(text: str) -> str:
            return digest(text, job.source, job.target)

        wholes = {at: named(text) for at, text in enumerate(texts) if len(groups[at]) > 1}
        whole = named(" ".join(document.split())) if job.kind == "text" and sum(map(len, groups)) > 1 else ""
        return cls(found, groups, {each: named(each) for each in unique if each}, wholes, whole)

    def names(self) -> list[str]:
        """All that a person may have edited."""
        return [*self.digests.values(), *self.wholes.values(), *([self.whole] if self.whole else [])]

    def joined(self, document: str, known: Mapping[str, str], edited: Mapping[str, str]) -> str:
        """With ``edited``, the person's edits by their digests, in place of what was translated."""
        if self.whole in edited:
            return _spaced(document, edited[self.whole])
        said = [
            edited[name]
            if (name := self.wholes.get(at, "")) in edited
            else "".join(_spaced(part, known[part.strip()]) for part in group)
            for at, group in enumerate(self.groups)
        ]
        return joined(self.pieces, said)

    def left(self, edited: Mapping[str, str]) -> dict[str, str]:
        """The sentences that no edit of more than one covers."""
        if self.whole in edited:
            return {}
        groups = [group for at, group in enumerate(self.groups) if self.wholes.get(at, "") not in edited]
        return {each: self.digests[each] for group in groups for part in group if (each := part.strip())}

    def count(self, edited: Mapping[str, str]) -> int:
        """Sentences that are as the person would have them."""
        if self.whole in edited:
            return sum(map(len, self.groups))
        return sum(
            1
            for at, group in enumerate(self.groups)
            for part in group
            if self.wholes.get(at, "") in edited or self.digests.get(part.strip(), "") in edited
        )


class Translating:
    """Translates by what speaks, with what is remembered. All that takes longer for longer texts is done ``aside``."""

    def __init__(self, remembered: Remembered, edits: Edits | None, aside: Aside | None = None) -> None:
        self._remembered = remembered
        self._edits = edits
        self._aside = aside or Aside()

    async def translate(
        self, document: str, job: Job, speaks: Speaks, principal: Principal, *, edits: bool = True
    ) -> tuple[str, Report]:
        """The document in its own layout; without the principal's ``edits`` as it is translated for anybody. Raises
        ``InvalidRequest`` for JSON that is none."""
        parted = await self._aside(lambda: _Parted.of(document, job))
        report = Report(sentences=sum(map(len, parted.groups)))
        edited: Mapping[str, str] = {}
        if self._edits is not None and edits:
            edited = await self._edits.known(principal, parted.names())
            report.edited = parted.count(edited)
        known = await self._known(parted.left(edited), edited, job, speaks, principal, report)
        return await self._aside(lambda: parted.joined(document, known, edited), begun=True), report

    async def _known(
        self,
        digests: Mapping[str, str],
        edited: Mapping[str, str],
        job: Job,
        speaks: Speaks,
        principal: Principal,
        report: Report,
    ) -> dict[str, str]:
        """The translation of each different sentence."""
        known = {"": ""} | {each: edited[name] for each, name in digests.items() if name in edited}
        state = digest(repr(sorted(job.terms.items())), speaks.fingerprint, str(job.names))

        def remember() -> tuple[list[str], list[Masked]]:
            left: list[str] = []
            for each, name in digests.items():
                found = None if each in known else self._remembered.find(principal.tenant, state + name)
                if found is not None:
                    known[each] = found.text
                    report.remembered += 1
                    report.doubtful += found.doubtful
                elif each not in known:
                    left.append(each)
            return left, masks(left, job.terms, names=job.names)

        def keep() -> None:
            for each, translation in zip(left, made, strict=True):
                known[each] = translation.text
                report.copied += translation.text == each and len(each.split()) > 1
                report.doubtful += translation.doubtful
                self._remembered.keep(principal.tenant, state + digests[each], translation)

        left, masked = await self._aside(remember, begun=True)
        made = await _said(masked, job, speaks, report)
        await self._aside(keep, begun=True)
        return known


async def _said(masked: Sequence[Masked], job: Job, speaks: Speaks, report: Report) -> list[SentenceTranslation]:
    """Each translated with all that is kept in it: whole where its marks come back, otherwise in parts."""

    async def translate(texts: Sequence[str]) -> list[SentenceTranslation]:
        said = await speaks.translate(texts, job.source, job.target)
        report.usage += Usage(sum(each.read for each in said), sum(each.written for each in said))
        return [SentenceTranslation(each.text, each.doubtful) for each in said]

    whole = [each for each in masked if not each.kept or (speaks.marks and len(each.kept) <= MOST)]
    found = dict(zip(whole, await translate([each.text for each in whole]), strict=True))
    made: dict[Masked, SentenceTranslation] = {}
    for each, said in found.items():
        text = restore(said.text, each)
        if text is not None:
            made[each] = SentenceTranslation(text, said.doubtful)
    parted = [each for each in masked if each not in made]
    report.parted += len(parted)
    return await _parts(masked, made, parted, translate)


async def _parts(
    masked: Sequence[Masked],
    made: Mapping[Masked, SentenceTranslation],
    parted: Sequence[Masked],
    translate: Callable[[Sequence[str]], Awaitable[list[SentenceTranslation]]],
) -> list[SentenceTranslation]:
    wanted = {part.strip() for each in parted for part in between(each) if any(one.isalpha() for one in part)}
    ordered = sorted(wanted)
    said = dict(zip(ordered, await translate(ordered), strict=True)) if ordered else {}
    # A mark that the translator makes up within a part stands for nothing.
    known = {part: " ".join(MARK.sub(" ", each.text).split()) for part, each in said.items()}

    def of(part: str) -> str:
        return _spaced(part, known.get(part.strip(), part.strip()))

    found = []
    for each in masked:
        if each in made:
            found.append(made[each])
            continue
        parts = between(each)
        doubtful = any(said[part.strip()].doubtful for part in parts if part.strip() in said)
        found.append(SentenceTranslation(together(parts, of, each), doubtful))
    return found


def _spaced(source: str, translation: str) -> str:
    """With the spaces that are around the source."""
    start = len(source) - len(source.lstrip())
    end = len(source.rstrip())
    return source[:start] + translation + source[end:] if start < end else source
