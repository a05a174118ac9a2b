"""Formats of strings: expressions that generate them, checks, and the patterns that generators of schemas put beside.

What an expression here generates satisfies its check and is of limited length. A format that is not here is a remark,
as the specification has it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

_DAY = (
    r"(?:(?:\d\d[2468][048]|\d\d[13579][26]|\d\d0[48]|[02468][048]00|[13579][26]00)-02-29|\d{4}-(?:(?:0[13578]|1[02])-"
    r"(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|(?:02)-(?:0[1-9]|1\d|2[0-8])))"
)
# Years that every calendar has.
_DAYS = (
    r"(?:(?:19|20)\d\d-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)"
    r"|02-(?:0[1-9]|1\d|2[0-8]))|(?:19|20)(?:0[48]|[2468][048]|[13579][26])-02-29)"
)
_CLOCK = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?"
_ZONE = r"(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_HEX = r"[0-9a-fA-F]{1,4}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,20}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL}){{0,3}}\.[A-Za-z]{{2,12}}"

_UUID_OF = r"^[0-9a-f]{8}-[0-9a-f]{4}-VERSION[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"

GENERATED = {
    "date": rf"^{_DAYS}$",
    "time": rf"^{_CLOCK}{_ZONE}$",
    "date-time": rf"^{_DAYS}T{_CLOCK}{_ZONE}$",
    "duration": r"^P(?:[1-9]\d{0,3}W|(?:[1-9]\d{0,3}Y(?:\d{1,2}M)?(?:\d{1,3}D)?|[1-9]\d?M(?:\d{1,3}D)?|\d{1,4}D)"
    r"(?:T(?:\d{1,4}H(?:\d{1,2}M(?:\d{1,2}S)?)?|\d{1,4}M(?:\d{1,2}S)?|\d{1,5}S))?"
    r"|T(?:\d{1,4}H(?:\d{1,2}M(?:\d{1,2}S)?)?|\d{1,4}M(?:\d{1,2}S)?|\d{1,5}S))$",
    "email": rf"^[A-Za-z0-9_+-]{{1,20}}(?:\.[A-Za-z0-9_+-]{{1,20}}){{0,2}}@{_HOST}$",
    "hostname": rf"^{_LABEL}(?:\.{_LABEL}){{0,4}}$",
    "ipv4": rf"^(?:{_OCTET}\.){{3}}{_OCTET}$",
    "ipv6": rf"^(?:(?:{_HEX}:){{7}}{_HEX}|(?:{_HEX}:){{1,4}}(?::{_HEX}){{1,3}}|::(?:{_HEX}:){{0,3}}{_HEX}"
    rf"|(?:{_HEX}:){{1,6}}:|::)$",
    "uuid": r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    "uri": rf"^https?://{_HOST}(?::[1-9][0-9]{{1,3}})?(?:/[A-Za-z0-9._~-]{{0,24}}){{0,6}}"
    r"(?:\?[A-Za-z0-9._~=&-]{1,40})?(?:#[A-Za-z0-9._~-]{1,20})?$",
    "json-pointer": r"^(?:/[A-Za-z0-9_.-]{0,24}){0,6}$",
    "base64": r"^(?:[A-Za-z0-9+/]{4}){0,40}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
    "ipv4network": rf"^(?:{_OCTET}\.){{3}}0/24$",
    **{f"uuid{each}": _UUID_OF.replace("VERSION", str(each)) for each in range(1, 9)},
}
"""Expressions by format."""

_DURATION = re.compile(
    r"P(?!$)(?:\d+W|(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+(?:[.,]\d+)?S)?)?)", re.ASCII
)
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(\.\d+)?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)
_ANY_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", re.ASCII)
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*", re.ASCII)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", re.ASCII)
_POINTER = re.compile(r"(?:/(?:[^/~]|~[01])*)*")


def _date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text)) and date.fromisoformat(text) is not None
    except ValueError:
        return False


def _date_time(text: str) -> bool:
    return len(text) > 11 and text[10] in "Tt " and _date(text[:10]) and bool(_TIME.fullmatch(text[11:]))


def _email(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    # Letters of other scripts are allowed on both sides; who wants less gives a pattern.
    return bool(at and local and domain) and len(local) <= 64 and not set(text) & set(" \t\r\n<>") and _name(domain)


def _name(domain: str) -> bool:
    return domain.startswith("[") or all(domain.split("."))


def _hostname(text: str) -> bool:
    return 0 < len(text) <= 253 and all(_ANY_LABEL.fullmatch(label) for label in text.removesuffix(".").split("."))


def _uuid_of(version: int) -> Callable[[str], bool]:
    return lambda text: bool(_UUID.fullmatch(text)) and text[14] == str(version)


def _address(kind: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return kind(text) is not None and "%" not in text
        except ValueError:
            return False

    return check


# No parts of the registry: JSON Schema's formats, although one has the name of a part.
CHECKS: dict[str, Callable[[str], bool]] = {
    "date": _date,
    "time": lambda text: bool(_TIME.fullmatch(text)),
    "date-time": _date_time,
    "duration": lambda text: bool(_DURATION.fullmatch(text)),
    "email": _email,
    "hostname": _hostname,
    "ipv4": _address(ipaddress.IPv4Address),
    "ipv6": _address(ipaddress.IPv6Address),
    "uuid": lambda text: bool(_UUID.fullmatch(text)),
    "uri": lambda text: bool(_URI.fullmatch(text)),
    "json-pointer": lambda text: bool(_POINTER.fullmatch(text)),
    # These are Pydantic's.
    "base64": lambda text: bool(_BASE64.fullmatch(text)),
    "ipv4network": _address(ipaddress.IPv4Network),
    **{f"uuid{each}": _uuid_of(each) for each in range(1, 9)},
}
"""Whether a text is of a format."""


@dataclass(frozen=True, slots=True)
class KnownPattern:
    """A pattern that Zod puts beside the format that it is ``of``. ``check`` is the same without look-around, and
    ``generated`` admits some of it: both are empty where the pattern itself will do."""

    of: str
    check: str = ""
    generated: str = ""


_ZOD_DURATION = r"(?:(\d+Y)(\d+M)?(\d+D)?|(\d+M)(\d+D)?|(\d+D))"
_ZOD_CLOCK = r"(?:(\d+H)(\d+M)?(\d+([.,]\d+)?S)?|(\d+M)(\d+([.,]\d+)?S)?|(\d+([.,]\d+)?S))"
_ZOD_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?"
_ZOD_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])"
_ZOD_EMAIL = r"^(?:[A-Za-z0-9_'+\-]+\.)*[A-Za-z0-9_'+\-]*[A-Za-z0-9_+-]@(?:[A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"
_ZOD_LOOKING_EMAIL = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"
_ZOD_HOST = (
    r"^(?=.{1,253}\.?$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
    r"(?:\.[a-zA-Z0-9](?:[-0-9a-zA-Z]{0,61}[0-9a-zA-Z])?)*\.?$"
)
_ZOD_EMOJI = (
    r"^(?=[\s\S]*[\p{Extended_Pictographic}\p{Regional_Indicator}\u20E3])"
    r"[\p{Extended_Pictographic}\p{Emoji_Component}]+$"
)
_ZOD_LONG_UUID = (
    r"^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}"
    r"|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$"
)


def _uuid(third: str, fourth: str = "[89abAB][0-9a-fA-F]{3}") -> str:
    return rf"^([0-9a-fA-F]{{8}}-[0-9a-fA-F]{{4}}-{third}-{fourth}-[0-9a-fA-F]{{12}})$"


KNOWN: dict[str, KnownPattern] = {
    rf"^{_DAY}$": KnownPattern("date", generated=GENERATED["date"]),
    rf"^{_DAY}T(?:{_ZOD_TIME}(?:Z))$": KnownPattern("date-time", generated=rf"^{_DAYS}T{_CLOCK}Z$"),
    rf"^{_DAY}T(?:{_ZOD_TIME}(?:Z|([+-](?:[01]\d|2[0-3]):[0-5]\d)))$": KnownPattern(
        "date-time", generated=GENERATED["date-time"]
    ),
    r"^P(?:(\d+W)|(?!.*W)(?=\d|T\d)(\d+Y)?(\d+M)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+([.,]\d+)?S)?)?)$": KnownPattern(
        "duration",
        check=rf"^P(?:(\d+W)|{_ZOD_DURATION}(T{_ZOD_CLOCK})?|T{_ZOD_CLOCK})$",
        generated=GENERATED["duration"],
    ),
    _ZOD_EMAIL: KnownPattern("email", generated=GENERATED["email"]),
    _ZOD_LOOKING_EMAIL: KnownPattern("email", check=_ZOD_EMAIL, generated=GENERATED["email"]),
    _ZOD_HOST: KnownPattern("hostname", generated=GENERATED["hostname"]),
    r"^$|^(?:[0-9a-zA-Z+/]{4})*(?:(?:[0-9a-zA-Z+/]{2}==)|(?:[0-9a-zA-Z+/]{3}=))?$": KnownPattern("base64"),
    _ZOD_EMOJI: KnownPattern("emoji", generated="^[\U0001f600-\U0001f64f]{1,20}$"),
    _ZOD_LONG_UUID: KnownPattern("uuid", generated=GENERATED["uuid"]),
    _uuid("[0-9a-fA-F]{4}", "[0-9a-fA-F]{4}"): KnownPattern("uuid"),
    **{_uuid(f"{version}[0-9a-fA-F]{{3}}"): KnownPattern("uuid") for version in range(1, 9)},
    rf"^(?:{_ZOD_OCTET}\.){{3}}{_ZOD_OCTET}$": KnownPattern("ipv4"),
    (
        rf"^(({_HEX}:){{7}}{_HEX}|({_HEX}:){{1,7}}:|({_HEX}:){{1,6}}:{_HEX}|({_HEX}:){{1,5}}(:{_HEX}){{1,2}}"
        rf"|({_HEX}:){{1,4}}(:{_HEX}){{1,3}}|({_HEX}:){{1,3}}(:{_HEX}){{1,4}}|({_HEX}:){{1,2}}(:{_HEX}){{1,5}}"
        rf"|{_HEX}:((:{_HEX}){{1,6}})|:((:{_HEX}){{1,7}}|:))$"
    ): KnownPattern("ipv6"),
}
"""Patterns by their text."""


def implies(pattern: str, name: str) -> bool:
    """Whether what ``pattern`` matches is of the format ``name``, as far as known."""
    known = KNOWN.get(pattern)
    return name not in CHECKS or (known is not None and known.of == name)
