"""Routes of notebooks: choose documents, ask them, study them, have them spoken."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.path import Answer
from mainspring.core.types import Context
from mainspring.features.content.notebook.notebooks import MOST_DOCUMENTS, Notebooks, OpenedNotebook
from mainspring.features.content.notebook.studies import Study, StudyKind
from mainspring.features.content.shapes import redacted
from mainspring.features.content.store.notebooks import PREFIX as IDS
from mainspring.features.content.store.notebooks import Notebook, Recording
from mainspring.features.content.text.article import dump
from mainspring.http.access import Access
from mainspring.http.bodies import Body, Name
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response

PREFIX = "/v1/content/notebooks"
Hiding = Callable[[Context], Any]
Documents = Annotated[list[Name], Field(max_length=MOST_DOCUMENTS, fail_fast=True)]
WAV: dict[int | str, dict[str, Any]] = {200: {"content": {"audio/wav": {}}}}


class NotebookBody(Body):
    """``POST /v1/content/notebooks``: documents of a collection; all of it if none are named."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    collection: Name
    documents: Documents = Field(default_factory=list)


class NotebookChangeBody(Body):
    """``POST /v1/content/notebooks/{notebook_id}``: another name, or other documents."""

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    collection: Annotated[str, Field(max_length=256)] = ""
    documents: Documents = Field(default_factory=list)


class NotebookAskBody(Body):
    """``POST /v1/content/notebooks/{notebook_id}/ask``."""

    question: Annotated[str, Field(min_length=1, max_length=4000)]
    mode: Literal["auto", "extractive", "generative"] = "auto"
    user: Annotated[str, Field(max_length=256)] = ""


class StudyBody(Body):
    """``POST /v1/content/notebooks/{notebook_id}/studies``: of all documents, or of those that are named."""

    kind: StudyKind
    documents: Documents = Field(default_factory=list)


class RecordingBody(Body):
    """``POST /v1/content/notebooks/{notebook_id}/recordings``: one voice, or two in turn."""

    kind: Literal["summary", "key_points", "timeline"] = "summary"
    voices: Annotated[list[Annotated[str, Field(min_length=1, max_length=64)]], Field(max_length=2, fail_fast=True)] = (
        Field(default_factory=list)
    )


def router(notebooks: Notebooks, access: Access, idempotency: Idempotency, hiding: Hiding) -> APIRouter:
    """The routes over the notebooks."""
    routes = APIRouter(route_class=JsonRoute, tags=["content"], prefix=PREFIX)
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("")
    async def create_notebook(
        http: HttpRequest, body: NotebookBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Choose documents."""

        async def work() -> HttpResponse:
            return json_response(_opened(await notebooks.create(context, body.name, body.collection, body.documents)))

        async def shown(notebook_id: str) -> HttpResponse:
            return json_response(_opened(await notebooks.open(context.principal, notebook_id)))

        return await idempotency.once(key, "notebooks", [await http.body()], context, work, makes=makes(IDS, shown))

    @routes.get("")
    async def list_notebooks(context: chats, page: AskedPage) -> HttpResponse:
        """The notebooks of this key."""
        return json_response(list_body((await notebooks.store.page(context.principal, page)).map(_listed)))

    @routes.get("/{notebook_id}")
    async def get_notebook(notebook_id: str, context: chats) -> HttpResponse:
        """One with its documents and recordings."""
        body = _opened(await notebooks.open(context.principal, notebook_id))
        found = await notebooks.store.recordings(context.principal, notebook_id)
        return json_response(body | {"recordings": [_recording(each, hiding(context)) for each in found]})

    @routes.post("/{notebook_id}")
    async def change_notebook(notebook_id: str, body: NotebookChangeBody, context: chats) -> HttpResponse:
        """Rename it, or choose other documents."""
        changed = await notebooks.update(context, notebook_id, body.name, body.collection, body.documents)
        return json_response(_opened(changed))

    @routes.delete("/{notebook_id}")
    async def delete_notebook(notebook_id: str, context: chats) -> HttpResponse:
        """Delete it with its recordings; the documents stay."""
        await notebooks.store.delete(context.principal, notebook_id)
        return json_response({"id": notebook_id, "object": "content.notebook.deleted", "deleted": True})

    _using(routes, notebooks, access, hiding)
    return routes


def _using(routes: APIRouter, notebooks: Notebooks, access: Access, hiding: Hiding) -> None:
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/{notebook_id}/ask")
    async def ask_notebook(notebook_id: str, body: NotebookAskBody, context: chats) -> HttpResponse:
        """Ask its documents, and no others."""
        return json_response(_answer(await notebooks.ask(context, notebook_id, body.question, body.mode, body.user)))

    @routes.post("/{notebook_id}/studies")
    async def study_notebook(notebook_id: str, body: StudyBody, context: chats) -> HttpResponse:
        """A summary, key points, a timeline, questions and answers, a study guide, or a comparison of two documents."""
        found = await notebooks.study(context, notebook_id, body.kind, body.documents)
        return json_response(_study(found, hiding(context)))

    @routes.post("/{notebook_id}/recordings")
    async def record_notebook(notebook_id: str, body: RecordingBody, context: chats) -> HttpResponse:
        """Have a study spoken."""
        made = await notebooks.record(context, notebook_id, body.kind, body.voices)
        return json_response(_recording(made, hiding(context)))

    @routes.get("/{notebook_id}/recordings/{recording_id}", response_class=HttpResponse, responses=WAV)
    async def get_recording(notebook_id: str, recording_id: str, context: chats) -> HttpResponse:
        """The sound."""
        found = await notebooks.recording(context.principal, notebook_id, recording_id)
        return HttpResponse(found.data, media_type="audio/wav")


def _listed(found: Notebook) -> dict[str, Any]:
    return {
        "id": found.id,
        "object": "content.notebook",
        "name": found.name,
        "document_count": len(found.documents),
        "created_at": int(found.created_at),
        "updated_at": int(found.updated_at),
    }


def _opened(found: OpenedNotebook) -> dict[str, Any]:
    documents = [
        {"document_id": each.document_id, "file_id": each.file_id, "name": each.name, "collection_id": collection}
        for collection, each in found.documents
    ]
    return _listed(found.notebook) | {"documents": documents, "gone": found.gone}


def _answer(answer: Answer) -> dict[str, Any]:
    return {
        "object": "content.answer",
        "answer_id": answer.head.answer_id or None,
        "answered": answer.answered,
        "text": answer.text,
        "citations": [
            {
                "index": each.index,
                "document_id": each.document_id,
                "file_id": each.file_id,
                "source": each.source,
                "quote": each.quote,
                "start": each.start,
                "end": each.end,
                "page": each.page,
            }
            for each in answer.citations
        ],
        "notices": [{"code": each.code, "text": each.text} for each in answer.notices],
    }


def _study(found: Study, redact: Callable[[str], str]) -> dict[str, Any]:
    return {"object": "content.study", **redacted(dump(found), redact)}


def _recording(found: Recording, redact: Callable[[str], str]) -> dict[str, Any]:
    return {
        "id": found.id,
        "object": "content.recording",
        "notebook_id": found.notebook_id,
        "script": [{"voice": voice, "text": redact(text)} for voice, text in found.script],
        "bytes": found.size,
        "created_at": int(found.created_at),
    }
