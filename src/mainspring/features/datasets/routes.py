"""Routes of data sets."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response as HttpResponse
from starlette.responses import StreamingResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.evaluation.example_json import example_of
from mainspring.features.datasets.make import exporting
from mainspring.features.datasets.make.exporting import Shape
from mainspring.features.datasets.make.suites import MOST as MOST_SUITE
from mainspring.features.datasets.make.suites import SuiteWish
from mainspring.features.datasets.make.traces import MOST, TraceFilter
from mainspring.features.datasets.service import MOST_AT_ONCE, DataSetService
from mainspring.features.datasets.shapes import set_body, version_body
from mainspring.features.datasets.store.versions import RowFilter
from mainspring.http.access import Access, acting
from mainspring.http.bodies import AtMost, Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.events.audit_log import Audit

PREFIX = "/v1/datasets"
SetName = Annotated[str, Field(min_length=1, max_length=128)]
Wanted = Annotated[str | None, Query(max_length=128, description="Version number or tag; default: the newest version")]
Times = Annotated[float | None, Field(ge=0, le=9e9, allow_inf_nan=False)]
Word = Annotated[str, Field(max_length=256)]
_OBJECT = Annotated[dict[str, Any], Field(max_length=64), AtMost(64)]


class TracesBody(Body):
    """Selects recorded answers: the latest ``limit`` answers that match all given fields."""

    application: Word = ""
    model: Word = ""
    since: Times = None
    until: Times = None
    thumb: Literal["up", "down"] | None = None
    edited: bool | None = None
    refused: bool | None = None
    consented: bool = False
    below: Annotated[
        dict[Word, Annotated[float, Field(allow_inf_nan=False)]],
        Field(default_factory=dict, max_length=16, description="Maximum scores by measure"),
        AtMost(16),
    ]
    session: Word = ""
    search: Word = ""
    limit: Annotated[int, Field(ge=1, le=MOST)] = 1_000
    references: Annotated[bool, Field(description="Use answers with positive feedback as correct answers")] = True


class SuiteBody(Body):
    """Questions about a collection, written by a model, or recorded questions with a correct answer; and attacks."""

    collection: Annotated[str, Field(max_length=256)] = ""
    model: Annotated[
        str, Field(max_length=256, description="Chat model that writes the questions about a collection")
    ] = ""
    traces: TracesBody | None = None
    count: Annotated[
        int, Field(ge=1, le=MOST_SUITE, description="Maximum number of passages or recorded questions")
    ] = 20
    attacks: Annotated[int, Field(ge=0, le=MOST_SUITE, description="Maximum number of attack examples")] = 0
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1

    def wish(self) -> SuiteWish:
        """The data set to make."""
        traces = None if self.traces is None else TraceFilter(**self.traces.model_dump())
        return SuiteWish(self.collection, self.model, self.count, self.seed, traces, self.attacks)


class VersionBody(Body):
    """``POST /v1/datasets/{name}/versions``: exactly one source."""

    examples: Annotated[list[_OBJECT] | None, Field(max_length=MOST_AT_ONCE, fail_fast=True)] = None
    file_id: Annotated[str | None, Field(min_length=1, max_length=128)] = None
    traces: TracesBody | None = None
    suite: SuiteBody | None = None
    remove: Annotated[
        list[Annotated[str, Field(max_length=128)]] | None,
        Field(max_length=MOST_AT_ONCE, fail_fast=True, description="IDs of examples"),
    ] = None
    note: Annotated[str, Field(max_length=512)] = ""


class SplitBody(Body):
    """``POST /v1/datasets/{name}/split``: shares that add up to 1."""

    train: Annotated[float, Field(ge=0, le=1)] = 0.8
    validation: Annotated[float, Field(ge=0, le=1)] = 0.1
    test: Annotated[float, Field(ge=0, le=1)] = 0.1
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 1


class TagBody(Body):
    """``POST /v1/datasets/{name}/tags``: without a version, the tag is removed."""

    tag: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9._-]{0,63}$")]
    version: Annotated[int, Field(ge=1)] | None = None


def router(service: DataSetService, audit: Audit, access: Access) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["datasets"], prefix=PREFIX)
    readers = Annotated[Context, Depends(access("datasets"))]
    makers = Annotated[Context, Depends(access("curate"))]

    @routes.get("")
    async def list_datasets(
        context: readers,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        after: Annotated[str, Query(max_length=128, description="A name from the list; the page starts after it")] = "",
    ) -> HttpResponse:
        """The data sets that the key's groups may see, by name."""
        found = await service.versions.sets(context.principal, limit + 1, after)
        shown = [set_body(row) for row in found[:limit]]
        return json_response({"object": "list", "data": shown, "has_more": len(found) > limit})

    @routes.post("/{name}/versions", status_code=201)
    async def create_version(name: str, body: VersionBody, context: makers) -> HttpResponse:
        """Create the next version: the newest one with examples added (a known ID replaces the older example), or with
        examples removed. A data set that does not exist is created."""
        principal = context.principal
        given = [
            each for each in (body.examples, body.file_id, body.traces, body.suite, body.remove) if each is not None
        ]
        if len(given) != 1:
            raise InvalidRequest("send exactly one of examples, file_id, traces, suite and remove", param="examples")
        if body.examples is not None:
            made = [example_of(each, f"examples[{place}]") for place, each in enumerate(body.examples)]
            number = await service.add_examples(principal, name, made, note=body.note)
        elif body.file_id is not None:
            number = await service.from_file(principal, name, body.file_id, note=body.note)
        elif body.traces is not None:
            wanted = TraceFilter(**body.traces.model_dump())
            number = await service.from_traces(principal, name, wanted, note=body.note)
        elif body.suite is not None:
            number = await service.from_suite(context, name, body.suite.wish(), note=body.note)
        else:
            number = await service.writing.remove(principal, name, body.remove or (), note=body.note)
        row = await service.versions.version_row(principal, name, number)
        return json_response(version_body(row), status=201)

    @routes.post("/{name}/split", status_code=201)
    async def split_dataset(name: str, body: SplitBody, context: makers) -> HttpResponse:
        """Create the next version, split into train, validation and test. Near-duplicates stay in one split."""
        number = await service.split(context.principal, name, body.train, body.validation, body.test, body.seed)
        row = await service.versions.version_row(context.principal, name, number)
        return json_response(version_body(row), status=201)

    _changing(routes, service, audit, makers)
    _reading(routes, service, readers)
    _comparing(routes, service, audit, readers)
    return routes


def _changing(routes: APIRouter, service: DataSetService, audit: Audit, makers: Any) -> None:
    @routes.post("/{name}/tags")
    async def tag_version(name: str, body: TagBody, context: makers) -> HttpResponse:
        """Set or remove a tag of a version."""
        tags = await service.writing.tag(context.principal, name, body.tag, body.version)
        return json_response({"object": "data_set.tags", "name": name, "tags": tags})

    @routes.delete("/{name}")
    async def delete_dataset(name: str, context: makers) -> HttpResponse:
        """Delete a data set with all versions. Their numbers are not reused."""
        await service.writing.delete(context.principal, name)
        await audit.record(context.principal.tenant, "dataset.deleted", acting(context), object=name)
        return json_response({"id": name, "object": "data_set.deleted", "deleted": True})


def _reading(routes: APIRouter, service: DataSetService, readers: Any) -> None:
    @routes.get("/{name}")
    async def get_dataset(name: str, context: readers, version: Wanted = None) -> HttpResponse:
        """A data set, and one of its versions."""
        row = await service.versions.version_row(context.principal, name, _wanted(version))
        about = await service.versions.set(context.principal, name)
        return json_response({**version_body(row), "id": name, "description": about.description or None})

    @routes.get("/{name}/versions")
    async def list_versions(
        name: str,
        context: readers,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        before: Annotated[int | None, Query(ge=1, description="Only versions older than this number")] = None,
    ) -> HttpResponse:
        """The versions of a data set, newest first."""
        found = await service.versions.history(context.principal, name, limit + 1, before)
        shown = [version_body(row) for row in found[:limit]]
        return json_response({"object": "list", "data": shown, "has_more": len(found) > limit})

    @routes.get("/{name}/examples")
    async def list_examples(
        name: str,
        context: readers,
        version: Wanted = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 20,
        after: Annotated[int, Query(ge=0, description="`next` of the previous page")] = 0,
        split: Annotated[Literal["train", "validation", "test"] | None, Query()] = None,
        group: Annotated[str, Query(max_length=256)] = "",
        search: Annotated[str, Query(max_length=256)] = "",
        trace_id: Annotated[str, Query(max_length=128)] = "",
        source: Annotated[str, Query(max_length=128, description="ID of an event")] = "",
    ) -> HttpResponse:
        """The examples of a version, in their order."""
        found = await service.versions.version(context.principal, name, _wanted(version))
        wanted = RowFilter(split or "", group, search, trace_id, source)
        page = await service.versions.page(context.principal, found, wanted, limit + 1, after)
        more = len(page) > limit
        shown = [body for _, body in page[:limit]]
        place = page[limit - 1][0] if more else None
        return json_response(
            {"object": "list", "version": found.number, "data": shown, "has_more": more, "next": place}
        )


def _comparing(routes: APIRouter, service: DataSetService, audit: Audit, readers: Any) -> None:
    @routes.get("/{name}/diff")
    async def get_diff(
        name: str,
        context: readers,
        old: Annotated[str, Query(max_length=128, description="Version number or tag")],
        new: Wanted = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        after: Annotated[str, Query(max_length=128, description="`next` of the previous page")] = "",
    ) -> HttpResponse:
        """Examples that differ between two versions, by ID."""
        sides = [await service.versions.version(context.principal, name, _wanted(each)) for each in (old, new)]
        numbers = [each.number for each in sides]
        found, following = await service.versions.changes(context.principal, name, numbers[0], numbers[1], limit, after)
        shown = [{"id": each.id, "before": each.before, "after": each.after} for each in found]
        told = {"old": numbers[0], "new": numbers[1], "has_more": following is not None, "next": following}
        return json_response({"object": "list", "data": shown, **told})

    @routes.get("/{name}/export")
    async def export_dataset(
        name: str, context: readers, version: Wanted = None, shape: Annotated[Shape, Query()] = "examples"
    ) -> HttpResponse:
        """A version as JSON Lines: examples in the format of `add`, or OpenAI's chats for fine-tuning."""
        found = await service.versions.version(context.principal, name, _wanted(version))
        details = {"version": found.number, "shape": shape, "examples": found.examples - found.erased}
        await audit.record(context.principal.tenant, "dataset.exported", acting(context), object=name, details=details)
        headers = {"content-disposition": f'attachment; filename="{name}-{found.number}.jsonl"'}
        lines = exporting.lines(service.stream(context.principal, name, found.number), shape)
        return StreamingResponse(lines, media_type="application/jsonl", headers=headers)


def _wanted(text: str | None) -> int | str | None:
    return int(text) if text is not None and text.isdigit() else text
