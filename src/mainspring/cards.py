"""Payment card numbers: found by issuer's range, length and check digit, and taken out of whatever is to be kept.

No card number is ever stored: what writes texts down scrubs them first, whatever the policy of the guards. So this lies
below all rooms. Numbers of a JSON text are let alone, strings within it are not: scrub values before they are written
out as JSON, where a line break before a number looks like a letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from stdnum import luhn

from mainspring.errors import InvalidRequest

SPACES = "\u00a0\u202f"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015"
SEPARATOR = rf"[ {SPACES}{DASHES}-]"
PLACEHOLDER = "[CREDIT_CARD]"

# Looked ahead at, not consumed: what is found at a position must not depend on what was found before it.
_SHAPE = re.compile(rf"(?<![0-9A-Za-z])(?=([2-6][0-9](?:{SEPARATOR}?[0-9]){{11,17}})(?![0-9]))")
_MAYBE = re.compile(rf"[2-6][0-9](?:{SEPARATOR}?[0-9]){{11}}")
# The same in JSON, where separators beyond ASCII may be escaped.
_MAYBE_JSON = re.compile(rf"[2-6][0-9](?:(?:{SEPARATOR}|\\u[0-9a-f]{{4}})?[0-9]){{11}}")
_GROUP_END = re.compile(r"[0-9](?![0-9])")
_NOT_DIGITS = re.compile(r"[^0-9]+")
# Facts of our own that are hexadecimal digits, which may all be decimal ones.
_DIGESTS = frozenset({"prefix", "sha256", "digest", "hash", "mark", "fingerprint", "trace_id"})


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Where card numbers stand, from left to right; they may overlap."""
    # The longest run of groups may have swallowed what follows the number ("4111 ... 1111 12/27"): whole groups
    # are given back until the checksum holds.
    for match in _SHAPE.finditer(text):
        body = match[1]
        ends = [end.end() for end in _GROUP_END.finditer(body)]
        for end in reversed(ends[-8:]):
            if _is_card(body[:end]):
                yield match.start(), match.start() + end
                break


def holds(text: str) -> bool:
    """Whether a card number stands in ``text``."""
    return _MAYBE.search(text) is not None and next(spans(text), None) is not None


def scrub(text: str) -> str:
    """``text`` with ``[CREDIT_CARD]`` for each card number; the same object where there is none."""
    if not _MAYBE.search(text):
        return text
    pieces, position = [], 0
    for start, end in spans(text):
        if start >= position:
            pieces += [text[position:start], PLACEHOLDER]
            position = end
    return "".join(pieces) + text[position:] if pieces else text


def cover(text: str) -> str:
    """``text`` with an asterisk for each digit of a card number: as long as it was. The same object where there is
    none."""
    if not _MAYBE.search(text):
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
    """A JSON text with the texts in it scrubbed; what is no JSON is scrubbed as it is."""
    if not _MAYBE_JSON.search(text):
        return text
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return scrub(text)
    clean = scrubbed(value)
    return text if clean == value else orjson.dumps(clean).decode()


def scrub_lines(data: bytes) -> bytes:
    """Lines of JSON, each scrubbed; what is no text in UTF-8 is let alone."""
    if not _MAYBE_JSON.search(text := data.decode("utf-8", "surrogateescape")):
        return data
    lines = [scrub_json(line) for line in text.split("\n")]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def scrub_text(data: bytes) -> bytes:
    """A file without card numbers, where it is text in UTF-8; anything else as it is."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return data
    return data if (clean := scrub(text)) is text else clean.encode()


def refuse(text: str | None, param: str) -> None:
    """Raise ``InvalidRequest`` where a name holds a card number: under another it would be somebody else's."""
    if text and holds(text):
        raise InvalidRequest(f"{param} holds a payment card number", remedy="Use another identifier", param=param)


def _is_card(body: str) -> bool:
    digits = _NOT_DIGITS.sub("", body)
    length = len(digits)
    issued = (
        (digits[0] == "4" and length in (13, 16, 19))
        or (digits[0] == "5" and length in range(12, 20))
        or (digits[0] == "6" and length in range(13, 20))
        or (digits[:2] in ("34", "37") and length == 15)
        or (digits[:2] in ("30", "36", "38", "39") and length in range(14, 20))
        or (digits[:2] == "35" and length in range(16, 20))
        or ("2221" <= digits[:4] <= "2720" and length == 16)
    )
    return issued and bool(luhn.is_valid(digits))
