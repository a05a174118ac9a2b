"""Detects the type of a file: by its first bytes if possible, otherwise by its name."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Mapping
from pathlib import PurePath

from mainspring.core.errors import UnreadableDocument

MAX_BYTES = 256 * 2**20
# The maximum unpacked size of an archive: office files are archives, and so are bombs.
MAX_UNPACKED = 1024 * 2**20
_MAX_MEMBERS = 20_000
_ENTRY = b"PK\x01\x02"
# Text compresses to a twentieth, repetitive sheets to a hundredth; higher ratios are no real content.
_MAX_RATIO = 300
_RATIO_COUNTS_FROM = 64 * 2**20

SUFFIXES = {
    "md": "markdown",
    "markdown": "markdown",
    "mdx": "markdown",
    **dict.fromkeys(("rst", "rest"), "rst"),
    **dict.fromkeys(("adoc", "asciidoc", "asc"), "asciidoc"),
    **dict.fromkeys(("man", "mdoc", "roff"), "roff"),
    "txt": "text",
    "log": "text",
    "html": "html",
    "htm": "html",
    "xhtml": "html",
    "csv": "csv",
    "tsv": "csv",
    **dict.fromkeys(("json", "geojson"), "json"),
    **dict.fromkeys(("jsonl", "ndjson"), "jsonl"),
    **dict.fromkeys(("xml", "svg", "rss", "atom"), "xml"),
    "eml": "email",
    "pdf": "pdf",
    **{kind: kind for kind in ("docx", "pptx", "xlsx", "odt", "ods", "epub", "rtf", "doc", "xls", "ppt")},
    **dict.fromkeys(("docm", "dotx"), "docx"),
    **dict.fromkeys(("pptm", "ppsx"), "pptx"),
    "xlsm": "xlsx",
    **dict.fromkeys(("png", "jpg", "jpeg", "tif", "tiff", "webp", "bmp"), "image"),
}
_BINARY = frozenset("pdf docx pptx xlsx odt ods epub rtf doc xls ppt image".split())
_CODE = frozenset(
    "py pyi js jsx ts tsx java kt c h cc cpp hpp cs go rs rb php swift scala sh bash zsh ps1 sql r jl lua pl m "
    "toml yaml yml ini cfg conf css scss vue svelte proto graphql tf dockerfile makefile tex".split()
)
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"BM")
_HEAD = 8192
# A page of a manual starts with its title; comments may precede it.
_ROFF = re.compile(rb"^\.(?:TH|Dd|Dt)\s", re.MULTILINE)
# Signatures have AsciiDoc's extension too.
_SIGNED = ("asc",)
_MAIL = re.compile(rb"(?:received|return-path|delivered-to|mime-version|message-id|from|date|subject|to|x-[a-z-]+):")
_MEMBERS = (("word/", "docx"), ("ppt/", "pptx"), ("xl/", "xlsx"))


def detect(data: bytes, name: str, further: Mapping[str, str] | None = None) -> tuple[str, str]:
    """(kind, warning) of a file. ``further`` are kinds that plugins read, by endings of names, which decide before the
    content does.

    Raises ``UnreadableDocument``: empty, too large, encrypted, an archive, or not of the type that its name says.
    """
    if not data.strip():
        raise UnreadableDocument(f"{name} is empty", remedy="Check that the file was saved or uploaded completely")
    if len(data) > MAX_BYTES:
        raise too_large(name, len(data))
    suffix = PurePath(name).suffix.lower().lstrip(".")
    if further and suffix in further:
        return further[suffix], ""
    named = SUFFIXES.get(suffix, "code" if suffix in _CODE else "")
    found = _by_content(data, name)
    if found:
        kind = _resolved(found, named, name)
        if named and named != kind:
            return kind, f"named .{suffix}, but its content is {found.upper()}"
        return kind, _two_in_one(data, found)
    if named in _BINARY:
        raise UnreadableDocument(
            f"{name} is not a {named.upper()} file, or is damaged: its content does not begin like one",
            remedy="Give it the right extension, or download it again",
        )
    if not named and re.fullmatch(r"\d\w{0,3}", suffix) and _ROFF.search(data[:_HEAD]):
        return "roff", ""
    if suffix in _SIGNED and data.startswith(b"-----BEGIN PGP"):
        return "text", ""
    return named or _by_text(data), ""


def too_large(name: str, size: int) -> UnreadableDocument:
    """The message for a file of ``size`` bytes, more than ``MAX_BYTES``."""
    problem = f"{name} has {size} bytes, more than {MAX_BYTES}"
    return UnreadableDocument(problem, remedy="Split it into several files")


def _by_text(data: bytes) -> str:
    """The kind of a text whose name does not show it."""
    head = data[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "html"
    if head.startswith((b"<?xml", b"<svg")):
        return "html" if b"<html" in head else "xml"
    if _MAIL.match(head) and b"\nfrom:" in b"\n" + head:
        return "email"
    return "text"


def _by_content(data: bytes, name: str) -> str:
    """By the very first bytes: a signature further on is part of the content, or bait in a file of two kinds."""
    if data.startswith(b"PK\x03\x04"):
        return _archive(data, name)
    if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise UnreadableDocument(f"{name} is encrypted", remedy="Save it without a password")
        if "__substg1.0_".encode("utf-16-le") in data:
            raise UnreadableDocument(f"{name} is a message of Outlook", remedy="Save it as .eml")
        return "ole"
    if data.startswith(b"{\\rtf"):
        return "rtf"
    if data.startswith(_IMAGES[:4]) or (data.startswith(b"BM") and name.lower().endswith(".bmp")):
        return "image"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image"
    # Readers of PDF allow some bytes before its header, which mail gateways add.
    return "pdf" if b"%PDF-" in data[:1024] else ""


def _two_in_one(data: bytes, found: str) -> str:
    """A warning for a file that is an archive as well: the content of the archive is not read."""
    if found in ("pdf", "image", "rtf") and b"PK\x05\x06" in data[-65_557:]:
        return "it is an archive too, whose files were not read"
    return ""


def _resolved(found: str, named: str, name: str) -> str:
    if found != "ole":
        return found
    if named in ("doc", "xls", "ppt"):
        return named
    raise UnreadableDocument(
        f"{name} is an old Office file, and its name does not say of which program",
        remedy="Name it .doc, .xls or .ppt, or save it in the present format",
    )


def _archive(data: bytes, name: str) -> str:
    # Each file of an archive has an entry in its directory; reading a directory takes ten times its bytes.
    if data.count(_ENTRY) > _MAX_MEMBERS:
        raise _unpacks_to_too_much(name)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            kind = next((kind for prefix, kind in _MEMBERS if any(each.startswith(prefix) for each in names)), "")
            if not kind and "mimetype" in names:
                kind = _open_document(archive.read("mimetype")[:100]) if names.index("mimetype") == 0 else ""
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise UnreadableDocument(
            f"{name} is damaged or truncated: {error}", remedy="Get the file again, or save it again"
        ) from None
    if not kind:
        raise UnreadableDocument(f"{name} is an archive", remedy="Unpack it and ingest the files in it")
    _check_members(data, members, name)
    return kind


def _check_members(data: bytes, members: list[zipfile.ZipInfo], name: str) -> None:
    unpacked = sum(member.file_size for member in members)
    if len(members) > _MAX_MEMBERS or unpacked > MAX_UNPACKED:
        raise _unpacks_to_too_much(name)
    if unpacked > _RATIO_COUNTS_FROM and unpacked > _MAX_RATIO * len(data):
        raise UnreadableDocument(
            f"{name} unpacks to {unpacked // len(data)} times its size, as no document does",
            remedy="Check its origin, or save it again in its program",
        )
    if any(member.flag_bits & 1 for member in members):
        raise UnreadableDocument(f"{name} is encrypted", remedy="Save it without a password")
    names = [member.filename for member in members]
    if len(set(names)) != len(names):
        raise UnreadableDocument(f"{name} holds two files of one name", remedy="Save it again in its program")
    for each in names:
        path = posixpath.normpath(each.replace("\\", "/"))
        if path.startswith(("/", "..")) or path[1:2] == ":" or "\x00" in each:
            raise UnreadableDocument(
                f"{name} holds a file outside of its folder ({each[:80]})", remedy="Save it again in its program"
            )


def _unpacks_to_too_much(name: str) -> UnreadableDocument:
    problem = f"{name} unpacks to more than {MAX_UNPACKED // 2**20} MiB or {_MAX_MEMBERS} files"
    return UnreadableDocument(problem, remedy="Make the file smaller")


def _open_document(mimetype: bytes) -> str:
    for end, kind in ((b"opendocument.text", "odt"), (b"opendocument.spreadsheet", "ods"), (b"epub+zip", "epub")):
        if end in mimetype:
            return kind
    return ""
