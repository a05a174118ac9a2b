"""``mainspring audit``: shows actions on the system and their authors, and verifies the log."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mainspring.core.errors import Conflict
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.stores import Stores

T = TypeVar("T")
app = typer.Typer(
    help="List, verify and export the audit log.",
    epilog="docs/operate/compliance.md describes its entries and what it proves.",
    no_args_is_help=True,
)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Tenant = Annotated[str, typer.Option(help='Tenant of the log; "": the server\'s own')]


@app.command("list")
def list_entries(
    context: typer.Context,
    tenant: Tenant = "default",
    action: Annotated[str | None, typer.Option(help="Only this action, such as key.created")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number, the latest")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the latest entries, newest last."""

    async def work(opened: Stores) -> list[dict[str, object]]:
        from mainspring.features.compliance.audit_routes import entry_body
        from mainspring.stores.sql.pages import Page

        found = await opened.audit.page(tenant, Page(limit), action=action)
        return [entry_body(each) for each in reversed(found.rows)]

    entries = _run(context, work)
    if as_json:
        show.as_json(entries)
        return
    rows = [
        (
            each["number"],
            _time(each["created_at"]),
            each["action"],
            each["actor"],
            each["target"],
            _brief(each["details"]),
        )
        for each in entries
    ]
    if rows:
        show.table(("number", "at", "action", "by", "what", "details"), rows)
    else:
        print("This log is empty.")


@app.command()
def verify(
    context: typer.Context,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's log; \"\": the server's own")] = None,
    head: Annotated[
        list[str] | None, typer.Option(help="A head noted earlier, NUMBER:HASH, of --tenant's log; repeat for more")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read whole logs and report entries that were changed, removed, inserted or moved. The exit status is 1 if the
    log is damaged.

    Store the printed heads outside of the reach of everybody who can write the database: only they reveal later that
    the end of a log was cut off together with its head.
    """

    async def work(opened: Stores) -> list[dict[str, object]]:
        from mainspring.features.compliance.audit_routes import decisions_body, noted, report_body
        from mainspring.features.compliance.guard_decisions import Decisions

        tenants = await opened.audit.tenants() if tenant is None else [tenant]
        known = [noted(tenant or "default", each) for each in head or ()]
        names = {tenant or "default"} if head else set()
        decisions = Decisions(opened.database, opened.audit, 0.0)
        return [
            {
                "tenant": each,
                **report_body(await opened.audit.verify(each, known if each in names else ())),
                "guard_decisions": decisions_body(await decisions.check_all(each)),
            }
            for each in sorted({*tenants, *names})
        ]

    reports = _run(context, work)
    if as_json:
        show.as_json(reports, ok=_whole(reports))
    elif not reports:
        print("There is no log yet: nothing was verified.")
    for report in reports if not as_json else ():
        name = report["tenant"] or "(the server)"
        state = "intact" if report["intact"] else "NOT INTACT"
        print(f"{name}: {state}, {report['entries']} entries, head {report['head']}")
        for problem in report["problems"]:  # type: ignore[attr-defined]
            print(f"  entry {problem['number']}: {problem['problem']}")
        decided: dict[str, Any] = report["guard_decisions"]  # type: ignore[assignment]
        if decided["sealed"]:
            print(f"  guard events: {decided['sealed']} sealed, {decided['missing']} of them gone")
        for number in decided["changed"]:
            print(f"  entry {number}: guard events that it refers to were changed")
    if not _whole(reports):
        raise Conflict("an audit log is not as it was written", remedy="Compare it with a backup or an export")


def _whole(reports: Sequence[Mapping[str, Any]]) -> bool:
    return all(report["intact"] and not report["guard_decisions"]["changed"] for report in reports)


@app.command()
def export(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="The file to write", show_default="standard output")] = None,
    tenant: Tenant = "default",
) -> None:
    """Write all entries as lines of JSON, in the form that their hashes cover."""

    async def work(opened: Stores) -> list[bytes]:
        from mainspring.features.compliance.audit_routes import lines

        await opened.audit.record(tenant, "audit.exported")
        return [part async for part in lines(opened.audit, tenant)]

    data = b"".join(_run(context, work))
    if file is None:
        sys.stdout.buffer.write(data)
    else:
        file.write_bytes(data)


def _run(context: typer.Context, work: Callable[[Stores], Awaitable[T]]) -> T:
    async def opened() -> T:
        from mainspring import stores
        from mainspring.core.settings import load

        async with stores.open(load(context.obj).settings) as all_stores:
            return await work(all_stores)

    return asyncio.run(opened())


def _time(at: object) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(str(at))))


def _brief(details: object) -> str:
    text = json.dumps(details)
    return text if len(text) <= 100 else f"{text[:97]}..."
