"""Parts of a user's message that somebody else seems to have written: quotations, code, e-mails, a text in question.

Only the form decides, and the form does not prove who wrote something. Spans are offsets into the message, in order,
without overlaps.
"""

from __future__ import annotations

import re

LEAST = 120
"""Characters of a pasted text at least: shorter ones are quoted words."""
_FIRST_AT_MOST = 600
_FENCED = re.compile(r"^(```|~~~|\"\"\")[^\n]{0,40}\n(.*?)(?:^\1|\Z)", re.MULTILINE | re.DOTALL)
_QUOTED = re.compile(r"(?:^[ \t]{0,3}>[^\n]*(?:\n|\Z))+", re.MULTILINE)
_HEADER = re.compile(
    r"^[ \t]{0,3}(?:subject|from|to|cc|date|sent|reply-to|received|email_from|received date)[ \t]{0,3}:",
    re.MULTILINE | re.IGNORECASE,
)
_TAGGED = re.compile(
    r"<(document|text|email|e-mail|context|article|page|data|passage|message)>(.*?)(?:</\1>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_BREAK = re.compile(r"\n[ \t]*\n\s*")
# A first paragraph that mentions a text asks about the text after it.
_ABOUT = re.compile(
    r":\s*\Z|\b(?:e-?mails?|texts?|documents?|articles?|messages?|passages?|(?:web ?)?pages?|letters?|reports?|"
    r"reviews?|transcripts?|posts?|below|following|summari[sz]e|translate|proofread|paraphrase)\b",
    re.IGNORECASE,
)


def spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of the pasted parts; time is linear in the length of ``text``."""
    found = [match.span(2) for match in _FENCED.finditer(text)]
    found += [match.span() for match in _QUOTED.finditer(text)]
    found += [match.span(2) for match in _TAGGED.finditer(text)]
    headers = [match.start() for match in _HEADER.finditer(text)]
    if len(headers) >= 2:
        found.append((headers[0], len(text)))
    if (rest := _asked_about(text)) is not None:
        found.append((rest, len(text)))
    return _joined([(start, end) for start, end in found if len(text[start:end].strip()) >= LEAST])


def _asked_about(text: str) -> int | None:
    """Where the text begins that the first paragraph asks about; None without one."""
    body = len(text) - len(text.lstrip())
    first = _BREAK.search(text, body)
    if first is None or not _ABOUT.search(text[body : first.start()]) or first.start() - body > _FIRST_AT_MOST:
        return None
    return first.end()


def _joined(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined
