"""Payment card numbers: finds them by issuer range, length and check digit, and removes them from data before it is
stored.

No card number is ever stored: every writer of texts removes card numbers first, whatever the policy of the guards. So
this module is below all rooms. Numbers in a JSON text are left unchanged, and strings are scrubbed: scrub values before
they become JSON, in which an escaped line break before a number looks like a letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from mainspring.core.card_numbers import DASHES, SPACES, lengths_of
from mainspring.core.errors import InvalidRequest

SEPARATOR = rf"[ {SPACES}{DASHES}-]"
PLACEHOLDER = "[CREDIT_CARD]"

# Lookahead, which consumes nothing: a match at a position must not depend on earlier matches.
_SHAPE = re.compile(rf"(?<![0-9A-Za-z])(?=([2-6][0-9](?:{SEPARATOR}?[0-9]){{11,17}})(?![0-9]))")
_MAYBE = re.compile(rf"[2-6][0-9](?:{SEPARATOR}?[0-9]){{11}}")
# The same in JSON, where separators beyond ASCII may be escaped.
_MAYBE_JSON = re.compile(rf"[2-6][0-9](?:(?:{SEPARATOR}|\\u[0-9a-f]{{4}})?[0-9]){{11}}")
# With its dashes, or without them.
_UUID = re.compile(
    r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{24})(?![0-9A-Za-z])"
)
_UUID_LENGTH = 36
# Texts up to this many characters are scanned by regular expressions; longer ones by arrays.
_LONG = 4_096
_PIECE = 1 << 16
_GROUP_END = re.compile(r"[0-9](?![0-9])")
_VALUES = bytes(max(0, byte - 48) % 10 for byte in range(256))
_DOUBLED = bytes(sum(divmod(2 * (value % 10), 10)) for value in range(256))
_NOT_DIGITS = re.compile(r"[^0-9]+")
# Facts of our own that are hexadecimal digits, which may all be decimal ones.
_DIGESTS = frozenset({"prefix", "sha256", "digest", "hash", "mark", "fingerprint", "trace_id"})


def spans(text: str) -> Iterator[tuple[int, int]]:
    """The places of card numbers, from left to right; they may overlap."""
    return (each for each in _likely(text) if not _of_uuid(text, *each))


def _likely(text: str) -> Iterator[tuple[int, int]]:
    if len(text) <= _LONG:
        yield from _spans(text)
        return
    # Imported if it is needed: processes that see short texts alone start without it.
    from mainspring.core.cards_long import spans as long_spans

    yield from long_spans(text)


def _of_uuid(text: str, start: int, end: int) -> bool:
    """Whether the place lies within a UUID: one of 2,600 random ones has the digits of a card number."""
    first = max(0, start - _UUID_LENGTH)
    return any(
        first + each.start() <= start and end <= first + each.end() and not each[0].replace("-", "").isdecimal()
        for each in _UUID.finditer(text[first : end + _UUID_LENGTH])
    )


def _spans(text: str) -> Iterator[tuple[int, int]]:
    # The longest run of groups may have swallowed what follows the number ("4111 ... 1111 12/27"): whole groups
    # are given back until the checksum holds.
    for match in _SHAPE.finditer(text):
        body = match[1]
        digits = body if body.isdecimal() else _NOT_DIGITS.sub("", body)
        lengths = lengths_of(digits)
        if not lengths:
            continue
        ends = [end.end() for end in _GROUP_END.finditer(body)]
        for end in reversed(ends[-8:]):
            length = len(digits) if end == len(body) else len(_NOT_DIGITS.sub("", body[:end]))
            if length in lengths and _checks(digits[:length]):
                yield match.start(), match.start() + end
                break


def _anywhere(shape: re.Pattern[str], text: str) -> bool:
    """Whether ``shape``, of 128 characters at most, is in ``text``."""
    # Every text of a request comes here, and most are short.
    if len(text) <= _PIECE:
        return shape.search(text) is not None
    # No other thread runs while an expression does, so it takes a piece at a time.
    return any(shape.search(text, begin, begin + _PIECE + 128) is not None for begin in range(0, len(text), _PIECE))


def holds(text: str) -> bool:
    """Whether ``text`` contains a card number."""
    return _anywhere(_MAYBE, text) and next(spans(text), None) is not None


def scrub(text: str) -> str:
    """``text`` with ``[CREDIT_CARD]`` for each card number; the same object if it has none."""
    if not _anywhere(_MAYBE, text):
        return text
    pieces, position = [], 0
    for start, end in spans(text):
        if start >= position:
            pieces += [text[position:start], PLACEHOLDER]
            position = end
    return "".join(pieces) + text[position:] if pieces else text


def cover(text: str) -> str:
    """``text`` with an asterisk for each digit of a card number. The length does not change. Returns the same object if
    there is no card number."""
    if not _anywhere(_MAYBE, text):
        return text
    pieces, position = [], 0
    for start, end in spans(text):
        if start >= position:
            pieces += [text[position:start], re.sub("[0-9]", "*", text[start:end])]
            position = end
    return "".join(pieces) + text[position:] if pieces else text


def scrubbed(value: Any) -> Any:
    """``value`` with every text in it scrubbed, and whole numbers of it let alone."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {scrub(name): each if name in _DIGESTS else scrubbed(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [scrubbed(each) for each in value]
    return value


def scrub_json(text: str) -> str:
    """A JSON text with every string in it scrubbed. Text that is not JSON is scrubbed as plain text."""
    if not _anywhere(_MAYBE_JSON, text):
        return text
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return scrub(text)
    clean = scrubbed(value)
    return text if clean == value else orjson.dumps(clean).decode()


def scrub_lines(data: bytes) -> bytes:
    """Lines of JSON, each scrubbed. Lines that are not UTF-8 are left unchanged."""
    if not _anywhere(_MAYBE_JSON, text := data.decode("utf-8", "surrogateescape")):
        return data
    lines = [scrub_json(line) for line in text.split("\n")]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def scrub_text(data: bytes) -> bytes:
    """A file without card numbers if it is text in UTF-8; anything else unchanged."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    return data if (clean := scrub(text)) is text else clean.encode()


def refuse(text: str | None, param: str) -> None:
    """Raise ``InvalidRequest`` if a name contains a card number: a scrubbed name could be another tenant's."""
    if text and holds(text):
        raise InvalidRequest(f"{param} holds a payment card number", remedy="Use another identifier", param=param)


def _checks(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (Luhn)."""
    values = digits.encode().translate(_VALUES)
    return (sum(values[-1::-2]) + sum(values[-2::-2].translate(_DOUBLED))) % 10 == 0
