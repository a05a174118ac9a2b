"""Settings of the code assistant."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class CodeSettings(Section):
    """The code assistant."""

    enabled: bool = Field(True, description="serve the code assistant as the model `code`")
    model: str = Field("", description="model that completes code; empty: the first model with fill-in-the-middle")
    chat_model: str = Field(
        "", description="model for chat, explanations, fixes and tests; empty: larger_model, then the default model"
    )
    larger_model: str = Field("", description="model for completions with a large or complex context; empty: none")
    larger_above_tokens: int = Field(
        3_000, ge=0, description="prompt tokens above which larger_model completes; 0: never because of size"
    )
    larger_above_complexity: int = Field(
        6,
        ge=0,
        description="complexity of a location from which larger_model completes it; 0: never because of complexity",
    )
    fim: str = Field("auto", description="family of fill-in-the-middle tokens; auto: from the model's name")
    prompt_tokens: int = Field(2_048, ge=128, le=131_072, description="maximum prompt tokens of a completion")
    context_tokens: int = Field(768, ge=0, le=65_536, description="prompt tokens for snippets from other files")
    completion_tokens: int = Field(
        128, ge=1, le=4_096, description="maximum tokens of a completion if the request sets none"
    )
    debounce_ms: int = Field(0, ge=0, le=2_000, description="milliseconds for which a completion waits for a newer one")
    remembered_s: float = Field(
        120.0, ge=0, description="seconds for which a completion is reused while its text is typed"
    )
    max_file_bytes: int = Field(200_000, ge=1_000, description="bytes of a file; larger ones are not indexed")
    max_files: int = Field(10_000, ge=1, description="files of one workspace")
    max_workspace_bytes: int = Field(64_000_000, ge=100_000, description="characters of one workspace's files")
    max_workspaces: int = Field(50, ge=1, description="workspaces of one key")
    loaded_workspaces: int = Field(8, ge=1, description="workspaces in memory at a time")


SECTIONS = {"code": CodeSettings}
