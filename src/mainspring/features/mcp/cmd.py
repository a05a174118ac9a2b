"""``mainspring mcp``: serve over stdio, and the servers whose tools agents use."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from mainspring.command import ACCESS, Command, opener
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.core.settings import Settings
    from mainspring.stores import Stores

T = TypeVar("T")
app = typer.Typer(help="Serve the Model Context Protocol over stdio; other servers' tools.")
Name = Annotated[str, typer.Argument(help="The server's name under mcp.servers")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    key: Annotated[
        str, typer.Option(envvar="MAINSPRING_API_KEY", help="API key whose rights apply; without one, the local user's")
    ] = "",
) -> None:
    """Serve the protocol on standard input and output, for clients that start their servers."""
    if context.invoked_subcommand is not None:
        return
    from mainspring.core.settings import load
    from mainspring.features.mcp.server.stdio import serve as on_stdio

    asyncio.run(on_stdio(opener(context), load(context.obj).settings, key))


@app.command("list")
def list_servers(context: typer.Context, as_json: AsJson = False) -> None:
    """List the configured servers."""
    from mainspring.core.settings import load
    from mainspring.features.mcp.settings import McpSettings

    servers = load(context.obj).settings.section(McpSettings).servers
    found = [
        {
            "name": name,
            "at": each.url or " ".join(each.command),
            "login": each.oauth.grant if each.oauth else "",
            "tools": list(each.tools),
        }
        for name, each in servers.items()
    ]
    if as_json:
        show.as_json(found)
    elif not found:
        print("No MCP servers yet: add them under mcp.servers.")
    else:
        rows = [(str(each["name"]), str(each["at"]), str(each["login"]), ", ".join(each["tools"])) for each in found]
        show.table(("NAME", "AT", "LOGIN", "ONLY TOOLS"), rows)


@app.command()
def tools(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Connect to a server; list its tools, and what waits for approval or cannot be used."""

    async def work(stores: Stores, settings: Settings) -> list[dict[str, Any]]:
        from mainspring.core.types import Context, Principal
        from mainspring.features.mcp.servers import configured, opened

        toolset = opened(stores, name, configured(settings, name))
        try:
            found = await toolset.tools(Context(Principal("default", "local")))
        finally:
            await toolset.aclose()
        rows = [
            {
                "name": each.declaration.name,
                "state": "offered",
                "effect": each.policy.effect,
                "about": each.declaration.description,
            }
            for each in found
        ]
        waiting = {each.name: each.description for each in toolset.waiting}
        for tool, why in toolset.dropped.items():
            state = "waits" if tool in waiting else "left out"
            rows.append({"name": tool, "state": state, "effect": "", "about": waiting.get(tool) or why})
        return rows

    rows = asyncio.run(_with_stores(context, work))
    if as_json:
        show.as_json(rows)
    else:
        lines = [(each["name"], each["state"], each["effect"], each["about"].split("\n")[0][:100]) for each in rows]
        show.table(("TOOL", "STATE", "EFFECT", "ABOUT"), lines)


@app.command()
def approve(
    context: typer.Context,
    name: Name,
    tool: Annotated[
        list[str] | None, typer.Argument(help="The server's names of the tools; default: all that wait")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Approve the tools of a server as it describes them now."""

    async def work(stores: Stores, settings: Settings) -> list[str]:
        from mainspring.features.mcp.approvals import StoredPins
        from mainspring.features.mcp.servers import configured

        configured(settings, name)
        return await StoredPins(stores.database).accept(name, frozenset(tool or ()))

    taken = asyncio.run(_with_stores(context, work))
    show.done(f"Approved: {', '.join(taken)}.", {"approved": taken}, as_json)


@app.command()
def login(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Log in at a server, in a browser. The token is kept encrypted and renewed."""

    async def work(stores: Stores, settings: Settings) -> int:
        from mainspring.features.mcp.login import login as run
        from mainspring.features.mcp.servers import configured
        from mainspring.features.mcp.tokens import StoredTokens

        def shown(url: str) -> None:
            sys.stderr.write(f"Open this address in a browser to log in:\n\n  {url}\n\n")
            sys.stderr.flush()

        return await run(name, configured(settings, name), StoredTokens(stores.credentials, name), shown)

    count = asyncio.run(_with_stores(context, work))
    show.done(f"Logged in at {name}, which has {count} tools.", {"server": name, "tools": count}, as_json)


@app.command()
def logout(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Delete the token of a server."""

    async def work(stores: Stores, _: Settings) -> bool:
        from mainspring.features.mcp.tokens import StoredTokens

        return await StoredTokens(stores.credentials, name).forget()

    gone = asyncio.run(_with_stores(context, work))
    show.done(f"Logged out at {name}." if gone else f"Nobody was logged in at {name}.", {"gone": gone}, as_json)


async def _with_stores(context: typer.Context, work: Callable[[Stores, Settings], Awaitable[T]]) -> T:
    from mainspring import stores
    from mainspring.core.settings import load
    from mainspring.stores.keys.credentials import resolved

    settings = await resolved(load(context.obj).settings)
    async with stores.open(settings) as opened:
        return await work(opened, settings)


COMMANDS = (Command("mcp", app, ACCESS),)
