"""Messages of Anthropic's requests and their blocks, turned into our messages.

Thoughts of earlier turns are not sent to the model again. Documents and search results become text under their titles.
Pictures stand in messages of users. Calls of tools that the server ran are calls of the assistant with their results.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import Message, ToolCall
from mainspring.http.anthropic import server_blocks
from mainspring.http.bodies import Free, Many, bounded
from mainspring.http.fields import Hint, Refused, Types
from mainspring.http.images import Parts, refuse_file

_READ = ("text", "tool_use", "tool_result", "document", "search_result", "image", "web_search_result")
_THOUGHTS = ("thinking", "redacted_thinking")
_SENT_BACK = "it comes with an answer that is sent back"


class ServerResult(BaseModel):
    """What a tool that the server ran has told, or why it failed."""

    model_config = ConfigDict(extra="allow")
    type: Annotated[str, Types(server_blocks.CONTENTS)]
    error_code: str | None = None
    stdout: str | None = None
    stderr: str | None = None
    return_code: Annotated[Any, Hint("the model reads what was printed")] = None
    content: Annotated[Any, Hint("files stay with the answer")] = None


class DocumentSource(BaseModel):
    """The content of a document, of which only text is read, or of a picture."""

    model_config = ConfigDict(extra="allow")
    type: Annotated[str | None, Types(("text", "content", "base64", "url"))] = None
    media_type: str | None = None
    data: str | None = None
    content: str | Many[Block] | None = None
    url: str | None = None
    file_id: str | None = None


class Block(BaseModel):
    """One block of a message's content; which fields it has depends on its ``type``."""

    model_config = ConfigDict(extra="allow")
    type: Annotated[str, Types((*_READ, *_THOUGHTS, *server_blocks.CALLS, *server_blocks.RESULTS))]
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: Free | None = None
    tool_use_id: str | None = None
    content: str | Many[Block] | ServerResult | None = None
    is_error: bool | None = None
    title: str | None = None
    context: str | None = None
    source: str | DocumentSource | None = None
    # A document's wish for citations, or those of a text that is sent back.
    citations: Any = None
    thinking: Annotated[Any, Hint("thoughts of earlier turns are not read again")] = None
    signature: Annotated[Any, Hint("thoughts of earlier turns are not read again")] = None
    data: Annotated[Any, Hint("thoughts of earlier turns are not read again")] = None
    cache_control: Annotated[Any, Hint("prompt prefixes are always cached")] = None
    transformations: Annotated[Any, Refused("images are passed on unchanged", unless=({},))] = None
    caller: Annotated[Any, Hint(_SENT_BACK)] = None
    server_name: str | None = None
    url: str | None = None
    encrypted_content: str | None = None
    page_age: Annotated[Any, Hint(_SENT_BACK)] = None
    toolset_name: Annotated[Any, Hint(_SENT_BACK)] = None


class AnthropicMessage(BaseModel):
    """A message. ``system`` is taken where clients send it within ``messages``; one that is to be cleared at the next
    user message is left out once there is one."""

    model_config = ConfigDict(extra="ignore")
    role: Literal["user", "assistant", "system"]
    content: str | Many[Block] = Field(default_factory=list)
    clear_at: Literal["next_user_message", "never"] | None = None
    output_config: Annotated[Any, Hint("models have no effort levels per message")] = None


@dataclass(slots=True)
class Source:
    """A document or search result of a request that may be cited: its text, by blocks."""

    kind: Literal["document", "search_result"]
    index: int
    title: str | None
    blocks: tuple[str, ...]
    place: str = ""

    @property
    def text(self) -> str:
        return "\n".join(self.blocks)


@dataclass(slots=True)
class Reader:
    """Turns messages into ours. ``sources`` are what the request wants cited, once all messages are read."""

    sources: list[Source] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    def messages(self, messages: Sequence[AnthropicMessage]) -> Iterator[Message]:
        """Raises ``InvalidRequest``, ``Unsupported``."""
        last = max((index for index, each in enumerate(messages) if each.role == "user"), default=-1)
        for index, message in enumerate(messages):
            if not (message.clear_at == "next_user_message" and index < last):
                yield from self._message(message, f"messages[{index}]")

    def _message(self, message: AnthropicMessage, param: str) -> Iterator[Message]:
        """Results of tools are messages of their own, in the order of the blocks."""
        if isinstance(message.content, str):
            yield Message(message.role, message.content)
            return
        if not message.content:
            raise InvalidRequest(f"{param}.content is empty", param=f"{param}.content")
        parts = Parts()
        calls: list[ToolCall] = []
        for index, block in enumerate(message.content):
            place = f"{param}.content[{index}]"
            if block.type == "tool_use" and message.role == "assistant":
                calls.append(_call(block, place))
            elif block.type in server_blocks.CALLS and message.role == "assistant":
                calls.append(server_blocks.sent_call(block, place, bounded(block.input or {}, place)))
            elif block.type in server_blocks.RESULTS and message.role == "assistant":
                if parts.content or calls:
                    yield Message("assistant", parts.content, tool_calls=tuple(calls))
                    parts, calls = Parts(), []
                yield self._server_result(block, place)
            elif block.type == "tool_result" and message.role == "user":
                if parts.content:
                    yield Message("user", parts.content, images=tuple(parts.images))
                    parts = Parts()
                yield self._result(block, place)
            elif block.type == "image" and message.role == "user":
                _add_image(parts, block, place)
            elif block.type not in _THOUGHTS:
                parts.text(self.text(block, place))
        if parts.content or calls:
            yield Message(message.role, parts.content, tool_calls=tuple(calls), images=tuple(parts.images))

    def _result(self, block: Block, place: str) -> Message:
        if not block.tool_use_id:
            raise InvalidRequest(f"{place} of type tool_result needs tool_use_id", param=place)
        content = block.content or ""
        if isinstance(content, ServerResult):
            raise InvalidRequest(f"{place}.content is a text or a list of blocks", param=f"{place}.content")
        if isinstance(content, list):
            content = "".join(self.text(part, f"{place}.content[{index}]") for index, part in enumerate(content))
        said = f"Error: {content}" if block.is_error else content
        return Message("tool", said, tool_call_id=block.tool_use_id)

    def _server_result(self, block: Block, place: str) -> Message:
        if not block.tool_use_id:
            raise InvalidRequest(f"{place} of type {block.type} needs tool_use_id", param=place)
        return Message("tool", server_blocks.sent_result(block, place), tool_call_id=block.tool_use_id)

    def text(self, block: Block, place: str) -> str:
        """What the model reads of a block that is no call, no result and no thought."""
        match block.type:
            case "text" if block.text is not None:
                return block.text
            case "text":
                raise InvalidRequest(f"{place}.text is missing", param=f"{place}.text")
            case "document":
                return self._document(block, place)
            case "search_result":
                return self._search_result(block, place)
            case "tool_reference":
                return f"The tool {(block.model_extra or {}).get('tool_name', '')} is at hand."
            case _:
                raise Unsupported(
                    f"{place} is of type {block.type!r}; models here read text, documents of text and search results",
                    remedy="Send its content as text",
                    param=place,
                )

    def _document(self, block: Block, place: str) -> str:
        source = block.source
        if not isinstance(source, DocumentSource):
            raise InvalidRequest(f"{place}.source is missing", param=f"{place}.source")
        if source.type == "text" and source.data is not None:
            blocks: tuple[str, ...] = (source.data,)
        elif source.type == "content" and isinstance(source.content, str):
            blocks = (source.content,)
        elif source.type == "content" and isinstance(source.content, list):
            blocks = tuple(self.text(part, f"{place}.source.content") for part in source.content or ())
        else:
            raise Unsupported(
                f"{place}.source is of type {source.type!r}, which is not supported; only text is read",
                remedy="Send its text with a source of type text, or put it into a collection and ask that",
                param=f"{place}.source",
            )
        return self._shown(Source("document", self._count("document"), block.title, blocks), block)

    def _search_result(self, block: Block, place: str) -> str:
        if not isinstance(block.content, list) or not isinstance(block.source, str):
            raise InvalidRequest(f"{place} of type search_result needs source and content", param=place)
        blocks = tuple(self.text(part, f"{place}.content[{index}]") for index, part in enumerate(block.content))
        source = Source("search_result", self._count("search_result"), block.title, blocks, block.source)
        return self._shown(source, block)

    def _shown(self, source: Source, block: Block) -> str:
        if isinstance(block.citations, dict) and block.citations.get("enabled") is True:
            self.sources.append(source)
        named = " - ".join(text for text in (source.title, source.place, block.context) if text)
        head = f"[{source.kind.replace('_', ' ')} {source.index + 1}] {named}".rstrip()
        return f"\n{head}\n{source.text}\n"

    def _count(self, kind: str) -> int:
        index = self._counts.get(kind, 0)
        self._counts[kind] = index + 1
        return index


def _add_image(parts: Parts, block: Block, place: str) -> None:
    source = block.source
    if not isinstance(source, DocumentSource):
        raise InvalidRequest(f"{place}.source is missing", param=f"{place}.source")
    if source.type == "file":
        raise refuse_file(f"{place}.source")
    url = source.url if source.type == "url" else f"data:{source.media_type};base64,{source.data or ''}"
    parts.image(url, None, f"{place}.source")


def _call(block: Block, place: str) -> ToolCall:
    if not block.id or not block.name:
        raise InvalidRequest(f"{place} of type tool_use needs id and name", param=place)
    arguments = bounded(block.input or {}, place)
    return ToolCall(block.id, block.name, orjson.dumps(arguments).decode())
