"""Numbers of a spreadsheet as it shows them: by Excel's format codes (ECMA-376, section 18.8.30).

Dates are written in ISO order whatever their code says: a reader elsewhere would take 03/04 for another day.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

BUILTIN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00",
    14: "yyyy-mm-dd", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM",
    20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00",
    45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss", 48: "0.00E+00", 49: "@",
}  # fmt: skip
_LITERAL = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|\[(?:\$([^\]-]*)(?:-[^\]]*)?|[^\]]*)\]')
_DIGITS = re.compile(r"[#0?][#0?,]*(?:\.([#0?]*))?(,*)")
_MAX_SERIAL = 2_958_466
# Excel writes no longer one; the expressions take the square of its length.
_LONGEST_CODE = 255


def show(value: float, code: str, *, since_1904: bool = False) -> str:
    """``value`` in the format ``code``; unformatted if the code is not understood."""
    if len(code) > _LONGEST_CODE:
        return plain(value)
    section = _section(value, code)
    tokens = _LITERAL.sub("", section).lower()
    if re.search(r"[ydhs]|m(?!\w*[#0])", tokens) and "general" not in tokens:
        return _date(value, section.lower(), since_1904)
    if not re.search(r"[#0?]", tokens):
        return _literals(section) if tokens.strip() == "" and section else plain(value)
    return _number(value, section)


def plain(value: float) -> str:
    """A number without a format: up to ten digits that mean something, as a cell of usual width shows them."""
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.10g}"


def _section(value: float, code: str) -> str:
    sections = re.split(r';(?=(?:[^"]*"[^"]*")*[^"]*$)', code)
    if value < 0 and len(sections) > 1:
        return sections[1]
    if value == 0 and len(sections) > 2:
        return sections[2]
    return sections[0]


def _literals(section: str) -> str:
    return "".join(match[1] or match[2] or match[3] or "" for match in _LITERAL.finditer(section))


def _number(value: float, section: str) -> str:
    text = _LITERAL.sub(lambda match: match[1] or match[2] or match[3] or "", section)
    digits = _DIGITS.search(text)
    if digits is None or re.search(r"[eE][+-]|/", text):
        return plain(value)
    if "%" in text:
        value *= 100
    # A comma after the last digit divides by a thousand.
    whole = digits[0].split(".")[0]
    scale = len(digits[2]) + len(whole) - len(whole.rstrip(","))
    decimals = digits[1] or ""
    try:
        exact = Decimal(repr(abs(value))) / (1000**scale)
        rounded = exact.quantize(Decimal(1).scaleb(-len(decimals)), ROUND_HALF_UP)
    except InvalidOperation:
        return plain(value)
    grouped = "," in whole.rstrip(",")
    shown = f"{rounded:,f}" if grouped else f"{rounded:f}"
    while decimals.endswith("#") and shown.endswith("0") and "." in shown:
        shown, decimals = shown[:-1], decimals[:-1]
    sign = "-" if value < 0 and rounded and ";" not in section and "(" not in text and "-" not in text else ""
    return f"{text[: digits.start()]}{sign}{shown.rstrip('.')}{text[digits.end() :]}".strip()


def _date(value: float, section: str, since_1904: bool) -> str:
    if not 0 <= value < _MAX_SERIAL:
        return plain(value)
    if "[h" in section or "[m" in section or "[s" in section:
        seconds = round(value * 86400)
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    tokens = _LITERAL.sub("", section).replace("am/pm", "").replace("a/p", "")
    has_time = "h" in tokens or "s" in tokens
    has_date = "y" in tokens or "d" in tokens or ("m" in tokens and not has_time)
    # Excel counts a 29 February 1900, which never existed.
    epoch = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30) if value >= 60 else datetime(1899, 12, 31)
    moment = epoch + timedelta(seconds=round(value * 86400))
    parts = []
    if has_date:
        day = (
            "%Y-%m-%d"
            if "d" in tokens
            else "%Y-%m"
            if "y" in tokens and "m" in tokens
            else "%Y"
            if "y" in tokens
            else "%m"
        )
        parts.append(moment.strftime(day))
    if has_time:
        parts.append(moment.strftime("%H:%M:%S" if "s" in tokens else "%H:%M"))
    return " ".join(parts)
