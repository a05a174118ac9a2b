"""``mainspring retention``: shows retention periods and expired data, and deletes expired data."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from mainspring.terminal import show


def retention(
    context: typer.Context,
    apply: Annotated[
        bool, typer.Option("--apply", help="Delete expired data now instead of waiting for the server")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Show the retention period of each class of data, and how much of it has expired.

    A running server deletes expired data every hour (`compliance.retention.every_s`).
    """

    async def work() -> tuple[list[tuple[str, str, int]], dict[str, int]]:
        from prometheus_client import CollectorRegistry

        from mainspring import stores
        from mainspring.core.settings import load
        from mainspring.features.compliance.metrics import ComplianceMetrics
        from mainspring.features.compliance.retention import Retention, told
        from mainspring.features.compliance.settings import ComplianceSettings
        from mainspring.stores.events.audit_log import LOCAL

        settings = load(context.obj).settings
        async with stores.open(settings) as opened:
            chosen = settings.section(ComplianceSettings).retention
            kept = Retention(opened, chosen, ComplianceMetrics(CollectorRegistry()))
            due = told(await kept.due())
            spans = f"{settings.telemetry.span_retention_days:g} days"
            cached = f"{settings.stores.cache_ttl_s / 86_400:g} days"
            # Their own stores let these go.
            due += [("spans", spans, 0), ("cached answers", cached, 0)]
            return due, dict(await kept.apply(LOCAL)) if apply else {}

    due, deleted = asyncio.run(work())
    if as_json:
        rows = [{"data": data, "kept": kept, "due": count} for data, kept, count in due]
        show.as_json({"classes": rows, "deleted": deleted})
        return
    show.table(("data", "kept", "due"), due)
    if apply:
        print("deleted: " + (", ".join(f"{count} {data}" for data, count in sorted(deleted.items())) or "nothing"))
