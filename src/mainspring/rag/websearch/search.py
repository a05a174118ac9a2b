"""The web as people and agents search it: one endpoint, shared by all tenants, each with a rate and a cache of its
own."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

from cachetools import LRUCache, TTLCache

from mainspring.core import plugins
from mainspring.core.errors import InvalidRequest, RateLimited, Unsupported
from mainspring.core.plugins import Registry
from mainspring.core.settings.rag import WebSearchSettings
from mainspring.core.types import Context
from mainspring.rag.websearch.base import WEB_SEARCH, FoundPage, SearchEndpoint, WebQuery
from mainspring.serving.admit.rate_limits import Bucket

MOST = 20
"""Results of a search."""
_TENANTS = 10_000
_REMEMBERED = 1_000
_MOST_QUERY = 2_000
_DOMAIN_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-.")


class WebSearch:
    """Searches the web through the endpoint of the settings. Belongs to one event loop.

    What it finds is written by strangers. A tool that shows it to a model is not ``trusted``, and ``outward``: the
    query leaves this server.
    """

    def __init__(
        self,
        settings: WebSearchSettings,
        registry: Registry | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._registry = registry
        self._clock = clock
        self._endpoint: SearchEndpoint | None = None
        self._rates: LRUCache[str, Bucket] = LRUCache(_TENANTS)
        self._kept: TTLCache[tuple[str, WebQuery], tuple[FoundPage, ...]] | None = None
        if settings.cache_s:
            self._kept = TTLCache(_REMEMBERED, settings.cache_s, timer=clock)

    @property
    def configured(self) -> bool:
        """Whether the settings name an endpoint."""
        return bool(self.settings.kind)

    def check(self, param: str = "tools") -> None:
        """Raises ``Unsupported`` with the remedy if there is no endpoint."""
        if not self.configured:
            raise Unsupported(
                "web search is not configured here",
                remedy="Set web_search.kind (searxng, brave, tavily) and web_search.url or web_search.api_key",
                param=param,
            )

    async def search(
        self,
        query: str,
        count: int | None = None,
        context: Context | None = None,
        *,
        domains: Iterable[str] = (),
        blocked: Iterable[str] = (),
        only_trusted: bool = False,
    ) -> list[FoundPage]:
        """Up to ``count`` pages (None: ``web_search.count``), best first, of ``domains`` if any are named, and
        of no ``blocked`` one.

        A result that the tenant got a short while ago is given again. Raises ``Unsupported`` without an endpoint,
        ``InvalidRequest`` for a query or a domain that is none, ``RateLimited``, and what ``SearchEndpoint.search``
        does.
        """
        self.check()
        text = " ".join(query.split())
        if not text or len(text) > _MOST_QUERY:
            raise InvalidRequest(f"a query has 1 to {_MOST_QUERY} characters", param="query")
        count = max(1, min(MOST, count or self.settings.count))
        kept = self._domains(domains, only_trusted or self.settings.only_trusted)
        wanted = WebQuery(text, count, kept, tuple(dict.fromkeys(domain(each) for each in blocked)))
        if wanted.domains == (_NOWHERE,):
            return []
        tenant = context.principal.tenant if context is not None else ""
        known = self._kept.get((tenant, wanted)) if self._kept is not None else None
        if known is None:
            self._take_turn(tenant)
            known = self._chosen(await self._asked().search(wanted), wanted)
            if self._kept is not None:
                self._kept[tenant, wanted] = known
        return list(known)

    async def aclose(self) -> None:
        """End the connections to the endpoint."""
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            await endpoint.aclose()

    def _asked(self) -> SearchEndpoint:
        if self._endpoint is None:
            registry = self._registry or plugins.registry()
            self._endpoint = registry.make(WEB_SEARCH, self.settings.kind, self.settings)
        return self._endpoint

    def _take_turn(self, tenant: str) -> None:
        most = self.settings.requests_per_minute
        rate = self._rates.get(tenant)
        if rate is None:
            rate = self._rates[tenant] = Bucket(most, self._clock)
        if wait := rate.take(1):
            problem = f"{most} web searches a minute are allowed for each tenant"
            raise RateLimited(problem, remedy=f"Wait {math.ceil(wait)} s", retry_after=wait)

    def _domains(self, named: Iterable[str], only_trusted: bool) -> tuple[str, ...]:
        """Those of ``named`` that may be read. Raises ``InvalidRequest``."""
        asked = tuple(dict.fromkeys(domain(each) for each in named))
        if not only_trusted:
            return asked
        trusted = tuple(domain(each) for each in self.settings.trusted_domains)
        if not asked:
            return trusted or (_NOWHERE,)
        both = [each for each in asked if within(each, trusted)]
        both += [each for each in trusted if within(each, asked) and each not in both]
        return tuple(both) or (_NOWHERE,)

    def _chosen(self, found: Sequence[FoundPage], wanted: WebQuery) -> tuple[FoundPage, ...]:
        """Each page once, of the wanted domains, marked if its domain is trusted."""
        trusted = tuple(map(domain, self.settings.trusted_domains))
        kept: dict[str, FoundPage] = {}
        for each in found:
            host = (urlsplit(each.url).hostname or "").rstrip(".").lower()
            if (not wanted.domains or within(host, wanted.domains)) and not within(host, wanted.blocked):
                kept.setdefault(each.url, dataclasses.replace(each, trusted=within(host, trusted)))
        return tuple(kept.values())[: wanted.count]


_NOWHERE = "."
"""The only domain of a search that may read nothing."""


def within(host: str, domains: Iterable[str]) -> bool:
    """Whether ``host`` is one of ``domains`` or below one."""
    return any(host == each or host.endswith(f".{each}") for each in domains)


def domain(text: str) -> str:
    """A domain as it is compared: ``https://Docs.Example.org/`` is ``docs.example.org``. Raises ``InvalidRequest``."""
    host = text.strip().lower().removeprefix("https://").removeprefix("http://").rstrip("/").rstrip(".")
    try:
        host = host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        host = ""
    if "." not in host or not _DOMAIN_CHARACTERS.issuperset(host) or host.startswith("."):
        raise InvalidRequest(
            f"{text[:100]!r} is not a domain", remedy="Write it like docs.example.org", param="domains"
        )
    return host
