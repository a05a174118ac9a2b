"""``mainspring limits``: the limits of a tenant, over all its keys, and its usage."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.core.errors import InvalidRequest
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.stores import Stores

app = typer.Typer(help="Show and set the limits of a tenant, over all its keys.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Tenant = Annotated[str, typer.Option(help="The tenant")]


@app.command("show")
def show_limits(
    context: typer.Context,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Show a tenant's limits and usage."""
    found = asyncio.run(_changed(context, tenant, {}))
    if as_json:
        show.as_json(found)
        return
    table = [
        [row["name"], row["used"] if row["used"] is not None else "-", row["limit"] or "any"] for row in found["data"]
    ]
    show.table(["limit", "used", "of"], table)


@app.command("set")
def set_limits(
    context: typer.Context,
    given: Annotated[
        list[str], typer.Argument(help="NAME=AMOUNT; 0: unlimited; nothing after =: the value in the settings")
    ],
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Set limits of a tenant; running servers apply them within seconds."""
    found = asyncio.run(_changed(context, tenant, dict(_pair(each) for each in given)))
    names = [each.partition("=")[0] for each in given]
    rows = [row for row in found["data"] if row["name"] in names]
    lines = [f"{tenant}: {row['name']} {row['limit'] or 'any'}" for row in rows]
    show.done("\n".join(lines), found | {"data": rows}, as_json)


async def _changed(context: typer.Context, tenant: str, changes: dict[str, int | None]) -> dict[str, Any]:
    from mainspring import stores
    from mainspring.core.settings import load
    from mainspring.gateway.identity.quota_routes import quotas_body

    async with stores.open(load(context.obj).settings) as opened:
        return await _within(opened, tenant, changes, quotas_body)


async def _within(opened: Stores, tenant: str, changes: dict[str, int | None], body: Any) -> dict[str, Any]:
    if changes:
        await opened.quotas.change(tenant, changes)
    found: dict[str, Any] = body(tenant, await opened.quotas.limits(tenant), await opened.quotas.used(tenant))
    return found


def _pair(text: str) -> tuple[str, int | None]:
    name, separator, amount = text.partition("=")
    if not separator or not (amount == "" or (amount.isascii() and amount.isdigit())):
        raise InvalidRequest(f"{text!r} is not a limit", remedy="Write NAME=AMOUNT, as keys=50", param="given")
    return name, int(amount) if amount else None
