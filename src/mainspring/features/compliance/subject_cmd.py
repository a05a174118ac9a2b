"""``mainspring subjects``: exports and erases the data of a person."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.terminal import show
from mainspring.terminal.remote import reach

if TYPE_CHECKING:
    from mainspring.core.settings import LoadedSettings
    from mainspring.features.compliance.erase.documents import Documents
    from mainspring.stores import Stores

app = typer.Typer(
    help="Export and erase the data of a person.",
    epilog="docs/operate/compliance.md lists what an erasure reaches.",
    no_args_is_help=True,
)
_KINDS = ("user", "session", "key", "tenant")
_WAIT_S, _LOOK_S = 600.0, 0.5
Identifier = Annotated[
    str, typer.Argument(metavar="ID", help="The user's name, the session's, the key's id, or the tenant")
]
Kind = Annotated[str, typer.Option(help=f"One of {', '.join(_KINDS)}")]
Tenant = Annotated[str, typer.Option(help="Tenant of the data")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


@app.command("show")
def show_subject(
    context: typer.Context, subject_id: Identifier, kind: Kind = "user", tenant: Tenant = "default"
) -> None:
    """Write all data of a subject as lines of JSON; the last line has the number of items."""

    async def work() -> None:
        from mainspring.core.settings import load
        from mainspring.features.compliance.erase.subjects import Subjects
        from mainspring.stores.erase.data_subjects import Subject
        from mainspring.stores.events.audit_log import LOCAL

        subject = Subject(tenant, _checked(kind), subject_id)
        async with _opened(load(context.obj)) as (stores, documents):
            async for thing in Subjects(stores, documents).export(subject, LOCAL):
                print(json.dumps(thing, ensure_ascii=False))

    asyncio.run(work())


@app.command()
def erase(
    context: typer.Context,
    subject_id: Identifier,
    kind: Kind = "user",
    tenant: Tenant = "default",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase a subject from every store, and print the receipt.

    A running server does it, since it has answers in memory; without one, this process does.
    """
    if not yes:
        typer.confirm(f"Erase all data of the {kind} {subject_id}? This cannot be undone", abort=True)

    async def work() -> dict[str, Any]:
        from prometheus_client import CollectorRegistry

        from mainspring.core.settings import load
        from mainspring.features.compliance.erase.erasure import LIMITS, Eraser
        from mainspring.features.compliance.metrics import ComplianceMetrics
        from mainspring.features.compliance.subject_routes import erasure_body
        from mainspring.stores.erase.data_subjects import Subject
        from mainspring.stores.erase.erasures import NOTED
        from mainspring.stores.events.audit_log import LOCAL

        loaded = load(context.obj)
        subject = Subject(tenant, _checked(kind), subject_id)
        async with _opened(loaded) as (stores, documents):
            note = await stores.erasures.note(subject, LOCAL)
            served = await asyncio.to_thread(_serves, loaded)
            if not served:
                metrics = ComplianceMetrics(CollectorRegistry())
                again_s = 2 * loaded.settings.gateway.request_timeout_s
                # Without a server, there are no requests in progress.
                await Eraser(stores, documents, metrics, again_s=again_s, limits=LIMITS).round(only_new=True)
            end = time.monotonic() + _WAIT_S
            # Another process may do it: only its record can be waited for.
            while note.state == NOTED and time.monotonic() < end:
                await asyncio.sleep(_LOOK_S)
                note = await stores.erasures.get(tenant, note.id)
            return erasure_body(note)

    found = asyncio.run(work())
    if as_json:
        show.as_json(found)
        return
    if not found["receipt"]:
        raise NotFound(f"{found['id']} is noted, and the server has not done it yet", remedy="See its log")
    receipt = found["receipt"]
    print(f"{found['id']} is done. Erased:")
    show.table(("what", "count"), list(receipt["erased"].items()))
    print("Not reached: " + "; ".join(receipt["not_reached"]))
    print(f"Receipt {receipt['digest']}, entry {receipt['audit']['number']} of the audit log")


@asynccontextmanager
async def _opened(loaded: LoadedSettings) -> AsyncIterator[tuple[Stores, Documents]]:
    from mainspring import stores
    from mainspring.features.compliance.erase.documents import Documents
    from mainspring.rag.ingest.forget import Forgetter

    async with stores.open(loaded.settings) as opened:
        again_s = 2 * loaded.settings.gateway.request_timeout_s
        yield opened, Documents(opened, Forgetter(opened, again_s=again_s))


def _serves(loaded: LoadedSettings) -> bool:
    """Whether a server of this configuration runs."""
    gateway = loaded.settings.gateway
    url = loaded.environment.get("MAINSPRING_URL") or gateway.url
    try:
        with reach(urllib.request.Request(f"{url}/healthz"), 5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except urllib.error.HTTPError:
        # A server that refuses is running.
        return True
    except (urllib.error.URLError, OSError, ValueError):
        return False


def _checked(kind: str) -> Any:
    if kind not in _KINDS:
        raise InvalidRequest(f"there is no kind {kind!r}", remedy=f"There are: {', '.join(_KINDS)}", param="kind")
    return kind
