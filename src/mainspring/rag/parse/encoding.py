"""Bytes to text: by byte order mark, as UTF-8, or by an encoding that fits the bytes."""

from __future__ import annotations

import codecs
import re

from mainspring.core.errors import UnreadableDocument

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# More bytes than this share of a file that are not UTF-8: it is in an older encoding.
_STRAY_BYTES = 0.01
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
# The 7-bit Japanese encoding switches alphabets with escapes.
_ISO_2022_JP = re.compile(rb"\x1b\$[@B].*?\x1b\([BJ]", re.DOTALL)
# Western text has few letters beyond ASCII; other scripts have hardly any within it.
_FOREIGN_BYTES = 0.3
_FOREIGN = "shift_jis euc_jp gb18030 big5 euc_kr cp1251 koi8_r cp1253 iso8859_7 cp1255 cp1256 cp874".split()
_SAMPLE = 65536


def decode(data: bytes, name: str) -> tuple[str, str]:
    """(text, warning). UTF-8 if valid, else by byte order mark, else by detection, else Windows-1252.

    Raises ``UnreadableDocument`` for binary data.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), ""
            except UnicodeDecodeError:
                break
    wide = _wide(data)
    if wide:
        return data.decode(wide, "replace"), f"the text has no byte order mark and was read as {wide.upper()}"
    if _ISO_2022_JP.search(data[:_SAMPLE]):
        return data.decode("iso2022_jp", "replace"), ""
    head = data[:_SAMPLE]
    if len(_CONTROL.findall(head)) > 0.005 * len(head) or b"\x00" in head:
        raise UnreadableDocument(
            f"{name} is a binary file of a kind that no parser reads",
            remedy="Export it as PDF, DOCX, HTML, Markdown or text",
        )
    try:
        return data.decode(), ""
    except UnicodeDecodeError:
        return _older(data)


def _older(data: bytes) -> tuple[str, str]:
    repaired = data.decode("utf-8", "replace")
    stray = repaired.count("\ufffd")
    if stray <= max(1, _STRAY_BYTES * len(data)) and not data.isascii() and _has_utf8(data):
        return repaired, f"{stray} bytes are not valid UTF-8 and were replaced"
    foreign = _foreign(data)
    if foreign:
        return data.decode(foreign, "replace"), f"the text is not UTF-8 and was read as {foreign}"
    return data.decode("cp1252", "replace"), "the text is not UTF-8 and was read as Windows-1252"


def _has_utf8(data: bytes) -> bool:
    """Whether any multi-byte character of UTF-8 is in ``data``: then it is damaged UTF-8, not an older encoding."""
    return re.search(rb"[\xc2-\xf4][\x80-\xbf]", data) is not None


def _wide(data: bytes) -> str:
    """``utf-16-le`` or ``utf-16-be`` where every other byte is zero, as in Western text; else empty."""
    head = data[: _SAMPLE & ~1]
    if len(head) < 8:
        return ""
    even, odd = head[0::2].count(0) / (len(head) / 2), head[1::2].count(0) / (len(head) / 2)
    encoding = "utf-16-le" if odd > 0.6 and even < 0.05 else "utf-16-be" if even > 0.6 and odd < 0.05 else ""
    try:
        text = head.decode(encoding) if encoding else ""
    except UnicodeDecodeError:
        return ""
    return encoding if text and len(re.findall(r"[\w\s.,:;-]", text)) > 0.8 * len(text) else ""


def _foreign(data: bytes) -> str:
    """The encoding of a non-Latin script, or empty. charset-normalizer detects it, if installed."""
    head = data[:_SAMPLE]
    if sum(byte > 0x7F for byte in head) < _FOREIGN_BYTES * len(head):
        return ""
    try:
        import charset_normalizer
    except ImportError:
        return ""
    best = charset_normalizer.from_bytes(head, cp_isolation=_FOREIGN).best()
    return best.encoding if best is not None else ""
