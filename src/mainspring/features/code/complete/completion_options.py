"""What a completion is asked with besides its texts, as the options of a request to the model ``code``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError

from mainspring.core.errors import InvalidRequest
from mainspring.http.bodies import Closed

EditorName = Annotated[str, Field(max_length=128)]
CodePath = Annotated[str, Field(max_length=1_024)]


class Nearby(Closed):
    """A file that is open in the editor, or a recent edit of one."""

    path: CodePath
    text: Annotated[str, Field(max_length=1_000_000)]


class CompletionOptions(Closed):
    """The options. ``editor`` names the place in which one completion at a time is waited for. ``head`` and ``tail``
    are the rest of the file, before the prompt and behind the suffix: no model reads them."""

    path: CodePath = ""
    head: str = ""
    tail: str = ""
    language: Annotated[str, Field(max_length=64)] = ""
    workspace: Annotated[str, Field(max_length=256)] = ""
    editor: EditorName = ""
    open_files: Annotated[list[Nearby], Field(max_length=20)] = Field(default_factory=list)
    recent_edits: Annotated[list[Nearby], Field(max_length=20)] = Field(default_factory=list)
    model: Annotated[str, Field(max_length=256)] = ""
    context_tokens: Annotated[int | None, Field(ge=0, le=65_536)] = None
    debounce_ms: Annotated[int | None, Field(ge=0, le=2_000)] = None
    check: bool = True

    @classmethod
    def of(cls, options: Any) -> CompletionOptions:
        """Raises ``InvalidRequest`` naming the option."""
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or "options"
            raise InvalidRequest(f"options.{name}: {first['msg']}", param=f"options.{name}") from None
