"""Settings of the code assistant."""

from __future__ import annotations

from pydantic import Field

from mainspring.core.settings.section import Section


class CodeSettings(Section):
    """The code assistant."""

    enabled: bool = Field(True, description="serve the code assistant as the model `code`")
    model: str = Field("", description="model that completes code; empty: the first that fills in the middle")
    chat_model: str = Field(
        "", description="model that chats, explains, fixes and tests; empty: larger_model, then the usual one"
    )
    larger_model: str = Field("", description="model for completions with a large or complex context; empty: none")
    larger_above_tokens: int = Field(
        3_000, ge=0, description="tokens of a prompt above which larger_model completes; 0: never for its size"
    )
    larger_above_complexity: int = Field(
        6,
        ge=0,
        description="complexity of a place from which larger_model completes it; 0: never for that",
    )
    fim: str = Field(
        "auto", description="family of the markers with which models fill in the middle; auto: by the model's name"
    )
    prompt_tokens: int = Field(2_048, ge=128, le=131_072, description="tokens of a completion's prompt")
    context_tokens: int = Field(768, ge=0, le=65_536, description="tokens of it for snippets from other files")
    completion_tokens: int = Field(128, ge=1, le=4_096, description="tokens of a completion without a bound of its own")
    debounce_ms: int = Field(0, ge=0, le=2_000, description="a completion waits this long for a newer one")
    remembered_s: float = Field(120.0, ge=0, description="seconds for which a completion answers what is typed into it")
    max_file_bytes: int = Field(200_000, ge=1_000, description="bytes of a file; larger ones are not indexed")
    max_files: int = Field(10_000, ge=1, description="files of one workspace")
    max_workspace_bytes: int = Field(64_000_000, ge=100_000, description="characters of one workspace's files")
    max_workspaces: int = Field(50, ge=1, description="workspaces of one key")
    loaded_workspaces: int = Field(8, ge=1, description="workspaces that are held in memory at a time")


SECTIONS = {"code": CodeSettings}
