"""``mainspring retention``: shows retention periods and expired data, and deletes expired data."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

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

    async def work() -> tuple[list[dict[str, Any]], dict[str, int]]:
        from prometheus_client import CollectorRegistry

        from mainspring import stores
        from mainspring.core.settings import load
        from mainspring.features.compliance.metrics import ComplianceMetrics
        from mainspring.features.compliance.retention import Due, Retention
        from mainspring.features.compliance.settings import ComplianceSettings
        from mainspring.stores.events.audit_log import LOCAL

        settings = load(context.obj).settings
        async with stores.open(settings) as opened:
            chosen = settings.section(ComplianceSettings).retention
            kept = Retention(opened, chosen, ComplianceMetrics(CollectorRegistry()))
            due = await kept.due()
            # Their own stores let these go.
            due.append(Due("spans", settings.telemetry.span_retention_days, 0))
            due.append(Due("cached answers", settings.stores.cache_ttl_s / 86_400, 0))
            classes = [{"data": each.data, "days": each.days or None, "due": each.count} for each in due]
            return classes, dict(await kept.apply(LOCAL)) if apply else {}

    classes, deleted = asyncio.run(work())
    if as_json:
        show.as_json({"classes": classes, "deleted": deleted})
        return
    rows = [(row["data"], f"{row['days']:g} days" if row["days"] else "for ever", row["due"]) for row in classes]
    show.table(("data", "kept", "due"), rows)
    if apply:
        print("deleted: " + (", ".join(f"{count} {data}" for data, count in sorted(deleted.items())) or "nothing"))
