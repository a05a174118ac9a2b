"""Budgets and spending: our own format, and OpenAI's costs of an organisation."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from cachetools import LRUCache
from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import FailFast, Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import Forbidden, InvalidRequest, RateLimited
from mainspring.core.scopes import OPERATE
from mainspring.core.types import Context
from mainspring.http.access import Access, acting
from mainspring.http.bodies import Body
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.serving.admit.rate_limits import Bucket, duration
from mainspring.serving.money.pricing import NANO
from mainspring.stores.events.audit_log import Audit
from mainspring.stores.money import spending
from mainspring.stores.money.budgets import PREFIX, Budgets
from mainspring.stores.money.ledger import Dimension, Ledger, LedgerLine, LedgerQuery
from mainspring.stores.money.spending import Budget, Spending, Window

Money = Annotated[Decimal, Field(ge=0, le=10**9, allow_inf_nan=False)]
Tokens = Annotated[int, Field(ge=0, le=10**15)]
Name = Annotated[str, Field(max_length=256)]
Moment = Annotated[float | None, Query(ge=0, le=1e11, allow_inf_nan=False, description="Time in Unix seconds")]
Filter = Annotated[str | None, Query(max_length=256)]
DAY = 86_400
MADE_A_MINUTE = 6
MOST_LINES = 10_000
ALL = "all tenants"
ACROSS: frozenset[Dimension] = frozenset({"tenant", "model", "day", "hour"})
"""Dimensions of sums over all tenants: the names of keys, applications and requests belong to each tenant alone."""
GROUPS: dict[str, Dimension] = {"line_item": "model", "api_key_id": "key", "project_id": "application"}
Group = Literal["line_item", "api_key_id", "project_id"]


class BudgetBody(Body):
    """``POST /v1/budgets``. US dollars with up to nine decimal places. An omitted limit is no limit."""

    scope: Literal["tenant", "key", "application"] = "tenant"
    subject: Name = ""
    window: Window = "month"
    limit_usd: Money | None = None
    limit_tokens: Tokens | None = None
    hard: bool = True
    name: Name = ""


class BudgetChange(Body):
    """``POST /v1/budgets/{id}``: omitted fields stay unchanged; null removes a limit."""

    limit_usd: Money | None = None
    limit_tokens: Tokens | None = None
    name: Name | None = None


def router(budgets: Budgets, ledger: Ledger, access: Access, idempotency: Idempotency, audit: Audit) -> APIRouter:
    """The routes over budgets and ledger; an admin key sees those of its own tenant, one with the scope
    ``operate`` the sums of all."""
    routes = APIRouter(route_class=JsonRoute, tags=["costs"], prefix="/v1")
    admins = Annotated[Context, Depends(access("admin"))]

    paces = _Paces()

    async def shown(budget: Budget) -> HttpResponse:
        return json_response(await budget_now(budgets, budget))

    @routes.post("/budgets")
    async def create_budget(
        http: HttpRequest, body: BudgetBody, context: admins, key: IdempotencyKey = None
    ) -> HttpResponse:
        async def work() -> HttpResponse:
            if OPERATE not in context.principal.scopes:
                paces.take(context.principal.tenant)
            made = await budgets.create(
                context.principal.tenant,
                body.scope,
                body.subject,
                window=body.window,
                limit_nanousd=_nano(body.limit_usd),
                limit_tokens=body.limit_tokens,
                hard=body.hard,
                name=body.name,
                setter="operator" if OPERATE in context.principal.scopes else "tenant",
                by=acting(context),
            )
            return await shown(made)

        async def found(budget_id: str) -> HttpResponse:
            return await shown(await budgets.get(context.principal.tenant, budget_id))

        return await idempotency.once(key, "budgets", [await http.body()], context, work, makes=makes(PREFIX, found))

    @routes.get("/budgets")
    async def list_budgets(context: admins) -> HttpResponse:
        found = await budgets.list(context.principal.tenant)
        data = [await budget_now(budgets, budget) for budget in found]
        return json_response({"object": "list", "data": data})

    @routes.get("/budgets/{budget_id}")
    async def get_budget(budget_id: str, context: admins) -> HttpResponse:
        return await shown(await budgets.get(context.principal.tenant, budget_id))

    _changes(routes, budgets, access)
    _costs(routes, ledger, access, audit)
    _organization(routes, ledger, access)
    return routes


def _changes(routes: APIRouter, budgets: Budgets, access: Access) -> None:
    """The routes that change and delete budgets."""
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.post("/budgets/{budget_id}")
    async def change_budget(budget_id: str, body: BudgetChange, context: admins) -> HttpResponse:
        given = body.model_dump(include=body.model_fields_set)
        if "limit_usd" in given:
            given["limit_nanousd"] = _nano(given.pop("limit_usd"))
        if given.get("name", "") is None:
            raise InvalidRequest("name must be a string", param="name")
        if not given:
            raise InvalidRequest("the request changes nothing", remedy="Send limit_usd, limit_tokens or name")
        await _own(budgets, budget_id, context)
        changed = await budgets.change(context.principal.tenant, budget_id, by=acting(context), **given)
        return json_response(await budget_now(budgets, changed))

    @routes.delete("/budgets/{budget_id}")
    async def delete_budget(budget_id: str, context: admins) -> HttpResponse:
        await _own(budgets, budget_id, context)
        await budgets.delete(context.principal.tenant, budget_id, by=acting(context))
        return json_response({"id": budget_id, "object": "budget.deleted", "deleted": True})


class _Paces:
    """How often a tenant may create budgets: creating one sums up the ledger, and all writers wait for that."""

    def __init__(self) -> None:
        self._buckets: LRUCache[str, Bucket] = LRUCache(10_000)

    def take(self, tenant: str) -> None:
        """Raises ``RateLimited``."""
        bucket = self._buckets.get(tenant)
        if bucket is None:
            bucket = self._buckets[tenant] = Bucket(MADE_A_MINUTE, time.monotonic)
        if wait := bucket.take(1):
            raise RateLimited(
                f"a tenant may create at most {MADE_A_MINUTE} budgets per minute",
                remedy=f"Try again in {duration(wait)}, or change an existing budget",
                retry_after=wait,
            )


async def _own(budgets: Budgets, budget_id: str, context: Context) -> None:
    """Raises ``Forbidden`` if another caller asks to change a budget of the operator."""
    budget = await budgets.get(context.principal.tenant, budget_id)
    if budget.setter == "operator" and OPERATE not in context.principal.scopes:
        raise Forbidden(
            f"budget {budget.name or budget.id} was set by an operator of the server, and only operators may change it",
            remedy=f"Ask an operator (scope {OPERATE!r}), or create a stricter budget of your own",
        )


def _costs(routes: APIRouter, ledger: Ledger, access: Access, audit: Audit) -> None:
    admins = Annotated[Context, Depends(access("admin"))]
    operators = access(OPERATE)

    async def across(http: HttpRequest, names: Sequence[Dimension]) -> None:
        """Admit keys that may see the sums of all tenants, and record that in the log of the tenant that looked."""
        context = await operators.admit(http)
        if own := [name for name in names if name not in ACROSS]:
            raise InvalidRequest(
                f"sums over all tenants cannot be grouped by {own[0]}, because each tenant has its own names",
                remedy=f"Use {', '.join(sorted(ACROSS))}",
                param="by",
            )
        told = {"by": sorted(names)}
        await audit.record(context.principal.tenant, "costs.read", acting(context), object=ALL, details=told)

    @routes.get("/costs")
    async def costs(
        http: HttpRequest,
        context: admins,
        by: Annotated[list[Dimension], FailFast(), Query(max_length=4)] = [],  # noqa: B006
        all_tenants: bool = False,
        since: Moment = None,
        until: Moment = None,
        key: Filter = None,
        application: Filter = None,
        model: Filter = None,
        trace_id: Filter = None,
    ) -> HttpResponse:
        """Costs of the tenant's calls from `since` until before `until`, one row per combination of `by`, with the
        savings by cached answers, and by routing compared with always using the large model. `by=tenant` and
        `all_tenants` are sums over all tenants and require the scope `operate` as well."""
        filters: dict[Dimension, str | None] = {
            "key": key,
            "application": application,
            "model": model,
            "request": trace_id,
        }
        where = {name: value for name, value in filters.items() if value is not None}
        if everyone := all_tenants or "tenant" in by:
            await across(http, [*by, *where])
        asked = LedgerQuery(None if everyone else context.principal.tenant, since, until, where)
        lines = await ledger.sums(list(dict.fromkeys(by)), asked, most=MOST_LINES)
        return json_response({"object": "list", "data": [line_body(line) for line in lines]})


def _organization(routes: APIRouter, ledger: Ledger, access: Access) -> None:
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("/organization/costs")
    async def organization_costs(
        context: admins,
        start_time: Annotated[int, Query(ge=0, le=10**11)],
        end_time: Annotated[int | None, Query(ge=0, le=10**11)] = None,
        bucket_width: Literal["1d"] = "1d",  # noqa: ARG001
        group_by: Annotated[list[Group], FailFast(), Query(alias="group_by[]", max_length=3)] = [],  # noqa: B006
        limit: Annotated[int, Query(ge=1, le=180)] = 7,
        page: Annotated[int | None, Query(ge=0, le=10**11)] = None,
    ) -> HttpResponse:
        """Costs in OpenAI's format: one bucket per day (UTC), by `line_item` (the model), `api_key_id` and `project_id`
        (the requested model name)."""
        first = (start_time if page is None else page) // DAY * DAY
        end = min(end_time or time.time(), time.time())
        last = min(end, first + limit * DAY)
        groups = list(dict.fromkeys(group_by))
        asked = LedgerQuery(context.principal.tenant, max(first, start_time), last)
        lines = await ledger.sums(["day", *(GROUPS[name] for name in groups)], asked, most=MOST_LINES)
        days: dict[str, list[LedgerLine]] = {}
        for line in lines:
            days.setdefault(line.of["day"], []).append(line)
        starts = range(first, int(-(-last // DAY) * DAY), DAY)
        return json_response(
            {
                "object": "page",
                "data": [_bucket(start, days.get(_day(start), ()), groups) for start in starts],
                "has_more": last < end,
                "next_page": str(int(last)) if last < end else None,
            }
        )


def _day(start: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(start))


def _bucket(start: int, lines: Sequence[LedgerLine], groups: Sequence[str]) -> dict[str, Any]:
    results = []
    for line in lines:
        named = {name: line.of[GROUPS[name]] for name in groups}
        amount = {"value": line.cost_nanousd / NANO, "currency": "usd"}
        names = dict.fromkeys(get_args(Group))
        results.append({"object": "organization.costs.result", "amount": amount, **names, **named})
    return {"object": "bucket", "start_time": start, "end_time": start + DAY, "results": results}


def line_body(line: LedgerLine) -> dict[str, Any]:
    """A line of the ledger as JSON: its dimensions, then the sums; money in nano-US-dollars, and in US dollars."""
    return {
        "object": "cost",
        **line.of,
        "calls": line.calls,
        "prompt_tokens": line.prompt_tokens,
        "completion_tokens": line.completion_tokens,
        "cached_tokens": line.cached_tokens,
        "cost_nanousd": line.cost_nanousd,
        "cost_usd": line.cost_nanousd / NANO,
        "prompt_cache_saved_nanousd": line.saved_nanousd,
        "cache_hits": line.hits,
        "answer_cache_saved_nanousd": line.cache_saved_nanousd,
        "routed_answers": line.routed,
        "routing_saved_nanousd": None if line.routed == line.routing_unknown > 0 else line.routing_saved_nanousd,
        "routing_unknown_answers": line.routing_unknown,
        "unpriced_calls": line.unpriced,
    }


async def budget_now(budgets: Budgets, budget: Budget) -> dict[str, Any]:
    """A budget as JSON, with the spending of its current period."""
    now = time.time()
    return budget_body(budget, await budgets.spending(budget, now), now)


def budget_body(budget: Budget, spent: Spending, at: float) -> dict[str, Any]:
    """A budget as JSON, with the spending of the period at the Unix time ``at``."""
    return {
        "object": "budget",
        "id": budget.id,
        "name": budget.name,
        "scope": budget.scope,
        "subject": budget.subject,
        "window": budget.window,
        "hard": budget.hard,
        "setter": budget.setter,
        "limit_usd": None if budget.limit_nanousd is None else budget.limit_nanousd / NANO,
        "limit_nanousd": budget.limit_nanousd,
        "limit_tokens": budget.limit_tokens,
        "created_at": budget.created_at,
        "period": spent.period,
        "resets_at": spending.ends(budget.window, at),
        "spent_usd": spent.spent_nanousd / NANO,
        "spent_nanousd": spent.spent_nanousd,
        "spent_tokens": spent.spent_tokens,
        "reserved_nanousd": spent.reserved_nanousd,
        "reserved_tokens": spent.reserved_tokens,
        "exceeded": spent.reaches(budget),
    }


def _nano(dollars: Decimal | None) -> int | None:
    """Raises ``InvalidRequest`` for fractions below a billionth of a dollar."""
    if dollars is None:
        return None
    scaled = dollars * NANO
    if scaled != scaled.to_integral_value():
        raise InvalidRequest("limit_usd has more than nine decimal places", param="limit_usd")
    return int(scaled)
