"""Exports for other features, which ask for each under a key: ``training.stages.Exporter``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, cast

import sqlalchemy as sa

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Principal
from mainspring.features.lake.exports.asking import ExportRequest
from mainspring.features.lake.exports.service import Exports, check_override
from mainspring.features.lake.exports.sets.writing import LINEAGE
from mainspring.features.lake.exports.store import PREFIX, Export
from mainspring.features.lake.stream.syncing import Syncing
from mainspring.http.field_errors import invalid
from mainspring.training.stages import ExportState, OrderState, RowLineage, keyed


class OrderedExports:
    """Implements ``Exporter`` over ``exports``."""

    exports: Exports
    syncing: Syncing

    async def export_once(self, principal: Principal, wanted: Mapping[str, Any], key: str) -> ExportState:
        """See ``Exporter``."""
        export_id = keyed(PREFIX, principal.tenant, key)
        try:
            return _state(await self.exports.store.find(principal.tenant, export_id))
        except NotFound:
            pass
        asked = asked_of(wanted)
        # Where nothing follows the events the lake has none of the latest.
        await self.syncing.catch_up()
        try:
            return _state(await self.exports.ask(principal, asked, export_id=export_id))
        except sa.exc.IntegrityError:
            # Another process asked for it at the same time.
            return _state(await self.exports.store.find(principal.tenant, export_id))

    def check_export(self, principal: Principal, wanted: Mapping[str, Any]) -> None:
        """See ``ExportCheck``."""
        asked = asked_of(wanted)
        if asked.format != "trl":
            problem = f"training reads no exports in the format {asked.format}"
            raise InvalidRequest(problem, remedy="Leave format out", param="format")
        check_override(principal, asked)

    async def export_state(self, tenant: str, export_id: str) -> ExportState:
        """See ``Exporter``."""
        return _state(await self.exports.store.find(tenant, export_id))

    async def export_rows(
        self, tenant: str, export_id: str, answers: Collection[str] | None = None
    ) -> AsyncIterator[RowLineage]:
        """See ``Exporter``."""
        found = await self.exports.store.find(tenant, export_id)
        wanted = None if answers is None else [each.encode() for each in answers]
        for name, data in await self.exports.lineage_files(found):
            for row in await asyncio.to_thread(_matching, data, name.removesuffix(LINEAGE), wanted):
                yield row

    async def exports_with(self, tenant: str, answers: Sequence[str]) -> Sequence[str]:
        """See ``Exporter``."""
        return await self.exports.store.having(tenant, answers)

    async def export_answers(self, tenant: str, export_id: str, limit: int) -> Sequence[str]:
        """See ``Exporter``."""
        return await self.exports.store.answers(tenant, export_id, limit)


def asked_of(wanted: Mapping[str, Any]) -> ExportRequest:
    """The order that JSON asks for, with the fields of the route. Raises ``InvalidRequest`` naming the field."""
    from pydantic import ValidationError

    from mainspring.features.lake.exports.routes import ExportBody

    try:
        return ExportBody.model_validate(dict(wanted)).asked()
    except ValidationError as error:
        first = error.errors()[0]
        found = invalid(first, first["loc"])
        raise InvalidRequest(f"the export: {found.message}", remedy=found.remedy, param=found.param) from None


def _state(found: Export) -> ExportState:
    rows = found.manifest.get("split", {}).get("rows", {})
    state: OrderState = cast("OrderState", found.status)
    counts: Mapping[str, int] = found.manifest.get("counts", {})
    return ExportState(found.id, state, {side: int(count) for side, count in rows.items()}, found.error, counts)


def _matching(data: bytes, side: str, wanted: Sequence[bytes] | None) -> list[RowLineage]:
    found = []
    for number, line in enumerate(data.splitlines(), 1):
        if wanted is None or any(each in line for each in wanted):
            row = json.loads(line)
            found.append(RowLineage(side, number, row["answers"], row["event_ids"], row["traces"]))
    return found
