"""Settings of images: the providers' models that make them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.endpoints import REGION
from mainspring.core.settings.section import Section
from mainspring.core.settings.serving.money import Usd

Drawing = Literal["generations", "edits", "variations"]


class DrawingModel(Section):
    """A model that makes images at an endpoint with OpenAI's ``/images`` routes."""

    url: str = Field(pattern=r"^https?://", description="URL of the endpoint, such as `https://api.openai.com/v1`")
    model: str = Field(description="its name there")
    api_key: str = Field("", repr=False)
    operations: tuple[Drawing, ...] = Field(("generations", "edits"), description="what it can do")
    region: str = Field(
        "", pattern=REGION, description="its region; requests that require a region are sent only there"
    )
    usd_per_image: Usd = Field(0.0, description="price of an image, for budgets and costs")
    price_input: Usd = Field(0.0, description="US dollars per million input tokens, where the endpoint counts them")
    price_output: Usd = Field(0.0, description="US dollars per million output tokens, where the endpoint counts them")
    timeout_s: float = Field(180.0, gt=0, description="seconds that an image may take")


class ImagesSettings(Section):
    """Images from providers (docs/guides/images.md)."""

    models: dict[str, DrawingModel] = Field(
        default_factory=dict, description="models that make images, by the names that requests use"
    )
    most: int = Field(10, ge=1, le=100, description="maximum images per request")
    concurrent: int = Field(4, ge=1, description="requests for images that a tenant may have open at a time")
    answer_mb: int = Field(64, ge=1, description="maximum size of a provider's answer")


SECTIONS = {"images": ImagesSettings}
