"""Settings of customer support."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section


class SupportSettings(Section):
    """Customer support (docs/guides/support.md): the agent `support` over a shop."""

    shop: Literal["off", "sample"] = Field(
        "off", description="sample: serve the agent `support` over the sample shop of the handbook's company"
    )
    database: str = Field("", description="SQLite file of the shop; empty: support/shop.db under home")
    today: Literal["sample", "clock"] = Field(
        "sample", description="when the shop is seen: at the moment of its sample data, or now"
    )
    collection: str = Field("handbook", description="collection with policies and product sheets; empty: none")
    answers: str = Field(
        "extractive", description="mode of answers from it: extractive quotes, generative has a model write"
    )
    model: str = Field("", description="model for what the script does not decide; empty: the usual one of agents")


SECTIONS = {"support": SupportSettings}
