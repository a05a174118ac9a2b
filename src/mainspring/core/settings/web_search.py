"""Settings of searches in the web."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import Field, model_validator

from mainspring.core.settings.section import Section


class WebSearchSettings(Section):
    """The search endpoint that tools and applications ask (docs/guides/web-search.md). Queries leave this server."""

    kind: str = Field("", description="searxng, brave, tavily, or a plugin's; empty: nothing searches the web")
    url: str = Field("", description="address of the endpoint; empty: the provider's own. SearXNG has none")
    api_key: str = Field("", repr=False, description="the provider's key, as env:NAME or credential:NAME")
    trusted_domains: tuple[str, ...] = Field((), description="domains, with those below them, whose pages are trusted")
    only_trusted: bool = Field(False, description="leave out what other domains say")
    count: int = Field(5, ge=1, le=20, description="results, if a search does not say how many")
    requests_per_minute: int = Field(30, ge=1, description="searches of one tenant that reach the endpoint")
    timeout_s: float = Field(10.0, gt=0, description="of one search")
    cache_s: float = Field(300.0, ge=0, description="how long a tenant's result is reused; 0: never")
    max_bytes: int = Field(2 * 2**20, ge=1024, description="of one answer of the endpoint")
    max_characters: int = Field(2_000, ge=100, description="of the text of one result")

    @model_validator(mode="after")
    def _reachable(self) -> WebSearchSettings:
        if self.kind == "searxng" and not self.url:
            raise ValueError("searxng has no address of its own: give url, the address of an instance")
        if self.url:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
                raise ValueError(f"{self.url} is no http address, or has credentials in it: use api_key for those")
        return self
