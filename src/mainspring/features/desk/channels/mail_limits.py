"""What of a mail is read at all, counted on its bytes: Python's parser takes time and depth as a sender likes."""

from __future__ import annotations

import re

from mainspring.core.errors import InvalidRequest

PART, WHOLE = 128 * 1024, 1024 * 1024
"""Bytes that are read of one part, and of a mail. Text stands before what is cut off, and the content of attachments is
not needed."""
PARTS, LINES = 1000, 20_000
NESTED = 30
"""Parts that can have parts within."""
ADDRESSES, FIELD = 16 * 1024, 2 * 1024
"""Bytes of a header field that names people or messages, and of one that describes a part."""
TEXT, LINE = 50_000, 200
"""Characters of a text, and of a line of it in which the beginning of a quotation is looked for."""
_BREAK = re.compile(rb"\r\n?")
_CONTENT = re.compile(rb"^content-[a-z-]{1,40}:[^\n]*+(?:\n[ \t][^\n]*+)*+", re.IGNORECASE | re.MULTILINE)
_NAMED = re.compile(
    rb"^(?:from|subject|message-id|references|in-reply-to|return-path|auto-submitted|precedence):"
    rb"[^\n]*+(?:\n[ \t][^\n]*+)*+",
    re.IGNORECASE | re.MULTILINE,
)


def shortened(data: bytes) -> bytes:
    """The bytes that are worth parsing. Raises ``InvalidRequest`` for headers that no mail program writes."""
    text = _lines(_parts(_BREAK.sub(b"\n", data)))
    head = text.partition(b"\n\n")[0]
    if any(len(each[0]) > ADDRESSES for each in _NAMED.finditer(head)):
        raise InvalidRequest(f"a header field of this mail has more than {ADDRESSES} bytes")
    nested = 0
    for found in _CONTENT.finditer(text):
        field = found[0].lower()
        if len(field) > FIELD:
            raise InvalidRequest(f"a header field of a part of this mail has more than {FIELD} bytes")
        nested += field.startswith(b"content-type:") and (b"multipart" in field or b"message" in field)
    if nested > NESTED:
        raise InvalidRequest(f"this mail has more than {NESTED} parts within parts")
    return text


def _parts(text: bytes) -> bytes:
    """The beginning of each part: boundaries begin with two hyphens."""
    pieces = text.split(b"\n--", PARTS)
    return b"\n--".join([each[:PART] for each in pieces[:PARTS]])[:WHOLE]


def _lines(text: bytes) -> bytes:
    if text.count(b"\n") <= LINES:
        return text
    return b"\n".join(text.split(b"\n", LINES)[:LINES])
