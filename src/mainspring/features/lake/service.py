"""The lake over the stores: what routes, commands and other parts of the feature work with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.core.errors import Conflict, MainspringError, NotFound, Overloaded, StoreError
from mainspring.core.scopes import with_implied
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.evaluation.examples import ExampleLineage
from mainspring.evaluation.interactions import Interaction
from mainspring.evaluation.vitals import Vital
from mainspring.features.lake.build.building import Building
from mainspring.features.lake.build.report import READY
from mainspring.features.lake.build.store import PREFIX, Build
from mainspring.features.lake.exports.cleaning import Cleaning
from mainspring.features.lake.exports.ordered import OrderedExports
from mainspring.features.lake.exports.service import Exports
from mainspring.features.lake.files.lineage import Lineage
from mainspring.features.lake.files.manifest import Manifest
from mainspring.features.lake.files.reading import Clean
from mainspring.features.lake.files.storage import opened
from mainspring.features.lake.settings import LakeSettings
from mainspring.features.lake.sql.query import Sql
from mainspring.features.lake.steps.options import BuildSettings
from mainspring.features.lake.stream.publishing import Publishing
from mainspring.features.lake.stream.syncing import Syncing
from mainspring.features.lake.summary import summary
from mainspring.features.lake.vitals import LakeVitals
from mainspring.features.lake.withdrawing import Withdrawing
from mainspring.stores import Stores
from mainspring.stores.sql import ids

if TYPE_CHECKING:
    from mainspring.engines.catalogue.pull import PulledModel
    from mainspring.features.lake.steps.toxicity import Pulled

_log = logging.getLogger(__name__)
_RETRY_S = 60.0
_EXPORTS, _EXAMPLES = 100, 500
"""What is listed of a trace at most."""


@dataclass(frozen=True, slots=True)
class Sample:
    """An interaction that a step took (``reason``) or changed, or that is ready (``verdict``)."""

    answer_id: str
    trace_id: str
    at: float
    question: str
    answer: str
    reason: str
    verdict: str = ""
    edited: str | None = None

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


class Lake(OrderedExports):
    """The service. ``clean`` reads interactions, ``sql`` queries, ``syncing`` follows the event log, ``exports`` makes
    sets for training."""

    def __init__(self, settings: Settings, stores: Stores) -> None:
        self.settings = settings.section(LakeSettings)
        self._stores = stores
        self._running: dict[str, asyncio.Task[None]] = {}
        self._vitals = LakeVitals(stores.database, self.settings.alerts)
        self.withdrawing = Withdrawing(stores.database, stores.audit, stores.blobs, settings.home)
        self.storage = opened(self.settings.url, settings.home)
        self.manifest = Manifest(stores.database)
        self.clean = Clean(self.manifest, self.storage)
        home, runner, build, pulled = settings.home, self.settings.runner, self.settings.build, _pulled(settings)
        steps = Cleaning(self.clean, self.manifest, self.storage, home, runner, build, pulled)
        self.syncing = Syncing(stores.database, self.storage, settings.home, self.settings.batch, self.settings.lease_s)
        self.exports = Exports(stores, steps, self.settings.exports, self.syncing.catch_up)
        self.building = Building(stores.database, self.storage, home, runner, build, pulled)
        self.sql = Sql(self.manifest, self.building.builds, self.storage, self.settings.sql)
        self.publishing = Publishing(stores.database, self.settings.nats)
        self.lineage = Lineage(self.manifest, self.storage)
        self.examples: ExampleLineage | None = None
        """Finds examples of data sets; None: no feature keeps them."""

    async def start(self, tenant: str, options: BuildSettings) -> Build:
        """Begin a build in the background of this process. Raises ``Conflict`` while the tenant has one."""
        if tenant in self._running:
            raise Conflict("a build of this tenant is under way", remedy="Wait until it has ended")
        if len(self._running) >= self.settings.builds:
            # Each takes processes and memory of its own, however many tenants ask.
            raise Overloaded(
                "this server already runs the maximum number of builds", remedy="Try again later", retry_after=_RETRY_S
            )
        build_id = ids.new(PREFIX)
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def work() -> None:
            try:
                follow = self.syncing.catch_up
                await self.building.build(tenant, options=options, build_id=build_id, begun=started, before=follow)
            except MainspringError as error:
                if not started.done():
                    started.set_exception(error)
                else:
                    _log.warning("build %s ended without data: %s", build_id, error)
            finally:
                self._running.pop(tenant, None)
                if not started.done():
                    started.set_exception(StoreError("the build could not begin", remedy="See the log"))

        self._running[tenant] = asyncio.create_task(work(), name="lake: build")
        await started
        return await self.building.builds.get(tenant, build_id)

    async def build_all(self) -> None:
        """Build for each tenant that has interactions, one after the other."""
        for tenant in await self.manifest.tenants():
            try:
                await self.building.build(tenant)
            except MainspringError as error:
                _log.warning("the data of %s was not built: %s", tenant, error)
            except Exception:
                # One tenant's damaged file is not the others'.
                _log.exception("the data of %s was not built", tenant)

    async def close(self) -> None:
        """Stop the builds of this process."""
        for task in list(self._running.values()):
            task.cancel()
        if self._running:
            await asyncio.wait(self._running.values())

    async def summary(self, tenant: str, groups: frozenset[str]) -> dict[str, Any]:
        """See ``summary.summary``."""
        return await summary(self._stores.database, tenant, groups)

    async def vitals(self, now: float) -> Sequence[Vital]:
        """See ``evaluation.vitals.Vitals``."""
        return await self._vitals.told(now, follows=self.settings.mode != "batch")

    async def write_training_set(self, principal: Principal, export_id: str, folder: Path) -> Mapping[str, Any]:
        """See ``training.ports.TrainingSets``."""
        found = await self.exports.store.get(principal, export_id)
        if found.status != "completed" or not found.kept:
            problem = f"{export_id} is {found.status}" if found.kept else f"the files of {export_id} are deleted"
            raise Conflict(problem, remedy="Name an export that is completed", param="export")
        if found.format != "trl":
            raise Conflict(f"{export_id} has the format {found.format}", remedy="Export it as trl", param="export")
        await self.exports.write(found, folder, principal.key_id)
        return {**found.manifest, "groups": sorted(found.groups)}

    async def trace_of(self, principal: Principal, answer_id: str) -> str:
        """The trace of an answer that the principal may see. Raises ``NotFound``."""
        found = await self.lineage.interactions(principal.tenant, [answer_id], principal.groups)
        if not found:
            raise NotFound(f"the lake has no interaction of {answer_id}", remedy="Sync it", param="answer_id")
        return found[0].trace_id

    async def samples(self, tenant: str, build: Build, step: str, groups: frozenset[str] | None = None) -> list[Sample]:
        """Examples of what a step of a build took, with their texts of the clean zone where those are still kept;
        ``ready``: of what is left, with the texts that training reads. Raises ``NotFound`` for a step that there is
        not."""
        if step == READY:
            return await self._ready_samples(tenant, build, groups)
        names = _ids(build, step)
        reasons = {
            row["answer_id"]: row["reason"] for row in await self.lineage.dropped(tenant, build.id, names, groups)
        }
        found = await self.lineage.interactions(tenant, names, groups)
        return [
            Sample(
                *(each.answer_id, each.trace_id, each.at, question_of(each), each.answer),
                reasons.get(each.answer_id, ""),
                edited=each.edited,
            )
            for each in found
        ]

    async def _ready_samples(self, tenant: str, build: Build, groups: frozenset[str] | None) -> list[Sample]:
        rows = await self.lineage.ready(tenant, build.id, build.report.get("ready_samples", ()), groups)
        return [
            Sample(
                *(row["answer_id"], row["trace_id"], row["at"], row["question"], row["answer"]),
                "",
                row["verdict"],
                row["edited"],
            )
            for row in sorted(rows, key=lambda row: str(row["answer_id"]))
        ]

    async def became(self, principal: Principal, trace_id: str) -> dict[str, Any]:
        """The exports and examples of data sets that a trace became; ``datasets`` is None for those who may not read
        them."""
        exports = await self.exports.store.of_trace(principal, trace_id, _EXPORTS)
        names = ("id", "kind", "format", "name", "status", "rows", "created_at")
        shown = [{**{name: getattr(each, name) for name in names}, "answers": answers} for each, answers in exports]
        if self.examples is None or "datasets" not in with_implied(principal.scopes):
            return {"exports": shown, "datasets": None}
        held = await self.examples.made_of(principal, trace_id, _EXAMPLES)
        return {"exports": shown, "datasets": [asdict(each) for each in held]}


def question_of(interaction: Interaction) -> str:
    """The last message of a user."""
    for message in reversed(interaction.messages):
        if message.get("role") == "user":
            said = message.get("content") or ""
            return said if isinstance(said, str) else " ".join(str(part.get("text") or "") for part in said)
    return ""


def _pulled(settings: Settings) -> Pulled:
    def find(name: str) -> PulledModel:
        from mainspring.engines.catalogue.pull import Puller

        return Puller(settings).local(name)

    return find


def _ids(build: Build, step: str) -> list[str]:
    for each in build.report.get("steps", ()):
        if each["name"] == step:
            return [*each["samples"], *each.get("changed_samples", ())]
    raise NotFound(f"the build has no step {step}", remedy="Its funnel names them", param="step")
