"""Extracts links from pages and addresses from sitemaps, for crawling."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit, urlunsplit
from xml.etree import ElementTree

from mainspring.core.errors import UpstreamError

_MAX_SITEMAP_BYTES = 50 * 2**20
_MAX_LINKS = 5_000


@dataclass(slots=True)
class Links:
    """From an HTML page: its title, its links, and its instructions to crawlers."""

    title: str = ""
    urls: list[str] = field(default_factory=list)
    noindex: bool = False
    nofollow: bool = False


def links(body: bytes, url: str, charset: str = "utf-8") -> Links:
    """The links of an HTML page as absolute addresses without fragments, each once, in order."""
    reader = _Reader(url)
    reader.feed(_decoded(body, charset))
    reader.close()
    found = reader.found
    found.title = " ".join(found.title.split())[:300]
    found.urls = list(dict.fromkeys(found.urls))[:_MAX_LINKS]
    return found


def robots_header(value: str, found: Links) -> None:
    """Take an ``X-Robots-Tag`` into account."""
    words = set(re.findall(r"[a-z]+", value.lower()))
    found.noindex = found.noindex or bool(words & {"noindex", "none"})
    found.nofollow = found.nofollow or bool(words & {"nofollow", "none"})


def sitemap(body: bytes, url: str) -> tuple[list[str], list[str]]:
    """(pages, further sitemaps) that a sitemap or an index of them names. Raises ``UpstreamError``: it is none."""
    if body.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            body = unpacker.decompress(body, _MAX_SITEMAP_BYTES)
        except zlib.error as error:
            raise UpstreamError(f"{url} is not a gzip file: {error}") from None
        if unpacker.unconsumed_tail:
            raise UpstreamError(f"{url} unpacks to more than {_MAX_SITEMAP_BYTES} bytes")
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        # Entities are how XML is made to explode or to read files; sitemaps have none.
        raise UpstreamError(f"{url} declares entities and is not read")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - without entities there is nothing to expand
    except ElementTree.ParseError as error:
        raise UpstreamError(f"{url} is not a sitemap: {error}") from None
    places = [
        urljoin(url, place.text.strip())
        for entry in root
        for place in entry
        if _local(place.tag) == "loc" and place.text and place.text.strip()
    ]
    return ([], places) if _local(root.tag) == "sitemapindex" else (places, [])


def canonical(url: str) -> str:
    """One spelling for addresses that are the same: no fragment, no default port, a path, a lower-case host."""
    parts = urlsplit(urldefrag(url).url)
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    port = parts.port
    if port and (parts.scheme, port) not in (("http", 80), ("https", 443)):
        host = f"{host}:{port}"
    return urlunsplit((parts.scheme.lower(), host, parts.path or "/", parts.query, ""))


def site(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(canonical(url))
    return f"{parts.scheme}://{parts.netloc}"


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _decoded(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset, "replace")
    except LookupError:
        return body.decode("utf-8", "replace")


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.found = Links()
        self._base = url
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: Collection[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "base" and values.get("href"):
            self._base = urljoin(self._base, values["href"])
        elif tag == "title":
            self._in_title = not self.found.title
        elif tag == "meta" and values.get("name", "").lower() in ("robots", "mainspring"):
            robots_header(values.get("content", ""), self.found)
        elif tag in ("a", "area") and "nofollow" not in values.get("rel", "").lower().split():
            self._link(values.get("href", ""))

    def handle_endtag(self, tag: str) -> None:
        self._in_title = self._in_title and tag != "title"

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.found.title += data

    def _link(self, href: str) -> None:
        try:
            joined = urljoin(self._base, href.strip())
            if href.strip() and urlsplit(joined).scheme in ("http", "https"):
                self.found.urls.append(canonical(joined))
        except ValueError:
            # Not an address at all, as in some hand-written links.
            return
