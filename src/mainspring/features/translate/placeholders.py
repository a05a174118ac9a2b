"""What no translator may change, as marks in a sentence: they come back, each once, or the sentence goes in parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

MARK = re.compile(r"<p(\d+)>")
_MARK_AND_BLANKS = re.compile(r"([^\S\n]?)<p(\d+)>([^\S\n]?)")
_EMPHASIS = ("**", "__", "~~")
MOST = 10
_KEPT = re.compile(
    r"""
    <p\d+>                                             # what looks like a mark
  | (?<!`)`++[^`\n]++`++                                # code
  | !?\[(?=[^\]\n]{0,500}+\]\((?:(?!\]\()[^)\s]){1,2000}\))   # a link: what is in its brackets is translated
  | \]\((?:(?!\]\()[^)\s]){1,2000}\)
  | (?:https?|ftp|mailto|file)://[^\s<>"')\]]*[^\s<>"')\].,;:!?] | www\.[^\s<>"')\]]*[^\s<>"')\].,;:!?]
  | [\w.+-]{1,64}+@[\w-]+(?:\.[\w-]+)+                 # an e-mail address
  | </?[A-Za-z][^<>\n]*> | &(?:\#\d+|\#x[0-9a-fA-F]+|\w+);   # a tag, an entity of HTML
  | \{\{[^{}\n]*\}\} | \$?\{[^{}\n]*\} | %\(\w+\)[sdif] | %[sdif]\b | \$\w+   # variables
  | \*\*|__|~~                                         # marks of Markdown
  | [@\#][A-Za-z_]\w+                                  # names of people and topics
  | \b[\w-]{1,64}+(?:/[\w.-]+)+\b | \b\w+(?:_\w+)+\b
  | \b[\w-]{1,64}+\.(?:py|js|ts|md|txt|json|ya?ml|html?|csv|pdf|zip|exe|toml)\b
  | \b(?=\w*\d)(?=\w*[A-Za-z])\w+(?:[-.]\w+)*\b        # 4K, A380, v1.2
  | (?<!\w)[+-]?\d+(?:[.,:/\-  ]\d+)*(?!\w)            # numbers, times, dates
    """,
    re.VERBOSE,
)
_NAMED = re.compile(
    r"(?<![\w<])[A-ZÀ-Þ][\w'’-]{0,80}[a-zà-ÿ][\w-]*(?:\s+[A-ZÀ-Þ][\w-]*[a-zà-ÿ][\w-]*)*|(?<![\w<])[A-Z]{2,}(?!\w)"
)
_COMMON = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
    "september october november december english french spanish korean german japanese chinese russian italian "
    "american british god christmas easter internet i i'm i'll i've i'd mr mrs ms dr earth".split()
)


@dataclass(frozen=True, slots=True)
class Masked:
    """``text`` has marks ``<p0>`` ... in the places of ``kept``, which take their places in the translation."""

    text: str
    kept: tuple[str, ...]


def mask(sentence: str, terms: Mapping[str, str], *, names: bool) -> Masked:
    """``terms`` of a glossary come as their translations; ``names``: words in capitals within a sentence are kept."""
    return masks([sentence], terms, names=names)[0]


def masks(sentences: Iterable[str], terms: Mapping[str, str], *, names: bool) -> list[Masked]:
    """The same of each; the glossary is read once."""
    ordered = sorted(terms, key=len, reverse=True)
    found = [(re.compile(rf"(?<!\w){re.escape(term)}(?!\w)", re.IGNORECASE), terms[term]) for term in ordered]
    some = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered))})(?!\w)", re.IGNORECASE) if ordered else None
    return [_mask(each, found if some and some.search(each) else (), names=names) for each in sentences]


def _mask(sentence: str, terms: Sequence[tuple[re.Pattern[str], str]], *, names: bool) -> Masked:
    spans: list[tuple[int, int, str]] = []
    taken = bytearray(len(sentence))

    def add(start: int, end: int, kept: str) -> None:
        if taken.find(1, start, end) < 0:
            taken[start:end] = b"\1" * (end - start)
            spans.append((start, end, kept))

    # What looks like a mark first: a term "p" must not come into it.
    for found in MARK.finditer(sentence):
        add(found.start(), found.end(), found.group())
    for term, translation in terms:
        for found in term.finditer(sentence):
            add(found.start(), found.end(), translation)
    for found in _KEPT.finditer(sentence):
        add(found.start(), found.end(), found.group())
    for found in _NAMED.finditer(sentence) if names else ():
        before = sentence[: found.start()].rstrip()
        starts = not before or before[-1] in '.!?:¿¡"“«([-–—'
        if found.group().casefold() not in _COMMON and not (starts and " " not in found.group()):
            add(found.start(), found.end(), found.group())
    text, at = "", 0
    kept: list[str] = []
    for start, end, value in sorted(spans):
        text += sentence[at:start] + f"<p{len(kept)}>"
        kept.append(value)
        at = end
    return Masked(text + sentence[at:], tuple(kept))


def restore(translation: str, masked: Masked) -> str | None:
    """None: a mark was lost, came twice, or another one came, or one that closes came before the one that opens."""
    found = [int(number) for number in MARK.findall(translation)]
    if sorted(found) != list(range(len(masked.kept))):
        return None
    opens, closes = _pairs(masked.kept)
    spaced = {int(mark[2]): (mark[1], mark[3]) for mark in _MARK_AND_BLANKS.finditer(masked.text)}
    if any(found.index(one) > found.index(other) for one, other in zip(opens, closes, strict=True)):
        return None

    def kept(mark: re.Match[str]) -> str:
        number = int(mark[2])
        # Markdown has no blanks within what is emphasised; translators put them there.
        before = "" if number in closes and not spaced[number][0] else mark[1]
        behind = "" if number in opens and not spaced[number][1] else mark[3]
        return f"{before}{masked.kept[number]}{behind}"

    return _MARK_AND_BLANKS.sub(kept, translation)


def _pairs(kept: Sequence[str]) -> tuple[list[int], list[int]]:
    """The places of what opens emphasis or a link, and of what closes the same."""
    opens: list[int] = []
    closes: list[int] = []
    waiting: dict[str, int] = {}
    for place, each in enumerate(kept):
        link = each in ("[", "![") or each.startswith("](")
        name = "[" if link else each
        if name in waiting and (not link or each.startswith("](")):
            opens.append(waiting.pop(name))
            closes.append(place)
        elif each in _EMPHASIS or (link and not each.startswith("](")):
            waiting[name] = place
    return opens, closes


def between(masked: Masked) -> list[str]:
    """The parts of a sentence between its marks, with their spaces: one more than there are marks."""
    return MARK.split(masked.text)[::2]


def together(parts: list[str], translated: Callable[[str], str], masked: Masked) -> str:
    """The parts translated, and what is kept between them, in the order of the source."""
    made = [translated(part) for part in parts]
    return "".join(part + kept for part, kept in zip(made, (*masked.kept, ""), strict=True))
