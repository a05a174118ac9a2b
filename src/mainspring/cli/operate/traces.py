"""``mainspring traces``: what happened under a trace id, spans and facts."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import typer

from mainspring.cli.operate.logs import moment
from mainspring.core.errors import NotFound
from mainspring.core.settings import load
from mainspring.terminal import show
from mainspring.terminal.remote import Server, ServerLacks, running_server

HOME_TENANT = "default"
_PAGE = 100


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """Which traces are listed, in the words of ``GET /v1/traces``; ``since`` in Unix seconds."""

    model: str | None = None
    operation: str | None = None
    status: str | None = None
    least_ms: float | None = None
    least_usd: float | None = None
    since: float | None = None


def traces(
    context: typer.Context,
    trace_id: Annotated[
        str | None, typer.Argument(help="The x-trace-id header of a response", show_default="list the latest")
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(help="Read this machine's home: the tenant that owns the traces", show_default="default"),
    ] = None,
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
    """Show the spans and the recorded facts of one trace, or list the latest traces.

    With MAINSPRING_API_KEY set, the running server is asked for those of the key's tenant; otherwise, and with
    --tenant, this machine's data directory is read.
    """
    server = None if tenant else running_server(context)
    if trace_id is None:
        status = "error" if failed else None
        asked = TraceQuery(model, operation, status, least_ms, least_usd, moment(since))
        found = (
            asyncio.run(_latest(context, tenant or HOME_TENANT, asked, limit))
            if server is None
            else _latest_of(server, asked, limit)
        )
        _list(found, as_json)
        return
    spans, facts = (
        asyncio.run(_read(context, trace_id, tenant or HOME_TENANT)) if server is None else _read_of(server, trace_id)
    )
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


def _read_of(server: Server, trace_id: str) -> tuple[list[Any], list[Any]]:
    """The spans and facts of a server's trace, in the form of a home's."""
    named = quote(trace_id, safe="")
    try:
        spans = server.call("GET", f"/v1/traces/{named}")["spans"]
    except ServerLacks:
        spans = []
    facts: list[Any] = []
    after, more = "", True
    while more:
        page = server.call("GET", f"/v1/events?trace_id={named}&limit={_PAGE}&order=asc{after}")
        facts += page["data"]
        more = page["has_more"] and bool(page["data"])
        after = f"&after={quote(page['data'][-1]['id'], safe='')}" if more else ""
    return [_as_kept(trace_id, each) for each in spans], facts


def _as_kept(trace_id: str, span: dict[str, Any]) -> dict[str, Any]:
    begun = int(span["start_ns"])
    return {
        "trace_id": trace_id,
        "span_id": span["id"],
        "parent_id": span["parent_id"],
        "name": span["name"],
        "start_ns": begun,
        "end_ns": begun + round(span["duration_ms"] * 1e6),
        "status": span["status"],
        "attributes": json.dumps(span["attributes"]),
    }


def _latest_of(server: Server, asked: TraceQuery, limit: int) -> list[dict[str, Any]]:
    """The latest traces of a server, page by page."""
    options = {name: value for name, value in dataclasses.asdict(asked).items() if value is not None}
    found: list[dict[str, Any]] = []
    while len(found) < limit:
        query = urlencode(options | {"limit": min(_PAGE, limit - len(found))})
        page = server.call("GET", f"/v1/traces?{query}")
        found += page["data"]
        if not page["has_more"] or not page["data"]:
            break
        options["before"] = page["data"][-1]["start_ns"]
    return found


async def _read(context: typer.Context, trace_id: str, tenant: str) -> tuple[list[Any], list[Any]]:
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


async def _latest(context: typer.Context, tenant: str, asked: TraceQuery, limit: int) -> list[dict[str, Any]]:
    # Importing this room's libraries takes a second.
    from mainspring import stores
    from mainspring.gateway.routes.traces import trace_body
    from mainspring.stores.monitoring.spans import TraceFilter

    wanted = TraceFilter(
        model=asked.model,
        operation=asked.operation,
        status=asked.status,
        least_ns=None if asked.least_ms is None else round(asked.least_ms * 1e6),
        least_nanousd=None if asked.least_usd is None else round(asked.least_usd * 1e9),
        since_ns=None if asked.since is None else round(asked.since * 1e9),
    )
    async with stores.open(load(context.obj).settings) as opened:
        groups = await opened.spans.every_group(tenant)
        return [trace_body(each) for each in await opened.spans.traces(tenant, groups, wanted, limit)]
