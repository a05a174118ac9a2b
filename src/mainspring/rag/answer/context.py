"""Selects a model's input for an answer: spans of documents, merged, without repetition, within a budget of tokens.

Chunks that overlap or touch become one span; a chunk whose parent is known is read as the parent; a table is read as a
whole. Text that an earlier span contains is left out, and so are spans that do not fit. The best span comes first and
the second best last, because models overlook the middle (Liu et al. 2023, "Lost in the Middle").

Every span is ``text[start:end]`` of its document: nothing is rewritten here.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal, get_args

from mainspring.core.facts.retrievals import ReadingFacts, SpanFacts
from mainspring.core.types import Context
from mainspring.rag.search.hit import Hit
from mainspring.rag.text import sentences

Why = Literal["said already", "no room", "instructions"]
Count = Callable[[Sequence["ContextSpan"]], Awaitable[list[int]]]
"""Tokens of each source in its form in the prompt."""
Sift = Callable[[Sequence[str], Context], Awaitable[list[bool]]]
"""Whether each of these texts may be read by a model."""

# A span that was widened to its parent or table may take this share of the budget; beyond, the chunk alone is read.
_WIDEST = 0.5
# Tables of more characters than this are read by the rows that were found.
_WHOLE_TABLE = 2_400
# A span repeats another if this share of its text (as runs of characters), numbers included, is in the other.
_SAME = 0.9
_RUN = 8
_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NEGATION = re.compile(
    r"\b(?:not|no|nor|never|none|without|except|unless|cannot|nicht|kein\w*|pas|jamais|не|нет)\b|n['’]t\b"
)


@dataclass(frozen=True, slots=True)
class ContextSpan:
    """A span to read: ``text`` is ``[start:end]`` of the document, ``rank`` counts from 0 for the best.

    ``name`` is its source; ``tokens`` counts the span in its form in the prompt.
    """

    document_id: str
    name: str
    text: str
    start: int
    end: int
    rank: int
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A span that was found and is not read."""

    document_id: str
    start: int
    end: int
    why: Why


@dataclass(frozen=True, slots=True)
class ContextReading:
    """The spans to read, in order, and the ones left out."""

    sources: tuple[ContextSpan, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def tokens(self) -> int:
        return sum(source.tokens for source in self.sources)

    def facts(self) -> ReadingFacts:
        """The spans for the retrieval event: those read and those left out."""
        return ReadingFacts(
            tokens=self.tokens,
            read=[SpanFacts(document_id=each.document_id, start=each.start, end=each.end) for each in self.sources],
            left_out=[
                SpanFacts(document_id=each.document_id, start=each.start, end=each.end, why=each.why)
                for each in self.left_out
            ],
        )

    def described(self) -> str:
        """A few words for people who watch the progress."""
        left = {why: sum(each.why == why for each in self.left_out) for why in get_args(Why)}
        said = "".join(f", {count} {why}" for why, count in left.items() if count)
        return f"{len(self.sources)} sources, {self.tokens} tokens{said}"


async def sifted(reading: ContextReading, sift: Sift, context: Context) -> ContextReading:
    """``reading`` without the sources that the guards leave out. Whole sources are checked, as they will be read: a
    chunk beside an instruction may have been widened to it."""
    read = await sift([source.text for source in reading.sources], context)
    if all(read):
        return reading
    pairs = list(zip(reading.sources, read, strict=True))
    dropped = [LeftOut(each.document_id, each.start, each.end, "instructions") for each, may in pairs if not may]
    return ContextReading(tuple(each for each, may in pairs if may), (*reading.left_out, *dropped))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span that could be read, with narrower ones (widest first) in case it does not fit."""

    wide: ContextSpan
    narrower: tuple[ContextSpan, ...] = ()


async def assemble(candidates: Sequence[Candidate], budget: int, count: Count, *, ends: bool = True) -> ContextReading:
    """As many ``candidates`` (best first) as fit ``budget`` tokens as ``count`` counts them.

    ``ends``: the best is first and the second best last; else best first. Where not even the first fits, it is cut
    after a sentence, or after a word. A budget below one token reads nothing.
    """
    chosen: list[ContextSpan] = []
    left: list[LeftOut] = []
    room = budget
    # All at once: a busy engine counts only between two of its steps.
    waiting = [option for candidate in candidates for option in (candidate.wide, *candidate.narrower)]
    counted = iter(zip(waiting, await count(waiting) if waiting else (), strict=True))
    for candidate in candidates:
        wide = candidate.wide
        options = [replace(source, tokens=tokens) for source, tokens in islice(counted, 1 + len(candidate.narrower))]
        fitting = None
        if not any(within(wide.text, other.text) for other in chosen):
            fitting = _fitting(options, room, budget)
            if fitting is None and not chosen:
                fitting = await _cut(options[-1], room, count)
            if fitting is None:
                left.append(_left(wide, "no room"))
                continue
        if fitting is None or any(within(fitting.text, other.text) for other in chosen):
            left.append(_left(wide, "said already"))
            continue
        # A span that contains an earlier one replaces it.
        inside = [other for other in chosen if within(other.text, fitting.text)]
        left += [_left(other, "said already") for other in inside]
        rank = min([fitting.rank, *(other.rank for other in inside)])
        chosen = [other for other in chosen if other not in inside] + [replace(fitting, rank=rank)]
        room += sum(other.tokens for other in inside) - fitting.tokens
    chosen.sort(key=lambda source: source.rank)
    return ContextReading(tuple(at_the_ends(chosen) if ends else chosen), tuple(left))


def spans(hits: Sequence[Hit], texts: Mapping[str, str]) -> list[Candidate]:
    """The spans of ``hits`` (best first), each part of a text once. ``texts`` has the text of each document id.

    A span takes the rank of its best chunk. Chunks whose text differs from the stored text at their place are left out.
    """
    found: list[_Group] = []
    for rank, hit in enumerate(hits):
        text = texts.get(hit.document_id, "")
        if text[hit.start : hit.end] != hit.text or not hit.text.strip():
            continue
        group = _Group(hit, rank, *_widened(hit, text), [(hit.start, hit.end)])
        # The joined span may touch a third: groups grow until none touch.
        while near := next((other for other in found if other.touches(group, text)), None):
            found.remove(near)
            group = near.joined(group)
        found.append(group)
    return [group.candidate(texts[group.hit.document_id]) for group in sorted(found, key=lambda each: each.rank)]


def at_the_ends(ranked: Sequence[ContextSpan]) -> list[ContextSpan]:
    """Best first, second best last, and so on inwards."""
    return [*ranked[::2], *reversed(ranked[1::2])]


@dataclass(slots=True)
class _Group:
    """Chunks of one document that are read together; ``hit`` is the best."""

    hit: Hit
    rank: int
    start: int
    end: int
    chunks: list[tuple[int, int]]

    def touches(self, other: _Group, text: str) -> bool:
        if self.hit.document_id != other.hit.document_id:
            return False
        first, second = sorted((self, other), key=lambda each: (each.start, each.end))
        return second.start <= first.end or not text[first.end : second.start].strip()

    def joined(self, other: _Group) -> _Group:
        best = min(self, other, key=lambda each: each.rank)
        start, end = min(self.start, other.start), max(self.end, other.end)
        return _Group(best.hit, best.rank, start, end, self.chunks + other.chunks)

    def candidate(self, text: str) -> Candidate:
        start, end = min(s for s, _ in self.chunks), max(e for _, e in self.chunks)
        options = dict.fromkeys([(self.start, self.end), (start, end), (self.hit.start, self.hit.end)])
        made = [
            ContextSpan(self.hit.document_id, _name(self.hit), text[start:end], start, end, self.rank)
            for start, end in (_trimmed(text, *option) for option in options)
        ]
        return Candidate(made[0], tuple(made[1:]))


def _widened(hit: Hit, text: str) -> tuple[int, int]:
    """The parent of a chunk if it has one, extended to the ends of the tables at both its ends."""
    start, end = hit.start, hit.end
    if 0 <= hit.parent_start <= start and end <= hit.parent_end <= len(text):
        start, end = hit.parent_start, hit.parent_end
    first, last = _line(text, start)[0], _line(text, max(start, end - 1))[1]
    top, bottom = first, last
    while _is_row(text, top) and top > 0 and _is_row(text, top - 1):
        top = _line(text, top - 1)[0]
    while bottom < len(text) and _is_row(text, max(first, bottom - 1)) and _is_row(text, bottom + 1):
        bottom = _line(text, bottom + 1)[1]
    whole = (bottom - top) - (last - first) <= _WHOLE_TABLE
    if whole and _is_row(text, start):
        start = min(start, top)
    if whole and _is_row(text, max(start, end - 1)):
        end = max(end, bottom)
    return start, end


def _line(text: str, offset: int) -> tuple[int, int]:
    """The span of the line that holds ``offset``, without its end."""
    end = text.find("\n", offset)
    return text.rfind("\n", 0, offset) + 1, len(text) if end < 0 else end


def _is_row(text: str, offset: int) -> bool:
    """Whether ``offset`` is within a row of a table."""
    if offset < 0 or offset >= len(text):
        return False
    start, end = _line(text, offset)
    return text[start:end].lstrip().startswith("|")


def _fitting(options: Sequence[ContextSpan], room: int, budget: int) -> ContextSpan | None:
    """The widest of ``options`` that fits and leaves others their share; without one, the widest that fits."""
    fits = [option for option in options if option.tokens <= room]
    modest = [option for option in fits if option.tokens <= budget * _WIDEST]
    return next(iter(modest or fits), None)


async def _cut(source: ContextSpan, room: int, count: Count) -> ContextSpan | None:
    """The longest beginning of ``source`` that fits: whole sentences, or words if there is no room for a sentence."""
    stops = [sentence.end for sentence in sentences.split(source.text)]
    return await _shortest(source, stops, room, count) or await _shortest(
        source, [match.end() for match in re.finditer(r"\S+", source.text)], room, count
    )


async def _shortest(source: ContextSpan, stops: Sequence[int], room: int, count: Count) -> ContextSpan | None:
    """The beginning of ``source`` up to the last of ``stops`` with which it fits."""
    low, high, best = 0, len(stops), None
    while low < high:
        middle = (low + high) // 2
        text = source.text[: stops[middle]]
        shorter = replace(source, text=text, end=source.start + len(text))
        (tokens,) = await count([shorter])
        if text.strip() and tokens <= room:
            best, low = replace(shorter, tokens=tokens), middle + 1
        else:
            high = middle
    return best


def within(text: str, other: str) -> bool:
    """Whether ``other`` says all that ``text`` says, in about the same words. Texts that differ in a number or in a
    negation do not say the same."""
    one, two = _plain(text), _plain(other)
    if not set(_NUMBER.findall(one)) <= set(_NUMBER.findall(two)):
        return False
    if one in two:
        return True
    if len(one) > len(two) / _SAME or set(_NEGATION.findall(one)) != set(_NEGATION.findall(two)):
        return False
    runs = _runs(one)
    return len(runs & _runs(two)) >= _SAME * len(runs)


def _runs(text: str) -> set[str]:
    return {text[index : index + _RUN] for index in range(max(1, len(text) - _RUN + 1))}


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip().casefold()


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), start + len(part.rstrip())


def _left(source: ContextSpan, why: Why) -> LeftOut:
    return LeftOut(source.document_id, source.start, source.end, why)


def _name(hit: Hit) -> str:
    return f"{hit.source}: {hit.heading}" if hit.heading else hit.source
