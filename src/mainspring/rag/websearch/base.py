"""What a search in the web finds, and the contract of endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mainspring.core.plugins import Kind
from mainspring.core.settings.rag import WebSearchSettings


@dataclass(frozen=True, slots=True)
class FoundPage:
    """A page that a search found. ``title`` and ``text`` (an extract) are the words of strangers: data in which no
    instruction counts, whatever the domain. ``trusted``: the domain is one of ``web_search.trusted_domains``."""

    title: str
    url: str
    text: str
    trusted: bool = False


@dataclass(frozen=True, slots=True)
class WebQuery:
    """``count`` results at most. ``domains``: only pages of these and of the domains below them (empty: any); none
    of ``blocked`` ones."""

    text: str
    count: int
    domains: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()


class SearchEndpoint(Protocol):
    """A provider of searches."""

    async def search(self, wanted: WebQuery) -> Sequence[FoundPage]:
        """The results, best first. May find more than is wanted, and other domains: ``WebSearch`` leaves those out.

        Raises ``UpstreamError`` when nothing sensible comes back in time, ``Overloaded`` when the endpoint asks for
        patience, ``SettingsError`` when it refuses the key.
        """
        ...

    async def aclose(self) -> None: ...


WEB_SEARCH: Kind[[WebSearchSettings], SearchEndpoint] = Kind(
    "web-search",
    SearchEndpoint,
    ("settings",),
    builtins="mainspring.rag.websearch.endpoints",
    setting="web_search.kind",
)
"""What searches the web."""
