"""``mainspring lake features``: what is known of a user or a document, now or as of a time."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from mainspring.terminal import show


def show_features(
    context: typer.Context,
    entity: Annotated[str, typer.Argument(help="user or document")],
    entity_id: Annotated[str, typer.Argument(help="The user's name, or the document's id", metavar="ID")],
    as_of: Annotated[
        float | None, typer.Option(help="Unix seconds; what happened then or later does not count")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whose data")] = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output")] = False,
) -> None:
    """Take in new events, and show the features of a user or a document."""
    found = asyncio.run(_features(context, entity, entity_id, as_of, tenant))
    if as_json:
        show.as_json(found)
    elif not found["features"]:
        print("Nothing is known of it.")
    else:
        show.table(("FEATURE", "VALUE"), sorted(found["features"].items()))


async def _features(
    context: typer.Context, entity: str, entity_id: str, as_of: float | None, tenant: str
) -> dict[str, Any]:
    from mainspring import stores
    from mainspring.core.settings import load
    from mainspring.features.lake.features_table.following import Following
    from mainspring.features.lake.features_table.reading import FeatureKey, FeatureTable
    from mainspring.features.lake.features_table.routes import features_body

    key = FeatureKey(entity, entity_id, as_of)
    async with stores.open(load(context.obj).settings) as opened:
        await Following(opened.database).sync()
        (found,) = await FeatureTable(opened.database).read(tenant, [key])
    return features_body(key, found)
