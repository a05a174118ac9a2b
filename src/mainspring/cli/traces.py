"""``mainspring traces``: what happened under a trace id, spans and facts."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from mainspring.cli import show
from mainspring.errors import NotFound


def traces(
    context: typer.Context,
    trace_id: Annotated[str, typer.Argument(help="The x-trace-id header of a response")],
    tenant: Annotated[str, typer.Option(help="Tenant whose facts are shown")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Show the spans and the recorded facts of one trace."""
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
        print(f"{fact['kind']:<10} {fact['id']}  {fact['facts']}")


async def _read(context: typer.Context, trace_id: str, tenant: str) -> tuple[list[Any], list[Any]]:
    import dataclasses

    from mainspring import stores
    from mainspring.settings import load

    async with stores.open(load(context.obj).settings) as opened:
        spans = [dataclasses.asdict(span) for span in await opened.spans.trace(trace_id)]
        records = await opened.events.find(tenant, trace_id=trace_id)
        return spans, [
            {"id": r.id, "kind": r.kind, "subject": r.subject, "at": r.at, "facts": dict(r.facts)} for r in records
        ]
