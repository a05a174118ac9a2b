"""Web pages of one site, from its sitemap or by links from a start page.

It respects ``robots.txt``, spaces its requests, and does not fetch pages again that the server reports as unchanged
(ETag, Last-Modified). The cursor keeps where each page leads to, for a page that is not sent shows no links.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from mainspring.core.errors import Forbidden, InvalidRequest, MainspringError, MissingExtra, NotFound, UpstreamError
from mainspring.rag.connect import pages
from mainspring.rag.connect.base import Batch, Source, SyncState, split
from mainspring.rag.connect.fetch import AGENT, Fetched, Fetcher
from mainspring.rag.parse import formats

_HTML = ("text/html", "application/xhtml+xml")
_SUFFIXES = {
    **dict.fromkeys(_HTML, ".html"),
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "application/pdf": ".pdf",
    "application/rtf": ".rtf",
    "application/epub+zip": ".epub",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.oasis.opendocument.text": ".odt",
}


def _suffixes() -> dict[str, str]:
    """The media types to keep, each with its file extension; including those that plugins read."""
    return {**_SUFFIXES, **formats.by_content_type()}


# The stored state of a site between crawls.
_CURSOR_CHARACTERS = 1_000_000
_BATCH_PAGES = 16
_MAX_SITEMAPS = 200
_MAX_CRAWL_DELAY_S = 30.0


@dataclass(slots=True)
class _Crawl:
    """One crawl: its queue, the visited pages, and the results."""

    seen: SyncState
    robots: Any
    follows: bool
    leads: dict[str, list[str]]
    queue: deque[tuple[str, int]] = field(default_factory=deque)
    queued: set[str] = field(default_factory=set)
    there: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    sources: list[Source] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    whole: bool = True

    def enqueue(self, url: str, depth: int) -> None:
        if url not in self.queued:
            self.queued.add(url)
            self.queue.append((url, depth))

    def take(self, gone: Collection[str] = (), cursor: str | None = None) -> Batch:
        batch = Batch(self.sources, self.kept, sorted(gone), cursor, self.problems)
        self.sources, self.kept, self.problems = [], [], []
        return batch


class Web:
    """The pages of ``url``'s site (same scheme, host and port).

    ``url`` is a sitemap or an index of sitemaps if it ends in ``.xml`` or ``.xml.gz``, else a start page, whose links
    are followed up to ``depth`` steps. It reads at most ``max_pages`` pages of at most ``max_bytes`` each, one every
    ``delay_s`` seconds (or as slowly as robots.txt asks). ``private_hosts`` are hosts that may be read though their
    address is not public.
    """

    kind = "web"

    def __init__(
        self,
        url: str,
        *,
        depth: int = 1,
        max_pages: int = 1000,
        max_bytes: int = 20 * 2**20,
        delay_s: float = 0.5,
        private_hosts: Collection[str] = (),
    ) -> None:
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise InvalidRequest(
                f"{url} is not a web address", remedy="Give one that begins with https://", param="source"
            )
        self.url = pages.canonical(url)
        self._depth = depth
        self._max_pages = max_pages
        self._max_bytes = max_bytes
        self._delay_s = delay_s
        self._private_hosts = tuple(private_hosts)

    @property
    def location(self) -> str:
        return self.url

    def owns(self, key: str) -> bool:  # noqa: ARG002 - several starts may lead to one page
        return False

    async def changes(self, seen: SyncState) -> AsyncIterator[Batch]:
        """Batches of pages, then one of removed pages.

        Pages that cannot be read now are reported as problems and stay as they were. Raises ``UpstreamError`` (no
        answer), ``Forbidden`` (a private address, or robots.txt excludes the start), ``MissingExtra``.
        """
        async with Fetcher(
            private_hosts=self._private_hosts, delay_s=self._delay_s, max_bytes=self._max_bytes
        ) as fetcher:
            crawl = await self._begin(fetcher, seen)
            visited = 0
            while crawl.queue and visited < self._max_pages:
                await self._visit(fetcher, crawl, *crawl.queue.popleft())
                visited += 1
                if len(crawl.sources) + len(crawl.kept) + len(crawl.problems) >= _BATCH_PAGES:
                    yield crawl.take()
            crawl.whole = crawl.whole and not crawl.queue
        gone = set(split(seen.marks, crawl.there)) if crawl.whole else crawl.absent & seen.marks.keys()
        yield crawl.take(gone, _cursor(crawl) if crawl.follows else None)

    async def _begin(self, fetcher: Fetcher, seen: SyncState) -> _Crawl:
        robots = await self._robots(fetcher)
        delay = robots.crawl_delay(AGENT)
        if delay:
            fetcher.delay_s = max(fetcher.delay_s, min(float(delay), _MAX_CRAWL_DELAY_S))
        follows = not urlsplit(self.url).path.endswith((".xml", ".xml.gz"))
        leads: dict[str, list[str]] = json.loads(seen.cursor)["leads"] if seen.cursor else {}
        crawl = _Crawl(seen, robots, follows, leads)
        if not robots.can_fetch(self.url, AGENT):
            raise Forbidden(
                f"{pages.site(self.url)}/robots.txt excludes {self.url}", remedy="Ask the site's owner for permission"
            )
        if follows:
            crawl.enqueue(self.url, 0)
            return crawl
        for url in await self._sitemap_pages(fetcher, crawl):
            crawl.enqueue(url, self._depth)
        return crawl

    def require(self) -> None:
        """Raises ``MissingExtra``."""
        _protego()

    async def _robots(self, fetcher: Fetcher) -> Any:
        parser = _protego()
        answer = await fetcher.get(f"{pages.site(self.url)}/robots.txt")
        if answer.status >= 500 or answer.status == 429:
            # RFC 9309, section 2.3.1.4: the rules are unknown, so everything is excluded.
            raise UpstreamError(f"{answer.url} answers {answer.status}", remedy="Try again later")
        return parser.parse(answer.body.decode("utf-8", "replace") if answer.status == 200 else "")

    async def _sitemap_pages(self, fetcher: Fetcher, crawl: _Crawl) -> list[str]:
        waiting, done, found = deque([self.url]), {self.url}, dict[str, None]()
        while waiting:
            url = waiting.popleft()
            answer = await fetcher.get(url)
            if answer.status != 200:
                raise UpstreamError(f"{url} answers {answer.status}", remedy="Check the address of the sitemap")
            urls, further = await asyncio.to_thread(pages.sitemap, answer.body, url)
            found.update(dict.fromkeys(each for each in map(pages.canonical, urls) if self._mine(each)))
            for each in map(pages.canonical, further):
                if each in done or not self._mine(each):
                    continue
                if len(done) >= _MAX_SITEMAPS:
                    crawl.whole = False
                    return list(found)
                done.add(each)
                waiting.append(each)
        return list(found)

    async def _visit(self, fetcher: Fetcher, crawl: _Crawl, url: str, depth: int) -> None:
        if not crawl.robots.can_fetch(url, AGENT):
            crawl.absent.add(url)
            return
        mark = crawl.seen.marks.get(url, "")
        headers = {}
        # A page whose links are not known is wanted whole: they lead to the others.
        if mark and (url in crawl.leads or not crawl.follows):
            name, _, value = mark.partition(":")
            headers = {"If-None-Match" if name == "etag" else "If-Modified-Since": value}
        try:
            answer = await fetcher.get(url, headers, wanted=_suffixes(), redirects=0)
        except MainspringError as error:
            if url == self.url:
                raise
            crawl.problems.append((url, str(error)))
            crawl.whole = False
            return
        if answer.target:
            self._redirected(crawl, url, pages.canonical(answer.target), depth)
        elif answer.status == 304:
            crawl.there.add(url)
            crawl.kept.append(url)
            self._enqueue(crawl, crawl.leads.get(url, []), depth)
        elif answer.status == 200:
            await self._read(crawl, url, answer, depth)
        elif answer.status in (404, 410):
            crawl.absent.add(url)
            if url == self.url:
                raise NotFound(f"{url} answers {answer.status}", param="source")
        else:
            crawl.problems.append((url, f"the server answers {answer.status}"))
            crawl.whole = False

    def _redirected(self, crawl: _Crawl, url: str, target: str, depth: int) -> None:
        crawl.absent.add(url)
        if url == self.url and not self._mine(target):
            raise InvalidRequest(
                f"{url} redirects to another site, {target}", remedy="Give that address", param="source"
            )
        if self._mine(target):
            # Its own turn asks with its own mark.
            crawl.enqueue(target, depth)

    async def _read(self, crawl: _Crawl, url: str, answer: Fetched, depth: int) -> None:
        if answer.content_type not in _suffixes():
            crawl.absent.add(url)
            return
        found = pages.Links()
        if answer.content_type in _HTML:
            found = await asyncio.to_thread(pages.links, answer.body, url, _charset(answer))
        pages.robots_header(answer.headers.get("x-robots-tag", ""), found)
        crawl.leads[url] = [] if found.nofollow else [each for each in found.urls if self._mine(each)]
        self._enqueue(crawl, crawl.leads[url], depth)
        # A page that asks not to be indexed is remembered for its links alone.
        if found.noindex:
            crawl.absent.add(url)
            return
        crawl.there.add(url)
        crawl.sources.append(_source(url, answer, found.title))

    def _enqueue(self, crawl: _Crawl, urls: Collection[str], depth: int) -> None:
        if crawl.follows and depth < self._depth:
            for each in urls:
                crawl.enqueue(each, depth + 1)

    def _mine(self, url: str) -> bool:
        return pages.site(url) == pages.site(self.url)


def _cursor(crawl: _Crawl) -> str:
    """The links of existing pages, as many as fit: a page without stored links is fetched completely again."""
    leads: dict[str, list[str]] = {}
    room = _CURSOR_CHARACTERS
    for url in sorted(crawl.there & crawl.leads.keys(), key=lambda each: (len(crawl.leads[each]), each)):
        room -= sum(len(each) + 4 for each in (url, *crawl.leads[url]))
        if room < 0:
            break
        leads[url] = crawl.leads[url]
    return json.dumps({"leads": leads})


def _source(url: str, answer: Fetched, title: str) -> Source:
    etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    body = answer.body
    return Source(
        url,
        _name(url, answer.content_type),
        lambda: body,
        attributes={"url": url} | ({"title": title} if title else {}),
        modified_at=_time(modified),
        mark=f"etag:{etag}" if etag else f"modified:{modified}" if modified else "",
    )


def _name(url: str, content_type: str) -> str:
    """``https://example.org/docs/install?v=2`` -> ``example.org/docs/install?v=2.html``."""
    parts = urlsplit(url)
    path = unquote(parts.path).strip("/")
    name = "/".join(filter(None, (parts.netloc, path))) + (f"?{parts.query}" if parts.query else "")
    suffix = _suffixes()[content_type]
    known = PurePosixPath(name).suffix.lower()
    return name if path and known in (suffix, ".htm") else name + suffix


def _charset(answer: Fetched) -> str:
    _, _, rest = answer.headers.get("content-type", "").lower().partition("charset=")
    return rest.partition(";")[0].strip(" \"'") or "utf-8"


def _time(modified: str) -> float | None:
    try:
        return parsedate_to_datetime(modified).timestamp() if modified else None
    except ValueError:
        return None


def _protego() -> Any:
    try:
        from protego import Protego
    except ImportError:
        raise MissingExtra("web pages need the package protego", remedy="Install mainspring[connectors]") from None
    return Protego
