"""Settings of chunking and retrieval, and of searches in the web."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from mainspring.core.settings.section import Section
from mainspring.core.settings.serving.prompts import PromptReference


class RagSettings(Section):
    """Chunking and retrieval. Sizes in tokens of the embedding model."""

    chunk_tokens: int = Field(128, ge=32)
    chunk_overlap: int = Field(24, ge=0)
    chunker: str = Field("structure", description="chunker for documents, built in or from a plugin")
    parent_tokens: int = Field(512, ge=32, description="tokens of the passage around a small embedded chunk")
    window_sentences: int = Field(2, ge=0, description="sentences on either side, for sentence_window")
    semantic_percentile: float = Field(
        20.0, gt=0, le=100, description="share of boundaries at which semantic may split"
    )
    candidates: int = Field(50, gt=0)
    top_k: int = Field(5, gt=0)
    fusion: Literal["convex", "rrf"] = "convex"
    dense_weight: float = Field(0.55, ge=0, le=1)
    rerank_candidates: int = Field(20, ge=0, description="number of best candidates that are reranked; 0: none")
    rerank_weight: float = Field(0.75, ge=0, description="weight of the reranker's score relative to the fused one")
    graph: Literal["off", "rules", "model"] = Field(
        "rules",
        description="method for extracting entities and relations at ingestion; model: the first grounded chat model",
    )
    half_life_days: float = Field(
        0.0, ge=0, description="age difference in days that halves a document's score; 0: age does not count"
    )
    mode: Literal["auto", "extractive", "generative"] = "auto"
    write_within_s: float = Field(
        15.0,
        gt=0,
        description="in mode auto, quote if the writing model has no checked sentence after so many seconds, or cannot "
        "be asked",
    )
    prompt: PromptReference | None = Field(None, description="replaces the built-in instruction")
    refuse_below: float = Field(0.33, ge=0, le=1)
    read_below: float = Field(
        0.12,
        ge=0,
        le=1,
        description="refuse if models.near_misses gives a lower probability that the passages answer the "
        "question; 0: never",
    )
    confirm: Literal["auto", "always", "never"] = Field(
        "auto",
        description="ask the chat model of each of the best passages whether it answers the question; auto: if it then "
        "writes the answer, and runs on this machine",
    )
    confirm_below: float = Field(
        0.3,
        ge=0,
        le=1,
        description="refuse if the chat model gives each of the best passages a lower probability that it answers; "
        "0: never",
    )
    confirm_within_s: float = Field(
        8.0, gt=0, description="choose passages without the chat model if it takes longer than so many seconds"
    )
    stated_below: float = Field(
        0.0,
        ge=0,
        le=1,
        description="refuse if the writing model gives a lower probability that the sources answer the "
        "question; 0: off",
    )
    calibration: Path | None = Field(
        None, description="file from `mainspring eval calibrate` with evidence and threshold"
    )
    max_sentences: int = Field(5, gt=0)
    max_words: int = Field(100, gt=0)
    parse_timeout_s: float = Field(240.0, gt=0, description="CPU seconds for parsing a document")
    parse_memory_mb: int = Field(2048, gt=0)
    parse_max_pages: int = Field(5000, gt=0)
    parser: Literal["auto", "rules", "layout", "layout-model"] = "auto"
    ocr: bool = True


class WebSearchSettings(Section):
    """The search endpoint that tools and applications ask (docs/guides/web-search.md). Queries leave this server."""

    kind: str = Field("", description="searxng, brave, tavily, or the name of a plugin; empty: no web search")
    url: str = Field("", description="URL of the endpoint; empty: the provider's default, which SearXNG does not have")
    api_key: str = Field("", repr=False, description="API key of the provider, as env:NAME or credential:NAME")
    trusted_domains: tuple[str, ...] = Field((), description="trusted domains, including their subdomains")
    only_trusted: bool = Field(False, description="leave out results from other domains")
    count: int = Field(5, ge=1, le=20, description="number of results if a search does not set it")
    requests_per_minute: int = Field(30, ge=1, description="searches per minute of one tenant that reach the endpoint")
    timeout_s: float = Field(10.0, gt=0, description="seconds that one search may take")
    cache_s: float = Field(300.0, ge=0, description="seconds for which a tenant's result is reused; 0: never")
    max_bytes: int = Field(2 * 2**20, ge=1024, description="maximum bytes of one response of the endpoint")
    max_characters: int = Field(2_000, ge=100, description="maximum characters of the text of one result")

    @model_validator(mode="after")
    def _reachable(self) -> WebSearchSettings:
        if self.kind == "searxng" and not self.url:
            raise ValueError("searxng has no default URL: set url to the address of an instance")
        if self.url:
            parts = urlsplit(self.url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
                raise ValueError(
                    f"{self.url} is not an http or https URL, or contains credentials: put credentials into api_key"
                )
        return self
