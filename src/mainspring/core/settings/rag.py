"""Settings of chunking and retrieval."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section
from mainspring.core.settings.serving.prompts import PromptReference


class RagSettings(Section):
    """Chunking and retrieval. Sizes in tokens of the embedding model."""

    chunk_tokens: int = Field(128, ge=32)
    chunk_overlap: int = Field(24, ge=0)
    chunker: str = Field("structure", description="how documents are cut: a chunker of mainspring or of a plugin")
    parent_tokens: int = Field(512, ge=32, description="what is read around a chunk that only is embedded")
    window_sentences: int = Field(2, ge=0, description="sentences on either side that sentence_window reads")
    semantic_percentile: float = Field(20.0, gt=0, le=100, description="share of boundaries where semantic may break")
    candidates: int = Field(50, gt=0)
    top_k: int = Field(5, gt=0)
    fusion: Literal["convex", "rrf"] = "convex"
    dense_weight: float = Field(0.55, ge=0, le=1)
    rerank_candidates: int = Field(20, ge=0, description="how many of the best are read again; 0: none")
    rerank_weight: float = Field(0.75, ge=0, description="of the reranker's score, beside 1 for the fused one")
    graph: Literal["off", "rules", "model"] = Field(
        "rules", description="what reads entities and relations at ingest; model: the first grounded chat model"
    )
    half_life_days: float = Field(
        0.0, ge=0, description="a document this much older counts half; 0: age does not count"
    )
    mode: Literal["auto", "extractive", "generative"] = "auto"
    prompt: PromptReference | None = Field(None, description="what takes the place of the built-in instruction")
    refuse_below: float = Field(0.33, ge=0, le=1)
    stated_below: float = Field(
        0.0,
        ge=0,
        le=1,
        description="refuse where the writing model's probability that the sources answer is below; 0: not asked",
    )
    calibration: Path | None = Field(None, description="file of `mainspring eval calibrate`: evidence and threshold")
    max_sentences: int = Field(5, gt=0)
    max_words: int = Field(100, gt=0)
    parse_timeout_s: float = Field(240.0, gt=0, description="CPU seconds that reading a document may take")
    parse_memory_mb: int = Field(2048, gt=0)
    parse_max_pages: int = Field(5000, gt=0)
    parser: Literal["auto", "rules", "layout", "layout-model"] = "auto"
    ocr: bool = True
