"""The lake over the stores: what routes, commands and other parts of the feature work with."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from mainspring.core.errors import NotFound
from mainspring.core.settings import Settings
from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.build.building import Building
from mainspring.features.lake.build.store import Build
from mainspring.features.lake.exports.cleaning import Cleaning
from mainspring.features.lake.exports.service import Exports
from mainspring.features.lake.files.lineage import Lineage
from mainspring.features.lake.files.manifest import Manifest
from mainspring.features.lake.files.reading import Clean
from mainspring.features.lake.files.storage import opened
from mainspring.features.lake.settings import LakeSettings
from mainspring.features.lake.sql.query import Sql
from mainspring.features.lake.stream.syncing import Syncing
from mainspring.stores import Stores


@dataclass(frozen=True, slots=True)
class Sample:
    """An interaction that a step took (``reason``) or changed."""

    answer_id: str
    trace_id: str
    at: float
    question: str
    answer: str
    reason: str

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


class Lake:
    """The service. ``clean`` reads interactions, ``sql`` queries, ``syncing`` follows the event log, ``exports`` makes
    sets for training."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        self.settings = settings.section(LakeSettings)
        self.storage = opened(self.settings.url, settings.home)
        self.manifest = Manifest(stores.database)
        self.clean = Clean(self.manifest, self.storage)
        steps = Cleaning(self.manifest, self.storage, settings.home, self.settings.runner, self.settings.build)
        self.exports = Exports(stores, steps, self.settings.exports)
        self.sql = Sql(self.manifest, self.storage, self.settings.sql)
        self.building = Building(
            stores.database, self.storage, settings.home, self.settings.runner, self.settings.build
        )
        self.lineage = Lineage(self.manifest, self.storage)
        self.syncing = Syncing(stores.database, self.storage, settings.home, self.settings.batch)

    async def samples(self, tenant: str, build: Build, step: str, groups: frozenset[str] | None = None) -> list[Sample]:
        """Examples of what a step of a build took, with their texts of the clean zone where those are still kept.
        Raises ``NotFound`` for a step that there is not."""
        names = _ids(build, step)
        reasons = {
            row["answer_id"]: row["reason"] for row in await self.lineage.dropped(tenant, build.id, names, groups)
        }
        found = await self.lineage.interactions(tenant, names, groups)
        return [
            Sample(
                each.answer_id, each.trace_id, each.at, question_of(each), each.answer, reasons.get(each.answer_id, "")
            )
            for each in found
        ]


def question_of(interaction: Interaction) -> str:
    """The last message of a user."""
    for message in reversed(interaction.messages):
        if message.get("role") == "user":
            said = message.get("content") or ""
            return said if isinstance(said, str) else " ".join(str(part.get("text") or "") for part in said)
    return ""


def _ids(build: Build, step: str) -> list[str]:
    for each in build.report.get("steps", ()):
        if each["name"] == step:
            return [*each["samples"], *each.get("changed_samples", ())]
    raise NotFound(f"the build has no step {step}", remedy="Its funnel names them", param="step")
