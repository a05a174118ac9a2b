"""What a file is: by its first bytes where they tell, by its name where they do not."""

from __future__ import annotations

import io
import zipfile
from pathlib import PurePath

from mainspring.errors import UnreadableDocument

MAX_BYTES = 256 * 2**20
# What an archive may unpack to: office files are archives, and a bomb is one too.
MAX_UNPACKED = 1024 * 2**20
_MAX_MEMBERS = 20_000

_SUFFIXES = {
    "md": "markdown",
    "markdown": "markdown",
    "mdx": "markdown",
    "rst": "text",
    "txt": "text",
    "log": "text",
    "html": "html",
    "htm": "html",
    "xhtml": "html",
    "csv": "csv",
    "tsv": "csv",
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
    "toml yaml yml json jsonl ini cfg conf xml css scss vue svelte proto graphql tf dockerfile makefile tex".split()
)
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"BM")
_MEMBERS = (("word/", "docx"), ("ppt/", "pptx"), ("xl/", "xlsx"))


def detect(data: bytes, name: str) -> tuple[str, str]:
    """(kind, warning) of a file. Raises ``UnreadableDocument``: empty, too large, encrypted, an archive, or not
    what its name says."""
    if not data.strip():
        raise UnreadableDocument(f"{name} is empty", remedy="Check that the file was saved or uploaded completely")
    if len(data) > MAX_BYTES:
        raise UnreadableDocument(
            f"{name} has {len(data)} bytes, more than {MAX_BYTES}", remedy="Split it into several files"
        )
    suffix = PurePath(name).suffix.lower().lstrip(".")
    named = _SUFFIXES.get(suffix, "code" if suffix in _CODE else "")
    found = _by_content(data, name)
    if found:
        if named and named != found and not (named in ("doc", "xls", "ppt", "rtf") and found == "ole"):
            return _resolved(found, named, name), f"named .{suffix}, but its content is {found.upper()}"
        return _resolved(found, named, name), ""
    if named in _BINARY:
        raise UnreadableDocument(
            f"{name} is not a {named.upper()} file, or is damaged: its content does not begin like one",
            remedy="Give it the ending of what it is, or get it again",
        )
    head = data[:1024].lstrip().lower()
    if not named and head.startswith((b"<!doctype html", b"<html")):
        return "html", ""
    return named or "text", ""


def _by_content(data: bytes, name: str) -> str:
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        return _archive(data, name)
    if data.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise UnreadableDocument(f"{name} is encrypted", remedy="Save it without a password")
        return "ole"
    if data.startswith(b"{\\rtf"):
        return "rtf"
    if data.startswith(_IMAGES[:4]) or (data.startswith(b"BM") and name.lower().endswith(".bmp")):
        return "image"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image"
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
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            names = [member.filename for member in members]
            kind = next((kind for prefix, kind in _MEMBERS if any(each.startswith(prefix) for each in names)), "")
            if not kind and "mimetype" in names:
                kind = _open_document(archive.read("mimetype")[:100]) if names.index("mimetype") == 0 else ""
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise UnreadableDocument(
            f"{name} is damaged or truncated: {error}", remedy="Get the file again, or save it anew"
        ) from None
    if not kind:
        raise UnreadableDocument(f"{name} is an archive", remedy="Unpack it and ingest the files in it")
    if len(members) > _MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED:
        raise UnreadableDocument(
            f"{name} unpacks to more than {MAX_UNPACKED // 2**20} MiB", remedy="Make the file smaller"
        )
    return kind


def _open_document(mimetype: bytes) -> str:
    for end, kind in ((b"opendocument.text", "odt"), (b"opendocument.spreadsheet", "ods"), (b"epub+zip", "epub")):
        if end in mimetype:
            return kind
    return ""
