"""Settings of the assistant."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mainspring.core.settings.section import Section

INSTRUCTION = (
    "You are a helpful assistant. Answer in the language of the question, in a friendly and direct tone. Be brief "
    "unless asked for more. If you do not know something, say so, and invent nothing. If a request would help to hurt "
    "people or to break the law, say in one sentence that you cannot help with it, and offer something else."
)


class AssistantSettings(Section):
    """The assistant: an everyday chatbot."""

    enabled: bool = Field(True, description="serve the assistant as the model `assistant`")
    model: str = Field(
        "", description="model that answers; empty: `auto`, which uses the larger model when it is served"
    )
    instruction: str = Field(INSTRUCTION, max_length=20_000, description="its system prompt")
    enhance: Literal["on", "rules", "off"] = Field(
        "rules",
        description="how typos and abbreviations in English messages are resolved: by rules and the model, by "
        "rules only, or not at all",
    )
    temperature: float = Field(0.7, ge=0, le=2, description="default if a request sets none")
    top_p: float = Field(0.9, gt=0, le=1, description="default if a request sets none")
    repetition_penalty: float = Field(1.05, ge=1, le=2, description="default if a request sets none")
    time_zone: str = Field("UTC", description="time zone for date and time, such as Europe/Berlin")
    answer_safety: Literal["off", "flag", "refuse"] = Field(
        "refuse", description="action for an answer with a toxic sentence; refuse delays the first words"
    )
    held: int = Field(
        8, ge=1, le=512, description="pieces of an answer that are held back for the check if the action is refuse"
    )


SECTIONS = {"assistant": AssistantSettings}
