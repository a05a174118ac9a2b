"""The desk over HTTP: people list, take, answer and close cases with keys of the scope ``desk``."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.agents.handover import CasePriority, NewCase
from mainspring.core.types import Context
from mainspring.features.desk.service import SupportDesk
from mainspring.features.desk.shapes import (
    AnswerBody,
    AssignBody,
    CaseBody,
    CloseBody,
    NextBody,
    PersonBody,
    Queue,
    TakeBody,
    case_body,
    line_body,
    person_body,
    queues_body,
    view_body,
)
from mainspring.features.desk.store.cases import CaseFilter, Origin
from mainspring.features.desk.store.records import Author, Status
from mainspring.features.desk.streams import bodies as _bodies
from mainspring.features.desk.streams import stream
from mainspring.http.access import Access
from mainspring.http.bodies import Few
from mainspring.http.idempotency import IdempotencyKey
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.serving.memory.layer import stored_name
from mainspring.stores.sql import ids

PREFIX = "/v1/desk"
Queues = Annotated[Few[Queue], Query(default_factory=list, description="Only cases in these queues")]
Statuses = Annotated[Few[Status], Query(default_factory=list, description="Only cases in these states")]


def router(desk: SupportDesk, access: Access) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["desk"], prefix=PREFIX)
    people = Annotated[Context, Depends(access("desk"))]

    @routes.get("/cases")
    async def list_cases(
        context: people,
        page: AskedPage,
        status: Statuses,
        queue: Queues,
        mine: Annotated[bool, Query(description="Only cases that the caller has taken")] = False,
        late: Annotated[bool, Query(description="Only cases whose customers have waited too long")] = False,
        priority: Annotated[CasePriority | None, Query(description="Only cases of this priority")] = None,
        customer: Annotated[str, Query(max_length=256, description="Only cases of this customer")] = "",
        q: Annotated[str, Query(max_length=256, description="Search words in number, subject, customer or text")] = "",
    ) -> HttpResponse:
        """Cases, newest first."""
        assignee = context.principal.person if mine else ""
        wanted = CaseFilter(tuple(status), tuple(queue), assignee, priority or "", customer, late, q)
        return json_response(list_body((await desk.store.page(context.principal, page, wanted)).map(case_body)))

    @routes.get("/queues")
    async def list_queues(context: people) -> HttpResponse:
        """The number of cases per queue and state, and of late cases."""
        return json_response(queues_body(await desk.store.counts(context.principal)))

    _opening(routes, desk, access)
    _working(routes, desk, access)
    _watching(routes, desk, access)
    _people(routes, desk, access)
    return routes


def _opening(routes: APIRouter, desk: SupportDesk, access: Access) -> None:
    people = Annotated[Context, Depends(access("desk"))]

    @routes.post("/cases", status_code=201)
    async def open_case(body: CaseBody, context: people, key: IdempotencyKey = None) -> HttpResponse:
        """Open a case, or one for a customer's session in the key's groups. Each `Idempotency-Key` opens one case."""
        new = NewCase(
            body.kind, body.subject, body.reason, body.topic, body.priority, body.customer, body.body, body.references
        )
        origin = Origin(
            f"http:{context.principal.person}:{key or ids.new('')}",
            body.session_id,
            stored_name(context.principal, body.session_id) if body.session_id else "",
            person=body.user,
            trace_id=context.trace.trace_id,
            language=body.language,
        )
        return json_response(case_body(await desk.open(new, context, origin)), status=201)

    @routes.post("/next")
    async def next_case(body: NextBody, context: people) -> HttpResponse:
        """Take the longest-waiting case of the highest priority. `case` is null if no case waits."""
        case = await desk.next_case(context, body.queues)
        return json_response({"object": "desk.next", "case": None if case is None else case_body(case)})

    @routes.get("/cases/{case}")
    async def get_case(case: str, context: people) -> HttpResponse:
        """A case with its conversation, by ID or number."""
        return json_response(view_body(await desk.view(context, case)))


def _working(routes: APIRouter, desk: SupportDesk, access: Access) -> None:
    people = Annotated[Context, Depends(access("desk"))]

    @routes.post("/cases/{case}/take")
    async def take_case(case: str, body: TakeBody, context: people) -> HttpResponse:
        """Take a case. With `attend`, the agent stops answering in its session."""
        return json_response(case_body(await desk.take_case(context, case, attend=body.attend)))

    @routes.post("/cases/{case}/assign")
    async def assign_case(case: str, body: AssignBody, context: people) -> HttpResponse:
        """Assign a case to another person or queue; with neither, return it to its queue."""
        return json_response(case_body(await desk.assign(context, case, body.person, body.queue)))

    @routes.post("/cases/{case}/messages", status_code=201)
    async def answer_case(case: str, body: AnswerBody, context: people) -> HttpResponse:
        """Answer the customer in the customer's channel, or add an internal note."""
        author: Author = "note" if body.note else "person"
        done = await desk.say(context, case, body.text, author, "" if body.note else body.suggestion)
        assert done.said is not None
        return json_response({"case": case_body(done.case), "message": line_body(done.said)}, status=201)

    @routes.post("/cases/{case}/close")
    async def close_case(case: str, body: CloseBody, context: people) -> HttpResponse:
        """Close a case. The agent answers in the session again."""
        return json_response(case_body(await desk.close_case(context, case, resolution=body.resolution)))

    @routes.post("/cases/{case}/hand-back")
    async def hand_back(case: str, context: people) -> HttpResponse:
        """Let the agent answer in the session again. The case stays open."""
        return json_response(case_body(await desk.close_case(context, case, hand_back=True)))

    @routes.post("/cases/{case}/reopen")
    async def reopen_case(case: str, context: people) -> HttpResponse:
        """Reopen a closed case in its queue."""
        return json_response(case_body(await desk.reopen(context, case)))


def _watching(routes: APIRouter, desk: SupportDesk, access: Access) -> None:
    people = Annotated[Context, Depends(access("desk"))]

    @routes.get(
        "/cases/{case}/events", response_class=HttpResponse, responses={200: {"content": {"text/event-stream": {}}}}
    )
    async def watch_case(case: str, http: HttpRequest, context: people) -> HttpResponse:
        """Server-sent events `case`: the case with its conversation and suggestions, now and after each change."""
        await desk.store.get(context.principal, case)
        return stream(_bodies("case", (view_body(view) async for view in desk.watch(context, case)), http))

    @routes.get("/events", response_class=HttpResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def watch_queues(http: HttpRequest, context: people) -> HttpResponse:
        """Server-sent events `queues`: the counts of all queues, now and after each change of a case."""
        return stream(_bodies("queues", (queues_body(counts) async for counts in desk.standing(context)), http))

    @routes.post("/cases/{case}/suggestions/{suggestion}/reject")
    async def reject_suggestion(case: str, suggestion: str, context: people) -> HttpResponse:
        """Reject a suggested answer."""
        await desk.reject(context, case, suggestion)
        return json_response({"id": suggestion, "object": "desk.suggestion", "decision": "rejected"})


def _people(routes: APIRouter, desk: SupportDesk, access: Access) -> None:
    people = Annotated[Context, Depends(access("desk"))]

    @routes.get("/people")
    async def list_people(context: people) -> HttpResponse:
        """Desk agents who have set a name."""
        found = await desk.people.all(context.principal)
        return json_response({"object": "list", "data": [person_body(each) for each in found]})

    @routes.get("/people/me")
    async def get_me(context: people) -> HttpResponse:
        """Your name and queues."""
        return json_response(person_body(await desk.me(context)))

    @routes.put("/people/me")
    async def put_me(body: PersonBody, context: people) -> HttpResponse:
        """Set the name that customers see, and the queues that you work on."""
        return json_response(person_body(await desk.people.put(context.principal, body.name, tuple(body.queues))))
