"""The agent ``code``: it answers questions about the caller's workspace."""

from __future__ import annotations

from mainspring.agents.agent import LlmAgent
from mainspring.feature import Rooms
from mainspring.features.code.assistant import NAME
from mainspring.features.code.settings import CodeSettings
from mainspring.features.code.toolsets import TOOLSETS

INSTRUCTION = (
    "You help a programmer with the code of their workspace, which you reach by tools. Look before you answer: find "
    "the definition, read the file. Name files with their lines. Answer with code in fenced blocks, in the style of "
    "the workspace. If the tools find nothing, say so, and invent nothing."
)


def _code(rooms: Rooms) -> LlmAgent:
    settings = rooms.settings.section(CodeSettings)
    return LlmAgent(
        name=NAME,
        model=settings.chat_model or settings.larger_model or settings.model,
        description="Answers questions about the source code of a workspace, explains, fixes and tests it.",
        instruction=INSTRUCTION,
        tools=(TOOLSETS["workspace"](rooms, {}),),
    )


AGENTS = {NAME: _code}
