"""``mainspring budgets``: what a scope may spend in a day or a month."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.core.errors import InvalidRequest
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.stores import Stores
    from mainspring.stores.money.spending import Budget

SCOPES = ("tenant", "key", "application", "global")
NANO = 10**9
MOST_USD = 10**9
"""As much as an API request may ask for."""
app = typer.Typer(help="Create, list, change and delete budgets.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Tenant = Annotated[str, typer.Option(help="Tenant of the budget; empty: the budgets over all tenants")]
Usd = Annotated[str | None, typer.Option(help="Limit in US dollars")]
Tokens = Annotated[int | None, typer.Option(min=0, max=10**15, help="Limit in tokens")]
Identifier = Annotated[str, typer.Argument(help="The budget's id, from `mainspring budgets list`")]


@app.command()
def create(
    context: typer.Context,
    scope: Annotated[str, typer.Option(help=f"One of {', '.join(SCOPES)}")] = "tenant",
    subject: Annotated[str, typer.Option(help="The key's id, or the name in requests' `model`")] = "",
    window: Annotated[str, typer.Option(help="day or month in UTC, or total: from now on")] = "month",
    usd: Usd = None,
    tokens: Tokens = None,
    soft: Annotated[bool, typer.Option("--soft", help="Report, but refuse nothing")] = False,
    name: Annotated[str, typer.Option(help="Its name in messages")] = "",
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Create a budget, which includes the spending of its current day or month. Running servers apply it within
    seconds."""

    async def work(opened: Stores) -> Budget:
        limits: dict[str, Any] = {"limit_nanousd": _nano(usd), "limit_tokens": tokens}
        return await opened.budgets.create(
            tenant,
            scope,  # type: ignore[arg-type]
            subject,
            window=window,  # type: ignore[arg-type]
            hard=not soft,
            name=name,
            **limits,
        )

    made = _run(context, work)
    if as_json:
        show.as_json({"id": made.id})
    else:
        print(made.id)


@app.command("list")
def list_budgets(context: typer.Context, tenant: Tenant = "default", as_json: AsJson = False) -> None:
    """List a tenant's budgets and their spending."""
    from mainspring.gateway.routes.costs import budget_now

    async def work(opened: Stores) -> list[dict[str, Any]]:
        found = await opened.budgets.list(tenant)
        return [await budget_now(opened.budgets, budget) for budget in found]

    rows = _run(context, work)
    if as_json:
        show.as_json(rows)
        return
    if not rows:
        print("No budgets yet: `mainspring budgets create --usd 100` makes one for this month.")
        return
    columns = ["id", "name", "scope", "subject", "period", "kind", "spent $", "of $", "tokens", "of tokens", ""]
    show.table(columns, [_cells(row) for row in rows])


@app.command()
def change(
    context: typer.Context,
    budget_id: Identifier,
    usd: Usd = None,
    tokens: Tokens = None,
    name: Annotated[str | None, typer.Option(help="Its name in messages")] = None,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Change the limits or the name of a budget."""
    given = {"limit_nanousd": _nano(usd), "limit_tokens": tokens, "name": name}
    changes: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise InvalidRequest("nothing to change was said", remedy="Give --usd, --tokens or --name")

    async def work(opened: Stores) -> dict[str, Any]:
        from mainspring.gateway.routes.costs import budget_now

        return await budget_now(opened.budgets, await opened.budgets.change(tenant, budget_id, **changes))

    show.done(f"{budget_id} is changed.", _run(context, work), as_json)


@app.command()
def delete(context: typer.Context, budget_id: Identifier, tenant: Tenant = "default") -> None:
    """Delete a budget; the ledger stays."""
    _run(context, lambda opened: opened.budgets.delete(tenant, budget_id))
    print(f"{budget_id} is deleted.")


def _run(context: typer.Context, work: Callable[[Stores], Awaitable[Any]]) -> Any:
    async def within() -> Any:
        from mainspring import stores
        from mainspring.core.settings import load

        async with stores.open(load(context.obj).settings) as opened:
            return await work(opened)

    return asyncio.run(within())


def _cells(row: dict[str, Any]) -> list[Any]:
    def shown(value: Any) -> Any:
        return "-" if value is None else value

    return [
        *(row[field] or "-" for field in ("id", "name", "scope", "subject", "period")),
        "hard" if row["hard"] else "soft",
        f"{row['spent_usd']:.6f}",
        shown(row["limit_usd"]),
        row["spent_tokens"],
        shown(row["limit_tokens"]),
        "exceeded" if row["exceeded"] else "",
    ]


def _nano(dollars: str | None) -> int | None:
    if dollars is None:
        return None
    try:
        scaled = Decimal(dollars) * NANO
        if 0 <= scaled <= MOST_USD * NANO and scaled == scaled.to_integral_value():
            return int(scaled)
    except InvalidOperation:
        pass
    raise InvalidRequest(
        f"{dollars!r} is not an amount of US dollars", remedy=f"Write 12.50, from 0 to {MOST_USD:,}; nine places"
    )
