"""``POST /v1/code/actions``: explain, fix, test or document a selection."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context, Responder
from mainspring.features.code.assist.actions import Action, ActionResult, Selection, act
from mainspring.features.code.complete.choice import Choice
from mainspring.features.code.index.workspaces import Workspaces
from mainspring.features.code.settings import CodeSettings
from mainspring.features.code.syntax import trees
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import head_headers, json_response, while_connected


class ActionOptionsBody(Body):
    """How an action is done."""

    model: Annotated[str, Field(max_length=256, description="a served name; empty: code.chat_model")] = ""
    max_tokens: Annotated[int, Field(ge=16, le=16_384)] = 800
    store: Annotated[bool, Field(description="keep the texts with the answer")] = False


class ActionBody(Body):
    """``POST /v1/code/actions``. Lines count from 1; a single line means the definition that it is in."""

    action: Action
    text: Annotated[str, Field(min_length=1, max_length=1_000_000, description="the whole file")]
    first_line: Annotated[int, Field(ge=1)] = 1
    last_line: Annotated[int | None, Field(ge=1)] = None
    language: Annotated[str, Field(max_length=64)] = ""
    path: Annotated[str, Field(max_length=1_024)] = ""
    workspace: Annotated[str, Field(max_length=256)] = ""
    diagnostics: Annotated[list[Annotated[str, Field(max_length=2_000)]], Field(max_length=50, fail_fast=True)] = Field(
        default_factory=list
    )
    options: ActionOptionsBody = ActionOptionsBody()

    def selection(self) -> Selection:
        lines = self.text.count("\n") + 1
        last = min(self.last_line or lines, lines) - 1
        suffix = trees.language(self.path, self.language)
        return Selection(self.text, min(self.first_line - 1, last), last, suffix, self.path)


def router(
    responder: Responder, workspaces: Workspaces, choice: Choice, settings: CodeSettings, access: Access
) -> APIRouter:
    """The route over the request ring."""
    routes = APIRouter(route_class=JsonRoute, tags=["code"])
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/v1/code/actions")
    async def act_on_code(http: HttpRequest, body: ActionBody, context: chats) -> HttpResponse:
        """Explain, fix, test or document code. `code` is empty if nothing came that parses."""
        catalogue = await workspaces.catalogue(context.principal, body.workspace) if body.workspace else None
        model = body.options.model or settings.chat_model or settings.larger_model or choice.usual
        done = await while_connected(
            http,
            act(
                body.action,
                body.selection(),
                model,
                responder,
                context,
                catalogue=catalogue,
                diagnostics=body.diagnostics,
                max_tokens=body.options.max_tokens,
                store=body.options.store,
            ),
        )
        return json_response(_body(body.action, done), head_headers(done.answer.head))

    return routes


def _body(action: Action, done: ActionResult) -> dict[str, Any]:
    shown = done.code if done.parses is not False else ""
    lines = {"first_line": done.selection.first + 1, "last_line": done.selection.last + 1}
    return {
        "id": done.answer.head.answer_id,
        "object": "code.action",
        "action": action,
        "model": done.answer.head.model,
        "text": done.answer.text,
        "code": shown,
        "parses": done.parses,
        "attempts": done.attempts,
        "replaces": lines if shown and action in ("fix", "document") else None,
    }
