"""SearXNG, Brave and Tavily: how each is asked, and the shape of its answers.

Sources: https://docs.searxng.org/dev/search_api.html,
https://api-dashboard.search.brave.com/app/documentation/web-search/get-started,
https://docs.tavily.com/documentation/api-reference/endpoint/search
"""

from __future__ import annotations

import html
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from mainspring.core.errors import Overloaded, SettingsError, UpstreamError
from mainspring.core.plugins import Registry, hookimpl
from mainspring.core.settings.rag import WebSearchSettings
from mainspring.rag.connect.fetch import Fetched, Fetcher
from mainspring.rag.websearch.base import WEB_SEARCH, FoundPage, WebQuery

_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_MOST_TITLE, _MOST_URL = 300, 2_000
_MOST_QUERY = 400
"""Characters of a query that Brave and Tavily accept."""
_MOST_SITES = 8
"""Domains that are named in a query. Those of longer lists are told apart afterwards only."""
_PAGE = 20


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """Register mainspring's own."""
    registry.add(WEB_SEARCH, "searxng", SearxngSearch)
    registry.add(WEB_SEARCH, "brave", BraveSearch)
    registry.add(WEB_SEARCH, "tavily", TavilySearch)


class HttpSearch(ABC):
    """An endpoint over HTTP. Its own host may have a private address, since the settings name it; redirects are
    not followed, so that the key goes nowhere else."""

    url = ""

    def __init__(self, settings: WebSearchSettings) -> None:
        self._key = settings.api_key
        self._most = settings.max_characters
        self.url = (settings.url or self.url).rstrip("/")
        self._fetcher = Fetcher(
            private_hosts=(urlsplit(self.url).hostname or "",),
            delay_s=0.0,
            max_bytes=settings.max_bytes,
            timeout_s=settings.timeout_s,
        )
        self._open = False

    async def search(self, wanted: WebQuery) -> Sequence[FoundPage]:
        url, headers, body = self._request(wanted)
        if not self._open:
            await self._fetcher.__aenter__()
            self._open = True
        answer = await self._fetcher.ask(url, headers, None if body is None else orjson.dumps(body))
        self._check(answer)
        try:
            rows = self._rows(orjson.loads(answer.body))
            found = [self._found(*self._row(each)) for each in rows if isinstance(each, Mapping)]
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise UpstreamError(f"{self._host} answers in another shape: {type(error).__name__}") from error
        return [each for each in found if each is not None]

    async def aclose(self) -> None:
        """End the connections."""
        if self._open:
            self._open = False
            await self._fetcher.__aexit__()

    @property
    def _host(self) -> str:
        # What stands behind the host may be somebody's business: a query, a key.
        return urlsplit(self.url).netloc

    @abstractmethod
    def _request(self, wanted: WebQuery) -> tuple[str, dict[str, str], Any]:
        """The address, the headers and the body (None: it is fetched)."""

    @abstractmethod
    def _rows(self, answer: Any) -> Sequence[Any]:
        """The results in an answer."""

    @abstractmethod
    def _row(self, row: Mapping[str, Any]) -> tuple[str, str, str]:
        """Title, URL and text of a result."""

    def _refused(self, answer: Fetched) -> str:
        """The remedy for a refusal."""
        del answer
        return "Set web_search.api_key to a key of the provider"

    def _check(self, answer: Fetched) -> None:
        if answer.status == 200:
            return
        problem = f"{self._host} answers a search with status {answer.status}"
        if answer.status in (401, 403):
            raise SettingsError(problem, remedy=self._refused(answer))
        if answer.status in (429, 503):
            after = answer.headers.get("retry-after", "")
            raise Overloaded(problem, remedy="Try again later", retry_after=float(after) if after.isdigit() else None)
        raise UpstreamError(problem, remedy="Check web_search.url")

    def _found(self, title: str, url: str, text: str) -> FoundPage | None:
        """A result in plain text; None for what is no page of the web."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or len(url) > _MOST_URL:
            return None
        return FoundPage(_plain(title, _MOST_TITLE) or parts.hostname, url, _plain(text, self._most))


class SearxngSearch(HttpSearch):
    """An instance of SearXNG whose ``search.formats`` has ``json``."""

    def _request(self, wanted: WebQuery) -> tuple[str, dict[str, str], Any]:
        query = urlencode({"q": _within(wanted), "format": "json"})
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        path = "" if self.url.endswith("/search") else "/search"
        return f"{self.url}{path}?{query}", {**headers, "Accept": "application/json"}, None

    def _rows(self, answer: Any) -> Sequence[Any]:
        rows: Sequence[Any] = answer["results"]
        return rows

    def _row(self, row: Mapping[str, Any]) -> tuple[str, str, str]:
        return row.get("title") or "", row["url"], row.get("content") or ""

    def _refused(self, answer: Fetched) -> str:
        if answer.status == 403:
            return "Add json to search.formats in the settings.yml of the instance, and let this server through"
        return "Set web_search.api_key to what stands before the instance accepts"


class BraveSearch(HttpSearch):
    """Brave's search of the web."""

    url = "https://api.search.brave.com/res/v1/web/search"

    def _request(self, wanted: WebQuery) -> tuple[str, dict[str, str], Any]:
        query = {"q": _within(wanted), "count": min(wanted.count, _PAGE), "text_decorations": "false"}
        headers = {"X-Subscription-Token": self._key, "Accept": "application/json"}
        return f"{self.url}?{urlencode(query)}", headers, None

    def _rows(self, answer: Any) -> Sequence[Any]:
        # An answer without pages has no such part.
        rows: Sequence[Any] = (answer.get("web") or {}).get("results") or []
        return rows

    def _row(self, row: Mapping[str, Any]) -> tuple[str, str, str]:
        texts = [row.get("description") or "", *(row.get("extra_snippets") or [])]
        return row.get("title") or "", row["url"], "\n".join(filter(None, texts))


class TavilySearch(HttpSearch):
    """Tavily's search, whose results are extracts for models."""

    url = "https://api.tavily.com/search"

    def _request(self, wanted: WebQuery) -> tuple[str, dict[str, str], Any]:
        body: dict[str, Any] = {"query": _cut(wanted.text, _MOST_QUERY), "max_results": min(wanted.count, _PAGE)}
        if wanted.domains:
            body["include_domains"] = list(wanted.domains)
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        return self.url, headers, body

    def _rows(self, answer: Any) -> Sequence[Any]:
        rows: Sequence[Any] = answer["results"]
        return rows

    def _row(self, row: Mapping[str, Any]) -> tuple[str, str, str]:
        return row.get("title") or "", row["url"], row.get("content") or ""


def _within(wanted: WebQuery) -> str:
    """The query with its domains, as most engines read them."""
    sites = " OR ".join(f"site:{each}" for each in wanted.domains) if len(wanted.domains) <= _MOST_SITES else ""
    room = _MOST_QUERY - len(sites) - 1
    return f"{_cut(wanted.text, room)} {sites}" if sites and room > 0 else _cut(wanted.text, _MOST_QUERY)


def _plain(text: str, most: int) -> str:
    """Without markup and control characters, ``most`` characters."""
    clean = html.unescape(_TAG.sub("", text))
    lines = (" ".join(filter(None, line.split())) for line in clean.splitlines())
    return _cut("\n".join(filter(None, ("".join(filter(str.isprintable, each)) for each in lines))), most)


def _cut(text: str, most: int) -> str:
    """The whole words of ``text`` within ``most`` characters."""
    text = text.strip()
    if len(text) <= most:
        return text
    head = text[: most + 1]
    return head.rsplit(None, 1)[0].rstrip() if len(head.split(None, 1)) > 1 else text[:most]
