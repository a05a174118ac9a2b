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
        "", description="the model that it answers with; empty: `auto`, which takes the larger one once it is served"
    )
    instruction: str = Field(INSTRUCTION, max_length=20_000, description="its system prompt")
    enhance: Literal["on", "rules", "off"] = Field(
        "rules",
        description="who reads typos and abbreviations in English messages as what was meant: rules and the model, the "
        "rules alone, or nobody",
    )
    temperature: float = Field(0.7, ge=0, le=2, description="where a request names none")
    top_p: float = Field(0.9, gt=0, le=1, description="where a request names none")
    repetition_penalty: float = Field(1.05, ge=1, le=2, description="where a request names none")
    time_zone: str = Field("UTC", description="time zone in which it tells date and time, as Europe/Berlin")
    answer_safety: Literal["off", "flag", "refuse"] = Field(
        "refuse", description="what happens to an answer with a toxic sentence; refuse delays its first words"
    )
    held: int = Field(
        8, ge=1, le=512, description="pieces of an answer that are held back for that check if it refuses"
    )


SECTIONS = {"assistant": AssistantSettings}
