"""Credentials by their shape: API keys, JSON web tokens, private key blocks; and their masking in logs.

A pattern has a bounded *head*, which recognises the start of a credential, and an unbounded *tail*, which extends to
the credential's end. Streams can therefore decide early and swallow the rest. The guards use the same patterns.
``BEGUN`` describes prefixes of their heads: change both together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MASK = "[SECRET]"
_USER = re.compile(r"//[^/@\s]*@")

# ``sk-`` and ``ms-`` also begin ordinary hyphenated words, so they must hold a digit.
_KEY_HEAD = r"""(?<![A-Za-z0-9_])(?=((?:
    (?:sk|ms)-(?=[A-Za-z0-9_-]{0,48}[0-9])[A-Za-z0-9_-]{20,64}
  | [spr]k_(?:live|test)_[A-Za-z0-9]{16,64}
  | A(?:KIA|SIA)[0-9A-Z]{16}(?![0-9A-Za-z])
  | gh[opusr]_[A-Za-z0-9]{30,64}
  | github_pat_[A-Za-z0-9_]{22,64}
  | xox[abeoprs]-[A-Za-z0-9-]{10,64}
  | AIza[A-Za-z0-9_-]{35}
  | glpat-[A-Za-z0-9_-]{20,64}
  | hf_[A-Za-z0-9]{30,64}
  | npm_[A-Za-z0-9]{36}
)))"""
_KEY_MARKS = (
    *("sk-", "ms-", "k_live_", "k_test_", "AKIA", "ASIA", "gho_", "ghp_", "ghu_", "ghs_", "ghr_"),
    *("github_pat_", "xox", "AIza", "glpat-", "hf_", "npm_"),
)
_KEY_LABEL = r"[A-Z0-9 ]{0,30}PRIVATE\ KEY(?:\ BLOCK)?-----"


@dataclass(frozen=True, slots=True)
class SecretPattern:
    """One shape of credential.

    ``marks``: every match contains one of these literals (a cheap first test). ``head`` captures without moving on, so
    that it is found wherever it begins. ``ending``: the maximum length of the tail's terminator (0: it has none).
    """

    marks: tuple[str, ...]
    head: re.Pattern[str]
    tail: re.Pattern[str]
    ending: int = 0

    def marked(self, text: str) -> bool:
        """Whether ``text`` contains one of the marks."""
        # A plain loop: every text of every request comes here, and ``any`` takes twice as long.
        for mark in self.marks:  # noqa: SIM110
            if mark in text:
                return True
        return False


PATTERNS: tuple[SecretPattern, ...] = (
    SecretPattern(
        ("PRIVATE KEY",),
        re.compile(rf"(?=(-----BEGIN\ {_KEY_LABEL}))", re.VERBOSE),
        re.compile(rf"(?:(?!-----END\ )[A-Za-z0-9+/=\s:,\\-])*(?:-----END\ {_KEY_LABEL})?", re.VERBOSE),
        ending=80,
    ),
    SecretPattern(
        ("eyJ",),
        re.compile(r"(?<![A-Za-z0-9_-])(?=(eyJ[A-Za-z0-9_-]{8,160}\.eyJ))"),
        re.compile(r"[A-Za-z0-9_.-]*"),
    ),
    SecretPattern(_KEY_MARKS, re.compile(_KEY_HEAD, re.VERBOSE), re.compile(r"[A-Za-z0-9_-]*")),
)


def beginning(*parts: str) -> str:
    """The expression of everything that ``parts``, one after the other, may begin with, the whole included."""
    expression = ""
    for part in reversed(parts):
        expression = f"{part}(?:{expression})?" if expression else part
    return expression


def _begun(literal: str, body: str) -> str:
    return beginning(*literal, body)


_WORD = "[A-Za-z0-9_-]"
BEGUN = "|".join(
    (
        beginning(*"-----BEGIN ", r"(?:[A-Z0-9 ]{0,47}|[A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-{0,4})"),
        rf"(?<!{_WORD})" + beginning(*"eyJ", rf"(?:{_WORD}{{0,160}}|{_WORD}{{8,160}}{beginning('[.]', 'e', 'y')})"),
        r"(?<![A-Za-z0-9_])(?:"
        + "|".join(
            (
                # A digit among the first 49 characters makes it a key.
                beginning("[sm]", "(?:(?<=s)k|(?<=m)s)", "-", rf"(?:{_WORD}{{0,19}}|[A-Za-z_-]{{0,48}})"),
                beginning(
                    "[spr]",
                    "k",
                    "_",
                    f"(?:{_begun('live_', '[A-Za-z0-9]{0,15}')}|{_begun('test_', '[A-Za-z0-9]{0,15}')})",
                ),
                beginning("A", "[KS]", "I", "A", "[0-9A-Z]{0,16}"),
                beginning("g", "h", "[opusr]", "_", "[A-Za-z0-9]{0,29}"),
                _begun("github_pat_", "[A-Za-z0-9_]{0,21}"),
                beginning(*"xox", "[abeoprs]", "-", "[A-Za-z0-9-]{0,9}"),
                _begun("AIza", rf"{_WORD}{{0,34}}"),
                _begun("glpat-", rf"{_WORD}{{0,19}}"),
                _begun("hf_", "[A-Za-z0-9]{0,29}"),
                _begun("npm_", "[A-Za-z0-9]{0,35}"),
            )
        )
        + ")",
    )
)
"""An unanchored expression for a possible start of a credential at the end of a text, and for a credential that is not
yet certain."""


def heads(text: str) -> list[tuple[int, int, SecretPattern]]:
    """(start, end of head, pattern) of everything in ``text`` that begins like a credential; may overlap."""
    return [
        (match.start(), match.end(1), pattern)
        for pattern in PATTERNS
        if pattern.marked(text)
        for match in pattern.head.finditer(text)
    ]


def tail_end(text: str, head_end: int, pattern: SecretPattern) -> int:
    """The end of the credential whose head ends at ``head_end``."""
    match = pattern.tail.match(text, head_end)
    assert match is not None  # every tail matches the empty string
    return match.end()


def anonymous(text: str) -> str:
    """``text`` without the names and passwords of the addresses in it."""
    return _USER.sub("//", text)


def mask(text: str) -> str:
    """``text`` with every credential replaced by ``[SECRET]``."""
    pieces, position = [], 0
    for start, head_end, pattern in sorted(heads(text), key=lambda head: head[0]):
        if start >= position:
            pieces += [text[position:start], MASK]
            position = tail_end(text, head_end, pattern)
    return "".join(pieces) + text[position:] if pieces else text
