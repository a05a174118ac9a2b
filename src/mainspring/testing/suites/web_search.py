"""The contract of endpoints for web searches."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from mainspring.rag.websearch.base import FoundPage, SearchEndpoint, WebQuery


@pytest.mark.asyncio
class WebSearchSuite:
    """A subclass has a fixture ``endpoint`` and a ``query`` for which it finds pages. ``domain`` is that of some of
    them."""

    query = "bread"
    domain = ""

    async def test_pages_are_found(self, endpoint: SearchEndpoint) -> None:
        found = await endpoint.search(WebQuery(self.query, 5))
        assert found
        assert all(isinstance(each, FoundPage) for each in found)
        assert any(each.title.strip() and each.text.strip() for each in found)

    async def test_addresses_and_texts_are_text(self, endpoint: SearchEndpoint) -> None:
        for each in await endpoint.search(WebQuery(self.query, 5)):
            for text in (each.title, each.url, each.text):
                assert isinstance(text, str)
                text.encode("utf-8")
            # Which domains are trusted is decided by the settings.
            assert each.trusted is False

    async def test_a_domain_can_be_asked_for(self, endpoint: SearchEndpoint) -> None:
        if not self.domain:
            return
        found = await endpoint.search(WebQuery(self.query, 5, domains=(self.domain,)))
        hosts = [urlsplit(each.url).hostname or "" for each in found]
        assert any(host == self.domain or host.endswith("." + self.domain) for host in hosts)

    @pytest.mark.parametrize("text", ["日本語 😀", '"quoted" -site:a.example', "a" * 400])
    async def test_any_query_is_sent(self, endpoint: SearchEndpoint, text: str) -> None:
        assert isinstance(list(await endpoint.search(WebQuery(text, 3))), list)

    async def test_searches_run_beside_each_other(self, endpoint: SearchEndpoint) -> None:
        found = await asyncio.gather(*(endpoint.search(WebQuery(self.query, 5)) for _ in range(3)))
        assert all(found)

    async def test_it_can_be_closed_twice(self, endpoint: SearchEndpoint) -> None:
        await endpoint.aclose()
        await endpoint.aclose()
