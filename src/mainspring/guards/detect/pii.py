"""Personal data and credentials in text: email, phone, card, IBAN, SSN, IP addresses, keys and tokens.

Shapes are found by bounded regular expressions and confirmed by checksums and number plans (python-stdnum,
phonenumbers), so that an order number is not taken for a card. Names and postal addresses have no such shape
and are not found. Phone numbers are found in international form (``+44 ...``) and in the North American one.

Whether a finding starts at a position depends on two characters before it and at most ``LONGEST`` after it, and
overlaps are settled from left to right: that is what lets ``guards.rewrite.stream`` redact pieces of a text exactly as
``redact`` does the whole. ``Search.held_from`` is the other half of that guarantee: beside each pattern there is one
for its possible start at the end of a text. Change both together.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from stdnum import iban
from stdnum.us import ssn

from mainspring.core import card_numbers, cards
from mainspring.core.settings import PiiKind
from mainspring.telemetry import secrets
from mainspring.telemetry.secrets import beginning

KINDS: tuple[str, ...] = get_args(PiiKind)
"""In order of precedence where two findings start at the same place."""

LONGEST = 184
"""Characters of the longest pattern (of its head, for credentials) including its lookahead."""

_SPACES, _DASHES, _SEP = card_numbers.SPACES, card_numbers.DASHES, cards.SEPARATOR
_PHONE_SEP = rf"[ ().{_SPACES}{_DASHES}/-]"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"

_CANARY = re.compile(r"(?<![A-Za-z0-9])canary-[0-9a-f]{16}(?![0-9a-f])")
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+-])"
    r"(?=([A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,90}\.[A-Za-z]{2,20}(?![A-Za-z0-9])))"
)
_IPV4 = re.compile(rf"(?<![0-9A-Za-z.])(?:{_OCTET}\.){{3}}{_OCTET}(?![0-9A-Za-z]|\.[0-9])")
_IPV6 = re.compile(r"(?<![0-9A-Za-z:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8}(?![0-9A-Za-z:])")
# Shapes that may start inside one another use lookahead, which consumes nothing: a match at a position must not
# depend on earlier matches.
_SSN = re.compile(rf"(?<![0-9A-Za-z])(?=([0-8][0-9]{{2}}({_SEP})[0-9]{{2}}\2[0-9]{{4}})(?![0-9A-Za-z]))")
_IBAN = re.compile(rf"(?<![0-9A-Za-z])(?=([A-Z]{{2}}[0-9]{{2}}(?:[ {_SPACES}]?[A-Z0-9]){{11,30}})(?![A-Z0-9]))")
_PHONE = re.compile(rf"(?<![0-9A-Za-z])(?=(\+[1-9](?:{_PHONE_SEP}{{0,2}}[0-9]){{6,14}})(?![0-9]))")
_PHONE_NANP = re.compile(
    rf"(?<![0-9A-Za-z])(?<![0-9][.-])(?=((?:1[ .-])?(?:\([2-9][0-9]{{2}}\) ?|[2-9][0-9]{{2}}(?:{_SEP}|[.]))"
    rf"[2-9][0-9]{{2}}(?:{_SEP}|[.])[0-9]{{4}})(?![0-9A-Za-z]))"
)
_GROUP_END = re.compile(r"[0-9A-Z](?![0-9A-Z])")
_DIGIT = re.compile(r"[0-9]")
# Parts of the shapes above, which are found much more quickly: a text without them has none of the shape.
_NUMBERS_WITH_POINT = re.compile(r"[0-9]\.[0-9]")
_TWO_COLONS = re.compile(r":[0-9A-Fa-f]{0,4}:")
_FOUR_DIGITS = re.compile(r"[0-9]{4}(?![0-9A-Za-z])")
# Every pattern needs one of these; most pieces of streamed prose have none.
_TRIGGERS = {
    "canary": "-",
    "secret": "[_-]|eyJ|AIza|A[KS]IA",
    "iban": "[0-9]",
    "credit_card": "[0-9]",
    "ssn": "[0-9]",
    "ip": "[0-9:]",
    "email": "@",
    "phone": "[0-9]",
}
_NOT_DIGITS = re.compile(r"[^0-9]+")


# A possible start of each kind at the end of a text, or a complete finding that more text could extend or cancel.
_NOT_BEHIND = "(?<![0-9A-Za-z])"
_LOCAL, _DOMAIN = "[A-Za-z0-9._%+-]", "[A-Za-z0-9.-]"
_SUBSCRIBER = (*("[2-9]", "[0-9]", "[0-9]", rf"(?:{_SEP}|[.])"), *("[0-9]",) * 4)
_AREA = (
    beginning(r"\(", "[2-9]", "[0-9]", "[0-9]", r"\)", " ?", *_SUBSCRIBER),
    beginning("[2-9]", "[0-9]", "[0-9]", rf"(?:{_SEP}|[.])", *_SUBSCRIBER),
)
_BEGUN = {
    "canary": "(?<![A-Za-z0-9])" + beginning(*"canary-", "[0-9a-f]{0,16}"),
    "secret": secrets.BEGUN,
    "iban": _NOT_BEHIND
    + beginning(
        *("[A-Z]", "[A-Z]", "[0-9]", "[0-9]"),
        rf"(?:(?:[ {_SPACES}]?[A-Z0-9]){{0,30}}|(?:[ {_SPACES}]?[A-Z0-9]){{0,29}}[ {_SPACES}])",
    ),
    "credit_card": _NOT_BEHIND
    + beginning("[2-6]", "[0-9]", rf"(?:(?:{_SEP}?[0-9]){{0,17}}|(?:{_SEP}?[0-9]){{0,16}}{_SEP})"),
    "ssn": _NOT_BEHIND
    + beginning("[0-8]", "[0-9]", "[0-9]", f"(?P<ssn>{_SEP})", "[0-9]", "[0-9]", "(?P=ssn)", "[0-9]{0,4}"),
    "ip": r"(?<![0-9A-Za-z.])"
    + beginning(_OCTET, "[.]", _OCTET, "[.]", _OCTET, "[.]", _OCTET, "[.]")
    + r"|(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{1,4}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){1,8})",
    "email": f"(?<!{_LOCAL})" + beginning(f"{_LOCAL}{{1,64}}", "@", "[A-Za-z0-9]", f"{_DOMAIN}{{0,111}}"),
    "phone": _NOT_BEHIND
    + beginning(
        r"\+",
        "[1-9]",
        rf"(?:(?:{_PHONE_SEP}{{0,2}}[0-9]){{0,14}}|(?:{_PHONE_SEP}{{0,2}}[0-9]){{0,13}}{_PHONE_SEP}{{1,2}})",
    )
    + rf"|{_NOT_BEHIND}(?<![0-9][.-])(?:{'|'.join(_AREA)}|{beginning('1', '[ .-]', '(?:' + '|'.join(_AREA) + ')')})",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """``text[start:end]`` is of ``kind``."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A finding before overlaps are settled. A ``secret`` continues beyond ``end`` while its tail matches."""

    start: int
    rank: int
    end: int
    secret: secrets.SecretPattern | None = None

    @property
    def kind(self) -> str:
        return KINDS[self.rank]

    @property
    def placeholder(self) -> str:
        return f"[{self.kind.upper()}]"


def find(text: str, kinds: Iterable[str] = KINDS) -> list[Finding]:
    """Findings from left to right, without overlaps; time is linear in the length of ``text``."""
    findings: list[Finding] = []
    position = 0
    for candidate in ordered(candidates(text, frozenset(kinds))):
        if candidate.start >= position:
            position = candidate.end
            if candidate.secret is not None:
                position = secrets.tail_end(text, candidate.end, candidate.secret)
            findings.append(Finding(candidate.kind, candidate.start, position))
    return findings


def redact(text: str, kinds: Iterable[str] = KINDS) -> tuple[str, list[Finding]]:
    """``text`` with each finding replaced by a placeholder such as ``[EMAIL]``, and the findings."""
    findings = find(text, kinds)
    pieces, position = [], 0
    for found in findings:
        pieces += [text[position : found.start], f"[{found.kind.upper()}]"]
        position = found.end
    return "".join(pieces) + text[position:], findings


def ordered(found: list[Candidate]) -> list[Candidate]:
    """From left to right; of those with the same start, the one with precedence first."""
    return sorted(found, key=lambda item: (item.start, item.rank, -item.end))


def candidates(text: str, kinds: frozenset[str]) -> list[Candidate]:
    """Everything in ``text`` that has the shape and the checksum of one of ``kinds``; may overlap."""
    found: list[Candidate] = []
    if not kinds or not search(kinds).trigger.search(text):
        return found

    def add(kind: str, spans: Iterable[tuple[int, int]]) -> None:
        rank = KINDS.index(kind)
        found.extend(Candidate(start, rank, end) for start, end in spans)

    if "canary" in kinds and "canary-" in text:
        add("canary", (match.span() for match in _CANARY.finditer(text)))
    if "secret" in kinds:
        rank = KINDS.index("secret")
        for start, head_end, pattern in secrets.heads(text):
            found.append(Candidate(start, rank, head_end, pattern))
    if "email" in kinds and "@" in text:
        add("email", (match.span(1) for match in _EMAIL.finditer(text)))
    if "ip" in kinds:
        add("ip", _addresses(text))
    if _DIGIT.search(text):
        if "iban" in kinds:
            add("iban", _confirmed(_IBAN, text, _is_iban))
        if "credit_card" in kinds:
            add("credit_card", cards.spans(text))
        if "ssn" in kinds and _FOUR_DIGITS.search(text):
            add("ssn", _confirmed(_SSN, text, _is_ssn))
        if "phone" in kinds:
            add("phone", _phones(text))
    return found


@dataclass(frozen=True, slots=True)
class Search:
    """The patterns for a stream.

    ``trigger`` never misses a text with a finding; ``begun`` matches a possible or undecided finding at the end of a
    text; ``either`` matches if one of them does.
    """

    kinds: frozenset[str]
    trigger: re.Pattern[str]
    begun: re.Pattern[str]
    either: re.Pattern[str]

    def held_from(self, text: str, position: int = 0) -> int:
        """The offset (at least ``position``) up to which further text cannot change any finding.

        Only a possible start of one of ``kinds`` follows it, at most ``LONGEST`` characters.
        """
        begun = self.begun.search(text, max(position, len(text) - LONGEST))
        return len(text) if begun is None else begun.start()


@cache
def search(kinds: frozenset[str]) -> Search:
    """The search for ``kinds``, at least one. Raises ``KeyError`` for unknown kinds."""
    chosen = [kind for kind in KINDS if kind in kinds]
    if len(chosen) != len(kinds):
        raise KeyError(f"unknown kinds {sorted(kinds - set(KINDS))}, known are {KINDS}")
    triggers = "|".join(dict.fromkeys(_TRIGGERS[kind] for kind in chosen))
    begun = "|".join(_BEGUN[kind] for kind in chosen)
    return Search(kinds, re.compile(triggers), re.compile(rf"(?:{begun})\Z"), re.compile(rf"{triggers}|(?:{begun})\Z"))


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    if _NUMBERS_WITH_POINT.search(text):
        for match in _IPV4.finditer(text):
            # Loopback and unspecified addresses say nothing about anyone and are in every manual.
            if not match[0].startswith(("127.", "0.0.0.0")):  # noqa: S104
                yield match.span()
    if _TWO_COLONS.search(text):
        for match in _IPV6.finditer(text):
            if sum(map(bool, match[0].split(":"))) >= 3 and _is_ipv6(match[0]):
                yield match.span()


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _confirmed(shape: re.Pattern[str], text: str, confirm: Any) -> Iterator[tuple[int, int]]:
    # The longest run of groups may have swallowed what follows the number ("4111 ... 1111 12/27"): whole groups
    # are given back until the checksum holds.
    for match in shape.finditer(text):
        body = match[1]
        ends = [end.end() for end in _GROUP_END.finditer(body)]
        for end in reversed(ends[-8:]):
            if confirm(body[:end]):
                yield match.start(), match.start() + end
                break


def _is_iban(body: str) -> bool:
    return bool(iban.is_valid(body.translate({ord(space): None for space in " " + _SPACES}), check_country=False))


def _is_ssn(body: str) -> bool:
    return bool(ssn.is_valid(_NOT_DIGITS.sub("-", body)))


def _phones(text: str) -> Iterator[tuple[int, int]]:
    if "+" in text:
        yield from _confirmed(_PHONE, text, _is_phone)
    if _FOUR_DIGITS.search(text):
        yield from _confirmed(_PHONE_NANP, text, _is_phone)


@cache
def _plan() -> Any:
    # The numbering plans take 70 ms to import: only a text with a phone's shape pays for them.
    import phonenumbers

    return phonenumbers


def _is_phone(body: str) -> bool:
    plan = _plan()
    try:
        return bool(plan.is_valid_number(plan.parse(body.replace("(0)", ""), "US")))
    except plan.NumberParseException:
        return False
