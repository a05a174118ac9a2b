"""``mainspring import``: bring the recorded traffic of another system into this home.

It works on the home itself, beside a running server or without one. An import that broke off goes on when the command
is given again.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainspring.command import WATCH, Command
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.core.types import Principal
    from mainspring.features.imports.store import Import, Imports
    from mainspring.stores import Stores

app = typer.Typer(help="Import recorded traffic from Langfuse, LangSmith, OpenAI or TensorZero.", no_args_is_help=True)
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON Lines or JSON; gzip is unpacked")]
Key = Annotated[str, typer.Option(help="Id of the API key whose groups may see it; empty: the whole tenant")]
Application = Annotated[str, typer.Option(help="Record all answers under this name")]
Consent = Annotated[bool, typer.Option("--consent", help="Its people consent to learning")]
Tenant = Annotated[str, typer.Option(help="Tenant to import into")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


def _command(source: str, what: str) -> None:
    @app.command(source, help=what)
    def import_file(
        context: typer.Context,
        file: File,
        key: Key = "",
        application: Application = "",
        consent: Consent = False,
        tenant: Tenant = "default",
        as_json: AsJson = False,
    ) -> None:
        asked = {"key": key, "application": application, "consent": consent, "tenant": tenant}
        made = asyncio.run(_import(context, source, file, asked))
        from mainspring.features.imports.routes import import_body

        body = import_body(made)
        if as_json:
            show.as_json(body)
        else:
            print("\n".join(_told(body)))


async def _import(context: typer.Context, source: str, file: Path, asked: dict[str, Any]) -> Import:
    from mainspring import stores
    from mainspring.core.errors import MainspringError
    from mainspring.core.settings import load
    from mainspring.features.imports.settings import ImportsSettings
    from mainspring.features.imports.store import Imports
    from mainspring.features.imports.work import Importer

    settings = load(context.obj).settings
    section = settings.section(ImportsSettings)
    async with stores.open(settings) as opened:
        imports = Imports(opened.database, opened.audit, section)
        made = await _begun(imports, opened, source, file, asked)
        try:
            ended, whole = await Importer(imports, section).run(made, file, progress=_shown)
            if whole:
                await imports.end(ended, "completed")
        except MainspringError as error:
            await imports.end(made, "failed", str(error))
            raise
        return await imports.find(made.tenant, made.id)


async def _begun(imports: Imports, opened: Stores, source: str, file: Path, asked: dict[str, Any]) -> Import:
    """The import of the same file that broke off, or a new one."""
    from mainspring.features.imports.store import Import

    principal = await _principal(opened, asked["tenant"], asked["key"])
    with file.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
    found = await imports.unfinished(principal.tenant, source, digest, principal.person)
    if found is not None:
        return found
    made = Import(
        principal.tenant,
        "",
        source,
        file.name,
        principal.person,
        principal.key_id,
        principal.groups,
        digest=digest,
        application=asked["application"],
        consent=asked["consent"],
        delete_file=False,
    )
    return await imports.create(principal, made, job=False)


async def _principal(opened: Stores, tenant: str, key: str) -> Principal:
    from mainspring.core.types import Principal

    if not key:
        return Principal(tenant, "local")
    return (await opened.keys.get(tenant, key)).principal()


def _shown(made: Import) -> None:
    if sys.stderr.isatty():
        print(f"\r{made.position} records, {made.counts.get('events', 0)} events", end="", file=sys.stderr, flush=True)


def _told(body: dict[str, Any]) -> list[str]:
    told = [
        f"{body['id']} is {body['status']}: {body['records']} records, {body['events']} new events, "
        f"{body['known']} known, {body['faulty']} faulty."
    ]
    told += [f"left out: {count} of {reason}" for reason, count in body["left_out"].items()]
    told += [f"record {each['record']}: {each['message']}" for each in body["errors"][:10]]
    return told


_command("langfuse", "Traces, observations and scores that Langfuse exports.")
_command("langsmith", "Runs and feedback that LangSmith exports.")
_command("openai", "Stored completions of OpenAI with their messages, and chat JSON Lines.")
_command("tensorzero", "Rows of TensorZero's tables of inferences and feedback.")

COMMANDS = (Command("import", app, WATCH),)
