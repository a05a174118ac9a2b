"""``/v1/evals``, in OpenAI's shape."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Context
from mainspring.features.experiments.evals import runs
from mainspring.features.experiments.evals.graders import options_of
from mainspring.features.experiments.evals.shapes import eval_body, item_body, run_body
from mainspring.features.experiments.evals.store import PREFIX as IDS
from mainspring.features.experiments.evals.store import EvalStore
from mainspring.features.experiments.service import Experiments
from mainspring.features.experiments.spec import MOST_SCORERS, Spec
from mainspring.features.experiments.store.results import PREFIX as EXPERIMENT
from mainspring.http.access import Access, check_lasting
from mainspring.http.bodies import AtMost, Body, Metadata
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.sql import ids, rows
from mainspring.stores.sql.pages import Slice

PREFIX = "/v1/evals"
_OBJECT = Annotated[dict[str, Any], Field(max_length=64), AtMost(64)]
Title = Annotated[str, Field(max_length=256)]


class DataSourceConfig(Body):
    """The source of an eval's items."""

    type: Literal["custom", "logs", "stored_completions"]
    item_schema: _OBJECT | None = None
    include_sample_schema: bool = False
    metadata: Annotated[Metadata | None, Field()] = None


class EvalBody(Body):
    """``POST /v1/evals``."""

    data_source_config: DataSourceConfig
    testing_criteria: Annotated[list[_OBJECT], Field(min_length=1, max_length=MOST_SCORERS, fail_fast=True)]
    name: Title = ""
    metadata: Metadata | None = None


class EvalChange(Body):
    """``POST /v1/evals/{eval_id}``."""

    name: Title | None = None
    metadata: Metadata | None = None


class RunBody(Body):
    """``POST /v1/evals/{eval_id}/runs``."""

    data_source: _OBJECT
    name: Title = ""
    metadata: Metadata | None = None


def router(service: Experiments, store: EvalStore, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes over evals; their runs are experiments."""
    routes = APIRouter(route_class=JsonRoute, tags=["evals"], prefix=PREFIX)
    runners = Annotated[Context, Depends(access("experiments"))]

    @routes.post("", status_code=201)
    async def create_eval(
        http: HttpRequest, body: EvalBody, context: runners, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Create an eval: the schema of its items, and its graders."""
        criteria = []
        for each in body.testing_criteria:
            name, options = options_of(each)
            service.scorer(name, options)
            label = str(each.get("name") or name)[:100]
            criteria.append({**each, "name": label, "id": f"{label}-{ids.new('')}"})
        config = body.data_source_config.model_dump(exclude_none=True)

        async def work() -> HttpResponse:
            made = await store.create(context.principal, body.name or "eval", config, criteria, body.metadata or {})
            return json_response(eval_body(made), status=201)

        async def shown(eval_id: str) -> HttpResponse:
            return json_response(eval_body(await store.get(context.principal, eval_id)), status=201)

        return await idempotency.once(key, "evals", [await http.body()], context, work, makes=makes(IDS, shown))

    @routes.get("")
    async def list_evals(
        context: runners,
        page: AskedPage,
        order_by: Annotated[Literal["created_at", "updated_at"], Query()] = "created_at",  # noqa: ARG001
    ) -> HttpResponse:
        """Evals that the key's groups may see."""
        return json_response(list_body((await store.page(context.principal, page)).map(eval_body)))

    @routes.get("/{eval_id}")
    async def get_eval(eval_id: str, context: runners) -> HttpResponse:
        """An eval by its ID."""
        return json_response(eval_body(await store.get(context.principal, eval_id)))

    @routes.post("/{eval_id}")
    async def update_eval(eval_id: str, body: EvalChange, context: runners) -> HttpResponse:
        """Change the name and metadata of an eval."""
        values: dict[str, Any] = {} if body.name is None else {"name": body.name}
        if body.metadata is not None:
            values["metadata"] = rows.dump(body.metadata)
        return json_response(eval_body(await store.change(context.principal, eval_id, **values)))

    @routes.delete("/{eval_id}")
    async def delete_eval(eval_id: str, context: runners) -> HttpResponse:
        """Delete an eval. Its runs stay until you delete them."""
        await store.delete(context.principal, eval_id)
        return json_response({"object": "eval.deleted", "deleted": True, "eval_id": eval_id})

    _runs(routes, service, store, runners, idempotency)
    _items(routes, service, runners)
    return routes


def _runs(routes: APIRouter, service: Experiments, store: EvalStore, runners: Any, idempotency: Idempotency) -> None:
    @routes.post("/{eval_id}/runs", status_code=201)
    async def create_run(
        http: HttpRequest, eval_id: str, body: RunBody, context: runners, key: IdempotencyKey = None
    ) -> HttpResponse:
        """Queue a run over the items of `data_source`."""
        check_lasting(context, "a run of an eval")
        of = await store.get(context.principal, eval_id)

        async def work() -> HttpResponse:
            row = await runs.start(service, context.principal, of, body.data_source, body.name, body.metadata or {})
            return await told(row)

        async def told(row: Any) -> HttpResponse:
            return json_response(run_body(row, await _summary(service, row)), status=201)

        async def shown(run_id: str) -> HttpResponse:
            return await told(await _run(service, context, eval_id, run_id))

        made = makes(EXPERIMENT, shown)
        return await idempotency.once(key, f"eval {eval_id}", [await http.body()], context, work, makes=made)

    @routes.get("/{eval_id}/runs")
    async def list_runs(
        eval_id: str,
        context: runners,
        page: AskedPage,
        status: Annotated[str | None, Query(max_length=32)] = None,
    ) -> HttpResponse:
        """The runs of an eval."""
        found = await service.results.page(context.principal, page, kind=runs.RUN, parent=eval_id)
        shown = [run_body(row, await _summary(service, row, listed=True)) for row in found.rows]
        kept = [each for each in shown if status in (None, each["status"])]
        return json_response(list_body(Slice(kept, found.more)))

    @routes.get("/{eval_id}/runs/{run_id}")
    async def get_run(eval_id: str, run_id: str, context: runners) -> HttpResponse:
        """A run with its counts."""
        row = await _run(service, context, eval_id, run_id)
        return json_response(run_body(row, await _summary(service, row)))

    @routes.post("/{eval_id}/runs/{run_id}")
    async def cancel_run_as_older_clients(eval_id: str, run_id: str, context: runners) -> HttpResponse:
        """Stop a run: the URL that older clients use."""
        return await cancel_run(eval_id, run_id, context)

    @routes.post("/{eval_id}/runs/{run_id}/cancel")
    async def cancel_run(eval_id: str, run_id: str, context: runners) -> HttpResponse:
        """Stop a run. Answers in progress are completed."""
        await _run(service, context, eval_id, run_id)
        row = await service.cancel(context.principal, run_id)
        return json_response(run_body(row, await _summary(service, row)))

    @routes.delete("/{eval_id}/runs/{run_id}")
    async def delete_run(eval_id: str, run_id: str, context: runners) -> HttpResponse:
        """Delete a run with its items."""
        row = await _run(service, context, eval_id, run_id)
        await service.delete(context.principal, run_id)
        await service.data.drop(context.principal, row.data_set)
        return json_response({"object": "eval.run.deleted", "deleted": True, "run_id": run_id})


def _items(routes: APIRouter, service: Experiments, runners: Any) -> None:
    @routes.get("/{eval_id}/runs/{run_id}/output_items")
    async def list_output_items(
        eval_id: str,
        run_id: str,
        context: runners,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        after: Annotated[
            str | None, Query(max_length=200, description="An ID from the list; the page starts after it")
        ] = None,
        order: Annotated[Literal["asc", "desc"], Query()] = "asc",
        status: Annotated[Literal["fail", "pass", "error"] | None, Query()] = None,
    ) -> HttpResponse:
        """The items of a run with their answers and results, in order."""
        if order == "desc":
            raise InvalidRequest("output items can only be listed in ascending order", param="order")
        row = await _run(service, context, eval_id, run_id)
        shown: list[dict[str, Any]] = []
        place = 0 if after is None else _place(after, run_id)
        while True:
            found = await service.results.places(row.tenant, row.id, limit + 1, place)
            examples = await service.examples(context.principal, row, [each.example_id for each in found])
            bodies = [item_body(each, row, examples.get(each.example_id)) for each in found]
            shown += [each for each in bodies if status in (None, each["status"])]
            if len(shown) > limit or len(found) <= limit:
                break
            place = found[-1].place
        return json_response(list_body(Slice(shown[:limit], len(shown) > limit)))

    @routes.get("/{eval_id}/runs/{run_id}/output_items/{item_id}")
    async def get_output_item(eval_id: str, run_id: str, item_id: str, context: runners) -> HttpResponse:
        """One item of a run."""
        row = await _run(service, context, eval_id, run_id)
        found = await service.results.places(row.tenant, row.id, 1, 0, [_place(item_id, run_id)])
        if not found:
            raise NotFound(f"there is no output item {item_id:.100}", param="output_item_id")
        examples = await service.examples(context.principal, row, [found[0].example_id])
        return json_response(item_body(found[0], row, examples.get(found[0].example_id)))


def _place(item_id: str, run_id: str) -> int:
    head, _, place = item_id.rpartition("_")
    if head != f"outputitem_{run_id}" or not place.isdigit():
        raise InvalidRequest("after is not an ID from this list", remedy="Send an ID from the list", param="after")
    return int(place)


async def _run(service: Experiments, context: Context, eval_id: str, run_id: str) -> Any:
    row = await service.results.get(context.principal, run_id)
    if row.kind != runs.RUN or row.parent != eval_id:
        raise NotFound(f"the eval {eval_id:.100} has no run {run_id:.100}", param="run_id")
    return row


async def _summary(service: Experiments, row: Any, *, listed: bool = False) -> dict[str, Any]:
    """Counts of a run. In a list those of a run that is not over are not made."""
    spec = Spec.of(rows.load(row.spec))
    kept = rows.load(row.metadata).get("counts") if row.ended_at is not None else None
    if kept is not None:
        found: dict[str, Any] = rows.load(kept)
        return found
    if listed and row.ended_at is None:
        empty = {"total": row.total, "errored": 0, "passed": 0, "failed": 0}
        return {"result_counts": empty, "per_testing_criteria_results": [], "per_model_usage": []}
    told = await _counted(service, row, spec)
    if row.ended_at is not None:
        await service.results.note(row.tenant, row.id, {**rows.load(row.metadata), "counts": rows.dump(told)})
    return told


async def _counted(service: Experiments, row: Any, spec: Spec) -> dict[str, Any]:
    columns: list[tuple[Any, str]] = []
    usage = {"invocation_count": 0, "completion_tokens": 0}
    async for piece in service.results.scored(row.tenant, row.id):
        for each in piece:
            columns.append((rows.load(each.scores), each.error))
            usage["invocation_count"] += 1
            usage["completion_tokens"] += each.tokens
    criteria = []
    for scorer in spec.scorers:
        good = sum(not error and runs.passed(spec, scores)[scorer.label] for scores, error in columns)
        criteria.append({"testing_criteria": scorer.label, "passed": good, "failed": len(columns) - good})
    used = []
    if spec.candidates:
        tokens = usage["completion_tokens"]
        told = {"prompt_tokens": 0, "total_tokens": tokens, "cached_tokens": 0}
        used = [{"model_name": spec.candidates[0].model, **usage, **told}]
    return {
        "result_counts": runs.counts(spec, columns, row.total),
        "per_testing_criteria_results": criteria,
        "per_model_usage": used,
    }
