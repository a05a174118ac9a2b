"""Chunks by length alone: token windows (``fixed``), and separators from paragraphs down to words (``recursive``)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mainspring.rag.chunk.base import Material, Span, cut, windows
from mainspring.rag.text import sentences

# Scripts without spaces: each character is a word.
_DENSE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_WORD = re.compile(rf"\s*(?:[{_DENSE}]|[^\s{_DENSE}]+)")
_SEPARATORS = (re.compile(r"\n[ \t]*\n\s*"), re.compile(r"\n\s*"))
# Tokenizers give up on longer words and count one unknown token.
_MAX_WORD = 64

Piece = tuple[int, int]


def fixed(material: Material) -> list[Span]:
    """Windows of words, as full as they can be; a row of a table is never cut where it fits."""
    pieces, tokens = _words(material, 0, len(material.text))
    runs = windows(tokens, material.size, material.overlap)
    return _spans(material, [(pieces[first][0], pieces[last - 1][1]) for first, last in runs])


def recursive(material: Material) -> list[Span]:
    """Paragraphs, or lines if a paragraph is too long, then sentences, then words; small pieces of one level are joined
    up to the size."""
    return _spans(material, _divided(material, 0, len(material.text), 0))


def _spans(material: Material, pieces: list[Piece]) -> list[Span]:
    return [Span(*material.trimmed(start, end)) for start, end in pieces]


def _divided(material: Material, start: int, end: int, level: int) -> list[Piece]:
    if level > len(_SEPARATORS):
        pieces, tokens = _words(material, start, end)
        return [(pieces[a][0], pieces[b - 1][1]) for a, b in windows(tokens, material.size, material.overlap)]
    pieces = list(_pieces(material, start, end, level))
    counts = material.count([material.text[a:b] for a, b in pieces])
    done: list[Piece] = []
    first = 0
    for number in range(len(pieces) + 1):
        if number < len(pieces) and counts[number] <= material.size:
            continue
        run = windows(counts[first:number], material.size, material.overlap)
        done.extend((pieces[first + a][0], pieces[first + b - 1][1]) for a, b in run)
        if number < len(pieces):
            done.extend(_divided(material, *pieces[number], level + 1))
        first = number + 1
    return done


def _pieces(material: Material, start: int, end: int, level: int) -> Iterator[Piece]:
    """``text[start:end]`` cut by the separator of ``level``, each piece with the separator before the next one."""
    text = material.text
    if level < len(_SEPARATORS):
        stops = [match.end() for match in _SEPARATORS[level].finditer(text, start, end)]
    else:
        stops = [start + one.lead for one in sentences.split(text[start:end])[1:]]
    begin = start
    for stop in (*stops, end):
        if stop > begin:
            yield begin, stop
            begin = stop


def _words(material: Material, start: int, end: int) -> tuple[list[Piece], list[int]]:
    """Words of ``text[start:end]`` (rows of tables whole where they fit) and the tokens of each."""
    text, size = material.text, material.size
    rows = material.tables.within(start, end)
    pieces: list[Piece] = []
    at = start
    for (begin, stop), tokens in zip(rows, material.counted([text[a:b] for a, b in rows]), strict=True):
        if tokens <= size:
            pieces += _each_word(text, at, begin)
            pieces.append((begin, stop))
            at = stop
    pieces += _each_word(text, at, end)
    done: list[tuple[Piece, int]] = []
    whole = set(rows)
    while pieces:
        longer: list[Piece] = []
        for (a, b), tokens in zip(pieces, material.counted([text[a:b] for a, b in pieces]), strict=True):
            length = b - a
            if (tokens <= size and (length <= _MAX_WORD or (a, b) in whole)) or length < 2:
                done.append(((a, b), tokens))
            else:
                longer += cut(text, a, b, min(_MAX_WORD, length - 1))
        pieces = longer
    done.sort()
    return [piece for piece, _ in done], [tokens for _, tokens in done]


def _each_word(text: str, start: int, end: int) -> list[Piece]:
    """The words of ``text[start:end]``, each with the space before it; space behind the last one is none's."""
    stop = start + len(text[start:end].rstrip())
    return [match.span() for match in _WORD.finditer(text, start, stop)]
