"""``mainspring keys``: create, list, rotate and revoke API keys. Secrets are shown once and stored hashed."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer

from mainspring.core.errors import InvalidRequest
from mainspring.core.scopes import SCOPES
from mainspring.terminal import show

if TYPE_CHECKING:
    from mainspring.core.settings import Settings
    from mainspring.core.types import Reach
    from mainspring.stores.keys.api_keys import KeyInfo

app = typer.Typer(help="Create, list, rotate and revoke API keys.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output")]
Tenant = Annotated[str, typer.Option(help="Tenant that the key belongs to")]


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the key is for")],
    scope: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(SCOPES)}; repeat for more")] = None,
    group: Annotated[list[str] | None, typer.Option(help="Access group; repeat for more")] = None,
    tenant: Tenant = "default",
    days: Annotated[float | None, typer.Option(min=0, help="Days until it expires", show_default="never")] = None,
    tier: Annotated[
        str, typer.Option(help="Tier with the rate limits, a name of serving.tiers", show_default="everybody's")
    ] = "",
    role: Annotated[str, typer.Option(help="Role with the scopes, a name of gateway.roles")] = "",
    model: Annotated[
        list[str] | None, typer.Option(help="Model that it may use; repeat for more", show_default="any")
    ] = None,
    within: Annotated[
        list[str] | None,
        typer.Option("--collection", help="Collection that it may see; repeat for more", show_default="any"),
    ] = None,
    region: Annotated[
        list[str] | None, typer.Option(help="Region that it accepts; repeat for more", show_default="any")
    ] = None,
    consent: Annotated[
        bool, typer.Option("--consent", help="Requests with this key may be used for learning if they do not say")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create a key and print its secret, which is shown only once."""
    if unknown := set(scope or ()) - set(SCOPES):
        raise InvalidRequest(f"unknown scope {', '.join(sorted(unknown))}", remedy=f"There are: {', '.join(SCOPES)}")
    expires = time.time() + days * 86_400 if days is not None else None

    async def work() -> tuple[str, str]:
        from mainspring import stores
        from mainspring.core.settings import load
        from mainspring.core.types import Reach

        settings = load(context.obj).settings
        _check_tier(settings, tier)
        scopes = frozenset(scope or ()) | _scopes_of(settings, role)
        reach = Reach(frozenset(model or ()), frozenset(within or ()), frozenset(region or ()))
        async with stores.open(settings) as opened:
            info, secret = await opened.keys.create(
                name,
                tenant=tenant,
                scopes=scopes or frozenset({"chat", "embed"}),
                groups=frozenset(group or ()),
                expires_at=expires,
                tier=tier,
                consent=consent,
                reach=reach,
            )
            return info.id, secret

    _show_secret(*asyncio.run(work()), as_json=as_json)


@app.command("list")
def list_keys(context: typer.Context, tenant: Tenant = "default", as_json: AsJson = False) -> None:
    """List a tenant's keys."""

    async def work() -> list[KeyInfo]:
        from mainspring import stores
        from mainspring.core.settings import load

        async with stores.open(load(context.obj).settings) as opened:
            return await opened.keys.list(tenant)

    found = asyncio.run(work())
    if as_json:
        show.as_json([_facts(key) for key in found])
    elif found:
        show.table(_COLUMNS, [_row(key) for key in found])
    else:
        print("No keys yet: `mainspring keys create NAME` makes one.")


@app.command()
def rotate(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The key's id, from `mainspring keys list`")],
    overlap: Annotated[
        float,
        typer.Option(min=0, max=30 * 86_400, help="Seconds for which the old secret stays valid", show_default="0"),
    ] = 0.0,
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Replace a key by a new one with the same rights, and print its secret, which is shown only once."""

    async def work() -> tuple[str, str]:
        from mainspring import stores
        from mainspring.core.settings import load

        async with stores.open(load(context.obj).settings) as opened:
            info, secret = await opened.keys.rotate(tenant, key_id, overlap_s=overlap)
            return info.id, secret

    _show_secret(*asyncio.run(work()), as_json=as_json)


@app.command()
def revoke(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The key's id, from `mainspring keys list`")],
    children: Annotated[
        str,
        typer.Option(help="revoke or keep: what happens to the usable keys that it created", show_default="asked for"),
    ] = "",
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Revoke a key; running servers notice within seconds."""
    if children not in ("", "revoke", "keep"):
        raise InvalidRequest(f"--children {children!r} is neither revoke nor keep", param="children")

    async def work() -> list[str]:
        from mainspring import stores
        from mainspring.core.settings import load

        async with stores.open(load(context.obj).settings) as opened:
            return await opened.keys.revoke(tenant, key_id, children=children or None)  # type: ignore[arg-type]

    ended = asyncio.run(work())
    show.done("\n".join(f"{each} is revoked." for each in ended), {"revoked": ended}, as_json)


@app.command()
def tier(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The key's id, from `mainspring keys list`")],
    name: Annotated[str, typer.Argument(help="A name of serving.tiers; empty: the default limits")],
    tenant: Tenant = "default",
    as_json: AsJson = False,
) -> None:
    """Change a key's rate limits, and reduce those of the keys that it created to at most its own; running servers
    notice within seconds."""

    async def work() -> list[str]:
        from mainspring import stores
        from mainspring.core.settings import load
        from mainspring.serving.money.tiers import beyond

        settings = load(context.obj).settings
        _check_tier(settings, name)
        async with stores.open(settings) as opened:
            await opened.keys.set_tier(tenant, key_id, name)
            # The keys that it created are reduced to at most its own limits.
            above = [
                each.id for each in await opened.keys.below(tenant, key_id) if beyond(settings.serving, each.tier, name)
            ]
            for each in above:
                await opened.keys.set_tier(tenant, each, name)
            return above

    above = asyncio.run(work())
    lines = [f"{each}, which it made, has it too." for each in above]
    lines.append(f"{key_id} has {'the limits of tier ' + name if name else 'no tier'}.")
    show.done("\n".join(lines), {"id": key_id, "tier": name, "also": above}, as_json)


@app.command()
def consent(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="The key's id, from `mainspring keys list`")],
    given: Annotated[bool, typer.Option("--yes/--no", help="Whether the key consents")],
    tenant: Tenant = "default",
) -> None:
    """Set whether a key's requests may be used for learning if they do not say."""

    async def work() -> None:
        from mainspring import stores
        from mainspring.core.settings import load

        async with stores.open(load(context.obj).settings) as opened:
            await opened.keys.set_consent(tenant, key_id, given)

    asyncio.run(work())
    print(f"{key_id}: {'may' if given else 'must not'} be learnt from.")


def _show_secret(key_id: str, secret: str, *, as_json: bool) -> None:
    if as_json:
        show.as_json({"id": key_id, "secret": secret})
    else:
        print(f"{key_id}\n{secret}\nKeep the second line now: it is stored hashed and cannot be shown again.")


def _scopes_of(settings: Settings, role: str) -> frozenset[str]:
    roles = settings.gateway.roles
    if role and role not in roles:
        raise InvalidRequest(
            f"there is no role {role}", remedy=f"gateway.roles names: {', '.join(roles)}", param="role"
        )
    return frozenset(roles[role]) if role else frozenset()


def _check_tier(settings: Settings, name: str) -> None:
    known = settings.serving.tiers
    if name and name not in known:
        raise InvalidRequest(
            f"there is no tier {name}",
            remedy=f"serving.tiers names: {', '.join(sorted(known)) or 'none'}",
            param="tier",
        )


_COLUMNS = (
    *("id", "name", "scopes", "groups", "expires", "revoked", "last used", "tier", "limited to", "consent", "made by"),
)


def _facts(key: KeyInfo) -> dict[str, object]:
    """A key as JSON values; times are Unix seconds."""
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "groups": sorted(key.groups),
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "tier": key.tier or None,
        "limited_to": {
            "models": sorted(key.reach.models),
            "collections": sorted(key.reach.collections),
            "regions": sorted(key.reach.regions),
        },
        "consent": bool(key.consent),
        "made_by": key.parent or None,
    }


def _row(key: KeyInfo) -> tuple[str, ...]:
    return (
        key.id,
        key.name,
        ",".join(sorted(key.scopes)),
        ",".join(sorted(key.groups)),
        _day(key.expires_at),
        _day(key.revoked_at),
        _day(key.last_used_at),
        key.tier or "-",
        _limits(key.reach),
        "yes" if key.consent else "no",
        key.parent or "-",
    )


def _limits(reach: Reach) -> str:
    named = {"models": reach.models, "collections": reach.collections, "regions": reach.regions}
    return "; ".join(f"{name} {', '.join(sorted(values))}" for name, values in named.items() if values) or "-"


def _day(at: float | None) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(at)) if at else "-"
