"""What people or the traffic took back is not tried again by itself: a canary that is repeated often enough promotes
anything. It is tried again when there are new data, or when a person orders it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mainspring.features.improve.stages.campaign import ORDERED, Campaign
from mainspring.features.improve.stages.tools import Tools


async def made_of(tools: Tools, campaign: Campaign, made: Mapping[str, Any]) -> str:
    """A digest of the recipe with its options and of what it learns from: the same for the same candidate."""
    rung = campaign.recipe
    told = hashlib.sha256(_line([rung.recipe, rung.kind, rung.options, rung.base, rung.seed]))
    if export := made.get("export"):
        # The sum is the same in any order, and millions of rows need no memory.
        total = 0
        async for row in tools.exporter.export_rows(campaign.tenant, export):
            line = _line([row.split, sorted({*row.answers, *row.events})])
            total = (total + int.from_bytes(hashlib.sha256(line).digest())) % 2**256
        told.update(total.to_bytes(32))
    else:
        told.update((await tools.folders.digest(Path(made["folder"]))).encode())
    return told.hexdigest()[:32]


def _line(told: Any) -> bytes:
    return json.dumps(told, sort_keys=True, default=str).encode() + b"\n"


async def of_data(tools: Tools, campaign: Campaign, digest: str) -> str:
    """Why the rung is not tried with the data of this digest; empty: it is."""
    found = await _before(tools, campaign, "made_of", digest)
    return "" if found is None else f"nothing is new since {found[0]}, whose candidate was taken back: {found[1]}"


async def of_candidate(tools: Tools, campaign: Campaign, candidate_id: str) -> str:
    """Why a candidate with the same value is not tried; empty: it is, or no person took it back."""
    found = await _before(tools, campaign, "candidate", candidate_id, by_person=True)
    return "" if found is None else f"a person took the same candidate back in {found[0]}: {found[1]}"


async def _before(
    tools: Tools, campaign: Campaign, field: str, value: str, *, by_person: bool = False
) -> tuple[str, str] | None:
    """The newest campaign of the application that took back what has this value, and why; None: none did, or a person
    orders it again."""
    if campaign.notes.get(ORDERED):
        return None
    for each in await tools.campaigns.over(campaign.tenant, campaign.application):
        for told in each.rungs[::-1]:
            if told.get(field) != value:
                continue
            if told.get("taken_back") and (told.get("by_person") or not by_person):
                return each.id, told["reason"]
            if told["outcome"] == each.stage == "promoted" and each.candidate is not None and tools.taken is not None:
                # A person may take back at the door what its campaign left in place.
                since = each.ended_at or each.entered_at
                if reason := await tools.taken.taken_back(each.tenant, each.candidate, since):
                    return each.id, reason
    return None
