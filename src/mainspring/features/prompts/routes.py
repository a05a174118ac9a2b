"""Routes of the registry of prompts: versions, labels with their history, differences, and what a version renders to.

``PUT`` moves a label; ``If-Match`` with the seen revision (``0``: it does not exist yet) refuses to overwrite somebody
else's move. Without it the later of two moves counts, and the history shows both.
"""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import difflib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context, Message, PromptUse
from mainspring.http.access import Access
from mainspring.http.bodies import Body, Few, Table
from mainspring.http.idempotency import Idempotency, IdempotencyKey
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.serving.prompts.registry import PromptRegistry, check_label, rendered, values
from mainspring.stores.work.prompts import Move, PromptInfo, Prompts, PromptVersion

PREFIX = "/v1/prompts"
MAX_COMPARED = 1_000
Note = Annotated[str, Field(max_length=2000)]
IfMatch = Annotated[
    str | None, Header(alias="if-match", description="Revision that you have read; 0: the label does not exist yet")
]
Wanted = Annotated[str, Query(min_length=1, max_length=64, description="Version number, label, or latest")]


class PromptMessage(Body):
    """A message of a prompt; ``content`` is a template."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str


class VersionBody(Body):
    """``POST /v1/prompts/{name}/versions``: the text of a system message, or messages."""

    template: str | None = None
    messages: Few[PromptMessage] | None = None
    note: Note = ""

    def said(self) -> tuple[Message, ...]:
        """Raises ``InvalidRequest`` unless there is exactly one of both."""
        if (self.template is None) == (self.messages is None):
            raise InvalidRequest("send either template (the text of a system message) or messages", param="template")
        if self.template is not None:
            return (Message("system", self.template),)
        return tuple(Message(each.role, each.content) for each in self.messages or ())


class LabelBody(Body):
    """``PUT /v1/prompts/{name}/labels/{label}``."""

    version: Annotated[int, Field(ge=1, lt=2**63)]
    note: Note = ""


class RollbackBody(Body):
    """``POST /v1/prompts/{name}/labels/{label}/rollback``."""

    note: Note = ""


class RenderBody(Body):
    """``POST /v1/prompts/{name}/versions/{version}/render``."""

    variables: Annotated[Table[Any], Field(default_factory=dict)]


def router(store: Prompts, registry: PromptRegistry, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes over the store, which the registry fills with checked prompts."""
    routes = APIRouter(route_class=JsonRoute, tags=["prompts"], prefix=PREFIX)
    editors = Annotated[Context, Depends(access("prompts"))]

    @routes.get("")
    async def list_prompts(context: editors, page: AskedPage) -> HttpResponse:
        """The tenant's prompts, ordered by creation time."""
        return json_response(list_body((await store.page(context.principal.tenant, page)).map(prompt_body)))

    @routes.get("/{name}")
    async def get_prompt(name: str, context: editors) -> HttpResponse:
        """A prompt with its labels and all its versions, without their texts."""
        tenant = context.principal.tenant
        shown = [version_body(each, text=False) for each in await store.versions(tenant, name)]
        return json_response(prompt_body(await store.get(tenant, name)) | {"versions": shown})

    @routes.delete("/{name}")
    async def delete_prompt(name: str, context: editors) -> HttpResponse:
        """Delete the texts of all versions. Refused while a label points to one of them."""
        count = await store.delete(context.principal.tenant, name)
        return json_response({"id": name, "object": "prompt", "deleted": True, "versions": count})

    _versions(routes, store, registry, access, idempotency)
    _labels(routes, store, access)
    return routes


def _versions(
    routes: APIRouter, store: Prompts, registry: PromptRegistry, access: Access, idempotency: Idempotency
) -> None:
    """The routes of versions."""
    editors = Annotated[Context, Depends(access("prompts"))]

    @routes.post(
        "/{name}/versions", status_code=201, responses={200: {"description": "The newest version, which says the same"}}
    )
    async def add_version(
        http: HttpRequest, name: str, body: VersionBody, context: editors, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Create a version. If the latest version has the same text, it is returned with the status 200."""

        async def work() -> HttpResponse:
            principal = context.principal
            made, created = await registry.add(
                principal.tenant, name, body.said(), note=body.note, author=principal.key_id
            )
            return json_response(version_body(made) | {"created": created}, status=201 if created else 200)

        return await idempotency.once(key, f"prompt {name}", [await http.body()], context, work)

    @routes.get("/{name}/versions/{version}")
    async def get_version(name: str, version: str, context: editors) -> HttpResponse:
        """A version with its text. `version` is its number, a label, or `latest`."""
        return json_response(version_body(await store.find(context.principal.tenant, name, version)))

    @routes.delete("/{name}/versions/{version}")
    async def delete_version(name: str, version: int, context: editors) -> HttpResponse:
        """Delete the text of a version. Refused while a label points to it."""
        await store.delete(context.principal.tenant, name, version)
        return json_response({"id": f"{name}@{version}", "object": "prompt.version", "deleted": True})

    @routes.post("/{name}/versions/{version}/render")
    async def render(name: str, version: str, body: RenderBody, context: editors) -> HttpResponse:
        """Render a version with these variables. No model is called."""
        found = await store.find(context.principal.tenant, name, version)
        use = rendered(found, PromptUse(name, version, values(body.variables, "variables")), "body")
        said = [{"role": each.role, "content": each.content} for each in use.rendered]
        return json_response({"object": "prompt.rendered", "id": f"{name}@{found.version}", "messages": said})

    @routes.get("/{name}/diff")
    async def diff(
        name: str,
        context: editors,
        from_: Annotated[Wanted, Query(alias="from")],
        to: Wanted = "latest",
    ) -> HttpResponse:
        """The difference between two versions, as a unified diff."""
        tenant = context.principal.tenant
        return json_response(diff_body(await store.find(tenant, name, from_), await store.find(tenant, name, to)))


def _labels(routes: APIRouter, store: Prompts, access: Access) -> None:
    """The routes of labels."""
    editors = Annotated[Context, Depends(access("prompts"))]
    place = "/{name}/labels/{label}"

    @routes.get(place)
    async def label_history(name: str, label: str, context: editors) -> HttpResponse:
        """The history of a label: its versions, times and who moved it, newest first."""
        moves = await store.history(context.principal.tenant, name, label)
        return json_response({"object": "list", "data": [move_body(name, each) for each in moves], "has_more": False})

    @routes.put(place)
    async def move_label(
        name: str, label: str, body: LabelBody, context: editors, seen: IfMatch = None
    ) -> HttpResponse:
        check_label(label)
        tenant, author = context.principal.tenant, context.principal.key_id
        moved = await store.move(tenant, name, label, body.version, seen=_seen(seen), note=body.note, author=author)
        return _moved(name, moved)

    @routes.post(f"{place}/rollback")
    async def rollback(
        name: str, label: str, body: RollbackBody, context: editors, seen: IfMatch = None
    ) -> HttpResponse:
        """Undo the last move of a label that is not undone yet."""
        tenant, author = context.principal.tenant, context.principal.key_id
        return _moved(name, await store.rollback(tenant, name, label, seen=_seen(seen), note=body.note, author=author))

    @routes.delete(place)
    async def delete_label(name: str, label: str, context: editors, seen: IfMatch = None) -> HttpResponse:
        """Delete a label. Its history stays, and a rollback restores it."""
        tenant, author = context.principal.tenant, context.principal.key_id
        return _moved(name, await store.unlabel(tenant, name, label, seen=_seen(seen), author=author))


def prompt_body(info: PromptInfo) -> dict[str, Any]:
    """A prompt in a list."""
    return {
        "id": info.name,
        "object": "prompt",
        "created_at": info.created_at,
        "latest": info.latest,
        "count": info.versions,
        "labels": {each.label: {"version": each.version, "revision": each.revision} for each in info.labels},
    }


def version_body(version: PromptVersion, *, text: bool = True) -> dict[str, Any]:
    """A version as JSON."""
    body: dict[str, Any] = {
        "id": f"{version.name}@{version.version}",
        "object": "prompt.version",
        "version": version.version,
        "created_at": version.created_at,
        "author": version.author or None,
        "note": version.note,
        "sha256": version.sha256,
        "variables": list(version.variables),
        "deleted_at": version.deleted_at,
    }
    if text:
        body["messages"] = [{"role": each.role, "content": each.content} for each in version.messages]
    return body


def move_body(name: str, move: Move) -> dict[str, Any]:
    """A move of a label as JSON."""
    return {
        "id": f"{name}@{move.label}#{move.revision}",
        "object": "prompt.label",
        "label": move.label,
        "revision": move.revision,
        "kind": move.kind,
        "version": move.version,
        "at": move.at,
        "author": move.author or None,
        "note": move.note,
    }


def diff_body(before: PromptVersion, after: PromptVersion) -> dict[str, Any]:
    """Two versions of a prompt compared."""
    old, new = (f"{each.name}@{each.version}" for each in (before, after))
    lines = difference(_lines(before.messages), _lines(after.messages), old, new)
    return {
        "object": "prompt.diff",
        "from": before.version,
        "to": after.version,
        "variables_added": _only(after.variables, before.variables),
        "variables_removed": _only(before.variables, after.variables),
        "diff": "\n".join(lines),
    }


def difference(before: Sequence[str], after: Sequence[str], old: str, new: str) -> list[str]:
    """The changed lines, as a unified difference. Beyond ``MAX_COMPARED`` lines, everything between the first and the
    last difference is shown as replaced: comparison time grows with the square of their number."""
    if len(before) <= MAX_COMPARED and len(after) <= MAX_COMPARED:
        return list(difflib.unified_diff(before, after, old, new, lineterm=""))
    shorter = min(len(before), len(after))
    start = next((index for index in range(shorter) if before[index] != after[index]), shorter)
    rest = shorter - start
    end = next((index for index in range(rest) if before[-1 - index] != after[-1 - index]), rest)
    gone, come = before[start : len(before) - end], after[start : len(after) - end]
    if not gone and not come:
        return []
    places = " ".join(f"{sign}{start + 1},{len(part)}" for sign, part in (("-", gone), ("+", come)))
    head = [f"--- {old}", f"+++ {new}", f"@@ {places} @@"]
    return [*head, *(f"-{line}" for line in gone), *(f"+{line}" for line in come)]


def _only(these: Sequence[str], those: Sequence[str]) -> list[str]:
    known = frozenset(those)
    return [each for each in these if each not in known]


def _lines(messages: Sequence[Message]) -> list[str]:
    return [line for each in messages for line in (f"[{each.role}]", *each.content.split("\n"))]


def _moved(name: str, move: Move) -> HttpResponse:
    return json_response(move_body(name, move), {"etag": f'"{move.revision}"'})


def _seen(header: str | None) -> int | None:
    text = (header or "").strip().strip('"')
    if header is None or text == "*":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidRequest(
            "if-match must be the revision of the label", remedy="Send the etag from a response", param="if-match"
        )
    return int(text)
