"""``POST /complete`` and ``/v1/code/complete``: the completion at a cursor."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.path import Answer
from mainspring.core.types import CompletionRequest, Context, Responder, Sampling
from mainspring.features.code.assistant import NAME, REPORT
from mainspring.features.code.complete.completion_options import CompletionOptions
from mainspring.features.code.index.admission import refused_by_name
from mainspring.features.code.snippets.snippet import CHARACTERS_PER_TOKEN
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import collected, head_headers, json_response

_Code = Annotated[str, Field(max_length=4_000_000)]


class CursorBody(Body):
    """A place in a text, as the Language Server Protocol counts: both from 0, characters in UTF-16 units."""

    line: Annotated[int, Field(ge=0)]
    character: Annotated[int, Field(ge=0)]


class NearbyBody(Body):
    """A file that is open in the editor, or a recent edit."""

    path: Annotated[str, Field(min_length=1, max_length=1_024)]
    text: Annotated[str, Field(max_length=1_000_000)]


class CompleteOptionsBody(Body):
    """How a completion is made."""

    max_tokens: Annotated[int | None, Field(ge=1, le=4_096)] = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    seed: int | None = None
    stop: Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=8, fail_fast=True)] = (
        Field(default_factory=list)
    )
    model: Annotated[str, Field(max_length=256, description="a chat model that is served; empty: chosen")] = ""
    context_tokens: Annotated[int | None, Field(ge=0, le=65_536, description="tokens for other files")] = None
    debounce_ms: Annotated[int | None, Field(ge=0, le=2_000, description="wait this long for a newer one")] = None
    check: Annotated[bool, Field(description="show only what parses in its place")] = True
    store: Annotated[bool, Field(description="keep the texts with the answer, as other answers are kept")] = False


class CompleteBody(Body):
    """``POST /v1/code/complete``: ``prefix`` and ``suffix``, or ``text`` and ``cursor``."""

    prefix: _Code | None = None
    suffix: _Code = ""
    text: _Code | None = None
    cursor: Annotated[int, Field(ge=0)] | CursorBody | None = None
    language: Annotated[str, Field(max_length=64)] = ""
    path: Annotated[str, Field(max_length=1_024)] = ""
    workspace: Annotated[str, Field(max_length=256)] = ""
    editor: Annotated[str, Field(max_length=128, description="a newer request of the same ends an older one")] = ""
    open_files: Annotated[list[NearbyBody], Field(max_length=20, fail_fast=True)] = Field(default_factory=list)
    recent_edits: Annotated[list[NearbyBody], Field(max_length=20, fail_fast=True)] = Field(default_factory=list)
    options: CompleteOptionsBody = CompleteOptionsBody()
    user: Annotated[str | None, Field(max_length=512)] = None

    def request(self, most_tokens: int) -> CompletionRequest:
        """As a request to the model ``code``, whose texts are what a model may read of the file: guards need read no
        more. Raises ``InvalidRequest``."""
        if refused_by_name(self.path) == "secret":
            raise InvalidRequest("a file of secrets is not completed", remedy="Leave it to people", param="path")
        before, after = self._texts()
        own = self.options
        # A model that is larger may take more than the usual one.
        most = int(most_tokens * CHARACTERS_PER_TOKEN) * 2
        start = before.rfind("\n", 0, len(before) - most) + 1 if len(before) > most else 0
        end = after.find("\n", most // 2) if len(after) > most // 2 else -1
        end = len(after) if end < 0 else end
        sampling = Sampling(own.max_tokens, own.temperature, seed=own.seed, stop=tuple(own.stop))
        options = CompletionOptions.model_validate(
            {
                "path": self.path,
                "head": before[:start],
                "tail": after[end:],
                "language": self.language,
                "workspace": self.workspace,
                "editor": self.editor,
                "open_files": [each.model_dump() for each in self.open_files],
                "recent_edits": [each.model_dump() for each in self.recent_edits],
                "model": own.model,
                "context_tokens": own.context_tokens,
                "debounce_ms": own.debounce_ms,
                "check": own.check,
            }
        )
        return CompletionRequest(
            NAME, before[start:], sampling, self.user, after[:end], own.store, options.model_dump(), True
        )

    def _texts(self) -> tuple[str, str]:
        if self.prefix is not None:
            if self.text is not None:
                raise InvalidRequest("send prefix and suffix, or text and cursor", param="text")
            if not isinstance(self.cursor, int | None):
                raise InvalidRequest("beside prefix a cursor is an offset in it", param="cursor")
            if self.cursor is None:
                return self.prefix, self.suffix
            return self.prefix[: self.cursor], self.prefix[self.cursor :] + self.suffix
        if self.text is None or self.cursor is None:
            raise InvalidRequest("prefix is missing", remedy="Send prefix, or text and cursor", param="prefix")
        at = self.cursor if isinstance(self.cursor, int) else offset(self.text, self.cursor.line, self.cursor.character)
        return self.text[:at], self.text[at:]


def offset(text: str, line: int, character: int) -> int:
    """The characters before a place that is counted as the Language Server Protocol does."""
    start = 0
    for _ in range(line):
        end = text.find("\n", start)
        if end < 0:
            return len(text)
        start = end + 1
    end = text.find("\n", start)
    row = text[start : end if end >= 0 else len(text)]
    units = 0
    for index, each in enumerate(row):
        if units >= character:
            return start + index
        units += 2 if ord(each) > 0xFFFF else 1
    return start + len(row)


def router(responder: Responder, access: Access, prompt_tokens: int) -> APIRouter:
    """The routes over the request ring; a model reads about ``prompt_tokens``."""
    routes = APIRouter(route_class=JsonRoute, tags=["code"])
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/complete")
    @routes.post("/v1/code/complete")
    async def complete(http: HttpRequest, body: CompleteBody, context: chats) -> HttpResponse:
        """The code that belongs at the cursor. 409 when a newer request of the same editor has come."""
        answer = await collected(http, responder, body.request(prompt_tokens), context)
        return json_response(_body(answer), head_headers(answer.head))

    return routes


def _body(answer: Answer) -> dict[str, Any]:
    told = dict(part.split("=", 1) for part in answer.head.headers.get(REPORT, "").split("; ") if "=" in part)
    timing = answer.head.headers.get("server-timing", "")
    steps = dict(part.strip().split(";dur=") for part in timing.split(",") if ";dur=" in part)
    parses = {"yes": True, "no": False}.get(told.get("parses", ""))
    return {
        "id": answer.head.answer_id,
        "object": "code.completion",
        "model": answer.head.model,
        "completion": answer.text,
        "reach": told.get("reach", ""),
        "parses": parses,
        "changed": told.get("changed", ""),
        "cached": told.get("cached") == "yes",
        "chosen": told.get("chosen", ""),
        "snippets": int(told.get("snippets", "0")),
        "timings_ms": {name: float(value) for name, value in steps.items()},
        "usage": {
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
            "total_tokens": answer.usage.total_tokens,
        },
    }
