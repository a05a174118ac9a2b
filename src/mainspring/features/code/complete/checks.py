"""What is left of a completion in its place: nothing that the file has already, and only what parses there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mainspring.features.code.complete.place import CLOSE, OPEN, Place, columns
from mainspring.features.code.syntax import trees

_MOST_CUTS = 12
_LONG = 8_000
# A line that begins a definition at the top of a file, with its decorators.
_TOP = re.compile(r"^(?:@[^\n]*\n){0,50}(?:def|class|async def)\b", re.MULTILINE)
_MOST_CHARACTERS = 200_000


@dataclass(frozen=True, slots=True)
class CheckedCompletion:
    """A completion as it is shown. ``parses``: the file has no fault with it (None: nobody can say). ``changed`` says
    what was done to what the model wrote: ``cut``, ``closed``, ``indent``, ``withheld`` (empty: nothing)."""

    text: str
    parses: bool | None
    changed: str = ""


def check(place: Place, written: str, *, ended: bool = True) -> CheckedCompletion:
    """The longest part of ``written`` with which the file parses.

    A file that does not parse for other reasons is held against itself without the completion: no part is shown that
    adds a fault. ``ended``: the model came to an end, and was not cut.
    """
    text = without_repeated(place, written)
    if not text.strip():
        return CheckedCompletion("", None, "withheld" if written.strip() else "")
    if len(place.before) + len(place.after) > _MOST_CHARACTERS:
        return CheckedCompletion(text, None)
    place = _window(place)
    alone: int | None = None
    best: CheckedCompletion | None = None
    least = 0
    for candidate, changed in _candidates(place, text, ended=ended):
        found = trees.faults(place.before + candidate + place.after, place.suffix)
        if found is None:
            return CheckedCompletion(text, None)
        if found == 0:
            return CheckedCompletion(candidate, True, changed)
        if alone is None:
            alone = least = _alone(place)
        if found < least or (best is None and found <= alone):
            best, least = CheckedCompletion(candidate, False, changed), found
    return best or CheckedCompletion("", None, "withheld")


def _window(place: Place) -> Place:
    """The place in the top-level definitions around it, if these parse by themselves with something at the cursor: a
    long file takes long to parse."""
    if not place.indented or len(place.before) + len(place.after) < _LONG:
        return place
    begins = [found.start() for found in _TOP.finditer(place.before)]
    ends = [found.start() for found in _TOP.finditer(place.after)]
    before = place.before[begins[-1] :] if begins else place.before
    after = place.after[: ends[0]] if ends else place.after
    part = replace(place, before=before, after=after)
    return part if _alone(part) == 0 else place


def _alone(place: Place) -> int:
    """The faults that the file has whatever stands at the cursor."""
    fewest: int | None = None
    for least in ("pass", "x", ""):
        found = trees.faults(place.before + least + place.after, place.suffix) or 0
        fewest = found if fewest is None else min(fewest, found)
        if fewest == 0:
            break
    return fewest or 0


def without_repeated(place: Place, written: str) -> str:
    """``written`` up to where it repeats what stands behind the cursor, without blanks at its end."""
    text = _without_lines(place, written)
    text = _without_rest(place.line_after.rstrip(), text, place.line_before)
    return text.rstrip() if "\n" in place.after or not place.after else text


def _without_lines(place: Place, text: str) -> str:
    """Without the lines with which the file goes on."""
    following = [line.strip() for line in place.after.split("\n", 40)[1:] if line.strip()][:3]
    if not following:
        return text
    lines = text.split("\n")
    for number, line in enumerate(lines[1:], 1):
        if line.strip() != following[0]:
            continue
        rest = [each.strip() for each in lines[number:] if each.strip()]
        # One bracket or word is found everywhere: more than it must be the same, unless nothing comes after.
        same = rest[: len(following)] == following[: len(rest)]
        if same and (len(following[0]) > 3 or len(rest) > 1 or number == len(lines) - 1):
            return "\n".join(lines[:number]).rstrip()
    return text


def _without_rest(rest: str, text: str, line_before: str) -> str:
    """Without the rest of the cursor's line, where the completion's last line ends with it."""
    if not rest:
        return text
    last = text.rstrip()
    for length in range(min(len(rest), len(last)), 0, -1):
        head = rest[:length]
        if not last.endswith(head):
            continue
        if length == len(rest) and length > 2:
            return last[: len(last) - length]
        # Closing brackets are taken away as far as they have nothing to close.
        closers = head.strip(" ;,:")
        quotes = [each for each in closers if each in "\"'`"]
        if not closers or not all(each in CLOSE or each in quotes for each in closers):
            continue
        # A quotation that is closed already would be opened by the rest.
        again = all((line_before + last).count(each) % 2 == 0 for each in quotes) if quotes else _balance(last) < 0
        if again:
            return last[: len(last) - length]
    return text


def _balance(text: str) -> int:
    return sum(text.count(each) for each in OPEN) - sum(text.count(each) for each in CLOSE)


def _candidates(place: Place, text: str, *, ended: bool) -> Iterator[tuple[str, str]]:
    """``text``, and what can be made of it, the longest first."""
    blank = place.line_before and not place.line_before.strip()
    if blank and text[:1] in " \t" and columns(place.line_before) >= columns(place.last_line):
        # The model has written the line's indentation once more.
        yield text.lstrip(" \t"), "indent"
    yield text, ""
    lines = text.split("\n")
    if not ended or len(lines) == 1:
        closers = _missing(place.line_before + text) if len(lines) == 1 else _missing(text)
        if closers:
            yield text + closers, "closed"
    for count in range(len(lines) - 1, max(0, len(lines) - 1 - _MOST_CUTS), -1):
        part = "\n".join(lines[:count]).rstrip()
        if not part:
            continue
        yield part, "cut"
        if not place.indented and (closers := _missing(part)):
            yield f"{part}\n{' ' * place.indent}{closers}", "closed"


def _missing(text: str) -> str:
    """The brackets that close what ``text`` leaves open; nothing within quotes."""
    waiting: list[str] = []
    quote, skip = "", False
    for character in text:
        if skip:
            skip = False
        elif quote:
            skip = character == "\\"
            quote = "" if character in (quote, "\n") else quote
        elif character in "\"'`":
            quote = character
        elif character in OPEN:
            waiting.append(CLOSE[OPEN.index(character)])
        elif waiting and character in CLOSE and waiting[-1] == character:
            waiting.pop()
    return quote + "".join(reversed(waiting))
