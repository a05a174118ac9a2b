"""Settings of the embedded engines."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section


class EnginesSettings(Section):
    """The embedded engines. ``threads`` 0 takes all cores."""

    kind: str = "openvino"
    threads: int = Field(0, ge=0)
    embedders: int = Field(1, ge=1, description="embedders in memory beside models.embedding")
    max_sequences: int = Field(32, gt=0)
    max_waiting: int = Field(256, ge=0)
    kv_tokens: int = Field(65536, ge=1024)
    prefix_cache: bool = True
    precision: Literal["bf16", "f32"] = "bf16"
    speculation: Literal["off", "prompt_lookup", "draft"] = Field(
        "off", description="proposed tokens that are verified in one step, on OpenVINO; doubles the model's memory"
    )
    speculation_tokens: int = Field(5, ge=1, le=16, description="proposed tokens per step")
    draft_model: str = Field("", description="a smaller model with the same vocabulary, for speculation: draft")
    max_batched_tokens: int = Field(512, ge=32)
    start_timeout_s: float = Field(120.0, gt=0)
    step_timeout_s: float = Field(120.0, ge=2)
