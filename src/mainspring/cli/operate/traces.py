"""``mainspring traces``: what happened under a trace id, spans and facts."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.cli.operate.logs import moment
from mainspring.core.errors import NotFound
from mainspring.core.settings import load
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.stores.monitoring.spans import TraceFilter


def traces(
    context: typer.Context,
    trace_id: Annotated[
        str | None, typer.Argument(help="The x-trace-id header of a response", show_default="list the latest")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Tenant that owns the traces")] = "default",
    model: Annotated[str | None, typer.Option(help="List: requests for this model or application")] = None,
    operation: Annotated[str | None, typer.Option(help="List: chat, embeddings, rerank, search ...")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="List: only failed requests")] = False,
    least_ms: Annotated[
        float | None, typer.Option(min=0, help="List: requests of at least this many milliseconds")
    ] = None,
    least_usd: Annotated[
        float | None, typer.Option(min=0, help="List: requests of at least this many US dollars")
    ] = None,
    since: Annotated[str | None, typer.Option(help="List: only the last 90s, 15m, 2h, 7d, or since a time")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="List: maximum number")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Show the spans and the recorded facts of one trace, or list the latest traces."""
    if trace_id is None:
        # Importing this room's libraries takes a second.
        from mainspring.stores.monitoring.spans import TraceFilter

        begun = moment(since)
        wanted = TraceFilter(
            model=model,
            operation=operation,
            status="error" if failed else None,
            least_ns=None if least_ms is None else round(least_ms * 1e6),
            least_nanousd=None if least_usd is None else round(least_usd * 1e9),
            since_ns=None if begun is None else round(begun * 1e9),
        )
        _list(asyncio.run(_latest(context, tenant, wanted, limit)), as_json)
        return
    spans, facts = asyncio.run(_read(context, trace_id, tenant))
    if not spans and not facts:
        raise NotFound(f"nothing is recorded under trace {trace_id}", remedy="Spans are kept for a few days")
    if as_json:
        show.as_json({"spans": spans, "events": facts})
        return
    start = min((span["start_ns"] for span in spans), default=0)
    depth: dict[str | None, int] = {}
    rows = []
    for span in sorted(spans, key=lambda span: (span["start_ns"], -span["end_ns"])):
        level = depth.get(span["parent_id"], -1) + 1
        depth[span["span_id"]] = level
        milliseconds = (span["end_ns"] - span["start_ns"]) / 1e6
        at = (span["start_ns"] - start) / 1e6
        rows.append(["  " * level + span["name"], f"{at:.1f}", f"{milliseconds:.1f}", span["status"]])
    if rows:
        show.table(["span", "at ms", "took ms", "status"], rows)
    for fact in facts:
        print(show.printable(f"{fact['kind']:<10} {fact['id']}  {fact['facts']}"))


async def _read(context: typer.Context, trace_id: str, tenant: str) -> tuple[list[Any], list[Any]]:
    import dataclasses

    from mainspring import stores

    async with stores.open(load(context.obj).settings) as opened:
        # A trace id is the caller's to choose: other tenants may have spans under the same.
        found = await opened.spans.trace(trace_id)
        spans = [dataclasses.asdict(span) for span in found if span.tenant in (tenant, "")]
        records = await opened.events.find(tenant, trace_id=trace_id)
        return spans, [
            {"id": r.id, "kind": r.kind, "subject": r.subject, "at": r.at, "facts": r.facts.plain()} for r in records
        ]


def _list(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        show.as_json({"object": "list", "data": found})
        return
    rows = [
        [
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each["started_at"])),
            each["id"],
            each["operation"],
            each["model"] or "",
            f"{each['duration_ms']:.1f}",
            str(each["input_tokens"] + each["output_tokens"]),
            f"{each['cost_usd']:.6f}",
            each["error"] or each["status"],
        ]
        for each in found
    ]
    show.table(["at", "trace", "operation", "model", "took ms", "tokens", "USD", "status"], rows)


async def _latest(context: typer.Context, tenant: str, wanted: TraceFilter, limit: int) -> list[dict[str, Any]]:
    from mainspring import stores
    from mainspring.gateway.routes.traces import trace_body

    async with stores.open(load(context.obj).settings) as opened:
        groups = await opened.spans.every_group(tenant)
        return [trace_body(each) for each in await opened.spans.traces(tenant, groups, wanted, limit)]
