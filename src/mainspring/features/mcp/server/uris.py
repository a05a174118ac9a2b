"""The addresses of collections and documents as resources."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, unquote, urlsplit

from mainspring.core.errors import InvalidRequest, NotFound

SCHEME = "mainspring"
COLLECTION = SCHEME + "://collections/{collection}"
DOCUMENT = COLLECTION + "/documents/{document}{?start,end}"
_PATH = re.compile(r"/([^/]+)(?:/documents/([^/]+))?")


@dataclass(frozen=True, slots=True)
class Place:
    """A collection (its id or name), or a document of it, or ``[start:end]`` of its text."""

    collection: str
    document: str = ""
    start: int = 0
    end: int | None = None


def collection_uri(collection: str) -> str:
    return f"{SCHEME}://collections/{quote(collection, safe='')}"


def document_uri(collection: str, document: str, start: int | None = None, end: int | None = None) -> str:
    """The address of a document, or of a passage of it."""
    span = f"?start={start}&end={end}" if start is not None and end is not None else ""
    return f"{collection_uri(collection)}/documents/{quote(document, safe='')}{span}"


def parse(uri: str) -> Place | None:
    """None: it is not ours. Raises ``NotFound`` for one that is and names nothing, ``InvalidRequest`` for a span that
    is none."""
    parts = urlsplit(uri)
    if parts.scheme != SCHEME:
        return None
    found = _PATH.fullmatch(parts.path)
    if parts.netloc != "collections" or found is None:
        raise NotFound(f"there is no resource {uri[:200]}", remedy=f"Use {COLLECTION} or {DOCUMENT}")
    query = parse_qs(parts.query)
    start, end = _number(query, "start"), _number(query, "end")
    return Place(unquote(found[1]), unquote(found[2] or ""), start or 0, end)


def _number(query: dict[str, list[str]], name: str) -> int | None:
    text = query.get(name, [""])[0]
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise InvalidRequest(f"{name} must be a number of characters", param=name)
    return int(text)
