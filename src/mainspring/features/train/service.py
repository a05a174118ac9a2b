"""The service: takes orders of training, has them worked on, and keeps versions of what was made."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from mainspring.core import private_files
from mainspring.core.errors import Conflict, InvalidRequest, StorageFull, Unsupported
from mainspring.core.settings import Settings
from mainspring.core.types import Principal, Responder
from mainspring.engines.chat.chat_model import ChatModel
from mainspring.features.train.data import placing
from mainspring.features.train.jobs import orders
from mainspring.features.train.jobs.checking import Checking
from mainspring.features.train.jobs.process import check_needs
from mainspring.features.train.jobs.running import TrainingWork, last_figures
from mainspring.features.train.jobs.shedding import Disk, Shedding
from mainspring.features.train.jobs.store import ORDERS, PREFIX, Row, TrainingJobs
from mainspring.features.train.jobs.surroundings import settings_of
from mainspring.features.train.settings import TrainSettings
from mainspring.features.train.versions import card, keeping, named
from mainspring.features.train.versions.bases import Base, Bases
from mainspring.features.train.versions.store import VersionStore, version_of
from mainspring.stores import Stores
from mainspring.stores.events.audit_log import ITSELF, Actor
from mainspring.stores.sql import ids, rows
from mainspring.training import recipes
from mainspring.training.folder import Folder, RunRequest
from mainspring.training.ports import Encoder, JobView, Order, TrainingSets, Version
from mainspring.training.recipe import Recipe
from mainspring.training.run import options_of

if TYPE_CHECKING:
    # A process that only trains does not load what serves versions.
    from mainspring.features.train.versions.serving import Serving

_ORPHAN_S = 3600.0
_SHED_S = 600.0


class Training:
    """A ``training.ports.Trainer`` and a ``training.ports.Versions``. ``sets`` keeps exports, ``service`` has versions
    answer; None: not here."""

    def __init__(self, settings: Settings, stores: Stores, local: Principal) -> None:
        self.settings = settings.section(TrainSettings)
        self.places = keeping.Places(settings.home)
        self.jobs = TrainingJobs(stores.database, self.settings)
        self.kept = VersionStore(stores.database, self.settings.versions)
        self.bases = Bases(settings, self.kept, self.places)
        self.disk = Disk(stores.database, self.places, self.settings)
        kept_days = settings.compliance.retention.contents_days
        self._shedding = Shedding(stores.database, self.places.job, self.settings, kept_days)
        self._shed_at = 0.0
        self.sets: TrainingSets | None = None
        self.serving: Serving | None = None
        self.checking = Checking(settings, self.bases)
        self.queued: Callable[[], None] = lambda: None
        self.stores = stores
        self._all = settings
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._local = local
        self._per_hour = settings.prices.per_hour

    def work(self) -> TrainingWork:
        """Works on queued jobs."""
        return TrainingWork(
            self.stores,
            self.jobs,
            self.settings,
            self.places.job,
            self._keep,
            self._local,
            self._per_hour,
            self.disk.full,
            settings_of(self._all),
            self.checking.path,
            None if self.serving is None else self._served,
        )

    async def _served(self, row: Row, label: str) -> None:
        assert self.serving is not None
        await self.serving.serve(await self.kept.find(row.tenant, label), Actor(row.key_id, ""))

    async def order(
        self,
        principal: Principal,
        order: Order,
        *,
        metadata: Mapping[str, str] | None = None,
        origin: Mapping[str, Any] | None = None,
    ) -> JobView:
        """See ``Trainer``. ``origin``: what the manifest tells of where the rows of a folder come from."""
        orders.check(order)
        recipe = recipes.find(order.recipe)
        options = options_of(recipe, order.options)
        # Under a plan there is one run of it, though the ids of those differ that were begun.
        digest = orders.digest(order) or ids.planned(ORDERS)
        if known := await self.jobs.known(principal.tenant, digest):
            return await self.training_job(principal.tenant, known)
        await self.jobs.admit(principal.tenant)
        await self.disk.check(principal.tenant)
        base, given = await self.checking.found(principal, recipe, options, order.base)
        await check_needs(recipe, self.settings.python)
        self.stores.room.admit()
        job_id = ids.new(PREFIX)
        draft = Folder(self.places.draft(job_id))
        try:
            placed = await self._placed(principal, order, recipe, draft, base, given, origin or {"source": "folder"})
            await self.disk.check(principal.tenant, draft.path)
            private_files.folder(self.places.root / "jobs")
            values = {
                "recipe": recipe.name,
                "name": orders.name_of(order),
                "base": order.base,
                "asked": rows.dump(orders.plain(order)),
                "data": rows.dump(dict(placed.manifest)),
                "groups": rows.names(
                    principal.groups | frozenset(placed.manifest.get("groups", ())) | base.groups | given.groups
                ),
                "metadata": rows.dump(dict(metadata or {})),
                "digest": digest,
            }
            # The folder comes first, so a process that finds the job finds the folder, too.
            await asyncio.to_thread(draft.path.rename, self.places.job(job_id))
            made = await self.jobs.create(principal, job_id, values, placed.sources, "queued")
        except BaseException:
            for place in (draft.path, self.places.job(job_id)):
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, place, True))
            raise
        if made != job_id:
            await asyncio.to_thread(shutil.rmtree, self.places.job(job_id), True)
        elif order.usd is not None and not self._per_hour:
            told = "The machine has no price (prices.per_hour): only the time limit ends this job, not the cost limit."
            await self.jobs.tell(principal.tenant, made, told, "warn")
        self.queued()
        return await self.training_job(principal.tenant, made)

    @contextlib.asynccontextmanager
    async def turn(self, tenant: str) -> AsyncIterator[None]:
        """One order of a tenant at a time has its files read. Raises ``QuotaExceeded`` before any is."""
        # It is there as long as somebody holds it or waits for it.
        lock = self._turns.setdefault(tenant, asyncio.Lock())
        async with lock:
            await self.jobs.admit(tenant)
            yield

    async def check_order(self, principal: Principal, recipe: str, options: Mapping[str, Any], base: str) -> None:
        """See ``OrderCheck``."""
        found = recipes.find(recipe)
        await self.checking.found(principal, found, options_of(found, options), base)
        await check_needs(found, self.settings.python)

    async def _placed(
        self,
        principal: Principal,
        order: Order,
        recipe: Recipe,
        draft: Folder,
        base: Base,
        given: named.OptionFolders,
        origin: Mapping[str, Any],
    ) -> placing.Placed:
        private_files.folder(draft.path)
        told = dict(origin)
        try:
            folder = str(base.folder) if base.folder else ""
            asked = RunRequest(recipe.name, order.options, order.seed, folder, tenant=principal.tenant)
            folders = {name: str(each) for name, each in given.folders.items()}
            await asyncio.to_thread(draft.create, dataclasses.replace(asked, given=folders, outside=given.outside))
            if order.export:
                if self.sets is None:
                    raise InvalidRequest("nothing here keeps exports", remedy="Name a folder", param="export")
                manifest = await self.sets.write_training_set(principal, order.export, draft.data)
                told = {"source": "export", "export": order.export, "groups": sorted(manifest.get("groups", ()))}
            else:
                assert order.folder is not None
                await asyncio.to_thread(placing.copy, order.folder, draft.data, self.settings)
            return await asyncio.to_thread(placing.place, draft.data, recipe, self.settings, order.seed, told)
        except OSError as error:
            raise StorageFull(f"the rows cannot be written: {error.strerror}", remedy="Free space") from None

    async def ordered_training(self, tenant: str, order: Order) -> JobView | None:
        """See ``OrderedTrainings``."""
        known = await self.jobs.known(tenant, orders.digest(order))
        return await self.training_job(tenant, known) if known else None

    async def training_job(self, tenant: str, job_id: str) -> JobView:
        """See ``Trainer``."""
        return await self.view(await self.jobs.of(tenant, job_id))

    async def view(self, row: Row) -> JobView:
        """A job with its latest figures."""
        found = await asyncio.to_thread(last_figures, self.folder(row))
        error = rows.load(row.error) or {}
        step, figures = int(found.get("step", row.step)), found.get("figures", {})
        return JobView(row.id, row.state, row.recipe, step, figures, row.version, error.get("message", ""), row.seconds)

    def folder(self, row: Row) -> Folder:
        return Folder(self.places.job(row.id))

    async def cancel_training(self, principal: Principal, job_id: str) -> JobView:
        """See ``Trainer``. Raises ``Conflict`` for one that is over."""
        await self.jobs.wish(await self.jobs.get(principal, job_id), "cancel")
        if (row := await self.jobs.of(principal.tenant, job_id)).state == "cancelled":
            await asyncio.to_thread(keeping.shed, self.folder(row))
        return await self.training_job(principal.tenant, job_id)

    async def pause(self, principal: Principal, job_id: str) -> JobView:
        """Stop it after a checkpoint. Raises ``Conflict``, ``NotFound``."""
        await self.jobs.wish(await self.jobs.get(principal, job_id), "pause")
        return await self.training_job(principal.tenant, job_id)

    async def resume(self, principal: Principal, job_id: str) -> JobView:
        """Have one that was paused or has failed go on from its checkpoint. Raises ``Conflict``, ``NotFound``,
        ``QuotaExceeded``."""
        row = await self.jobs.get(principal, job_id)
        error = rows.load(row.error) or {}
        if error.get("code") == "rows_erased":
            raise Unsupported("rows that it was trained on are erased", remedy="Order it again", param="job_id")
        await self.disk.check(row.tenant)
        await self.jobs.queue(row.tenant, row.id, ("paused", "failed"), "The job is resumed.")
        self.queued()
        return await self.training_job(principal.tenant, job_id)

    async def delete_job(self, principal: Principal, job_id: str) -> None:
        """Delete one that is over, with its folder; what it made stays. Raises ``Conflict``, ``NotFound``."""
        row = await self.jobs.get(principal, job_id)
        await self.jobs.delete(row.tenant, row.id)
        await asyncio.to_thread(shutil.rmtree, self.places.job(row.id), True)

    async def wake(self) -> None:
        """Queue what waited for the night, if it is night."""
        from mainspring.features.train.jobs.limits import Night

        if not Night.parse(self.settings.night).left_s(time.time()):
            return
        for tenant, job_id in await self.jobs.waiting():
            await self.jobs.queue(tenant, job_id, ("waiting",), "It is night.")
            self.queued()

    async def sweep(self) -> None:
        """Delete the folders that killed processes left behind without a job, what jobs whose rows were erased
        wrote until their end, and the rows of jobs that are over, in time."""
        if time.monotonic() >= self._shed_at:
            await self._shedding.round()
            self._shed_at = time.monotonic() + _SHED_S
        await self.jobs.sources.sweep()
        for tenant, job_id in await self.jobs.without_rows():
            await asyncio.to_thread(keeping.forget, Folder(self.places.job(job_id)))
            made = await self.kept.of_job(tenant, job_id)
            if made is None or made.state == "ready":
                continue
            place = self.places.version(tenant, made.name, made.number)
            await asyncio.to_thread(shutil.rmtree, place, True)
            if made.state == "making":
                await self.kept.change(tenant, made.name, made.number, state="deleted", made="{}")
        for path in await asyncio.to_thread(keeping.old, self.places.root / "drafts", _ORPHAN_S):
            await asyncio.to_thread(shutil.rmtree, path, True)
        folders = {
            path.name: path for path in await asyncio.to_thread(keeping.old, self.places.root / "jobs", _ORPHAN_S)
        }
        for job_id in folders.keys() - await self.jobs.among(sorted(folders)):
            await asyncio.to_thread(shutil.rmtree, folders[job_id], True)

    async def _keep(self, row: Row, folder: Folder) -> str:
        """Make a version of what a job made; the same one if it is done again. Raises ``ModelError``, and
        ``Conflict`` if rows were erased meanwhile."""
        made = folder.made
        assert made is not None
        known = await self.kept.of_job(row.tenant, row.id)
        if known is None or known.state == "making":
            if known is None:
                await asyncio.to_thread(keeping.check_output, folder, made)
            number = await self.kept.number(row, made)
            target = self.places.version(row.tenant, row.name, number)
            version = dataclasses.replace(
                version_of(await self.kept.row(row.tenant, row.name, number), target), created_at=time.time()
            )
            told = await self.text(version, rows.load(row.asked), rows.load(row.data), row.seconds, folder.samples())
            written = {"label": version.label, "recipe": row.recipe, "job": row.id, "data": rows.load(row.data)}
            try:
                await asyncio.to_thread(keeping.keep, folder, target, written, told)
            except OSError as error:
                raise StorageFull(f"the version cannot be written: {error.strerror}", remedy="Free space") from None
            try:
                await self.kept.ready(row, number)
            except Conflict:
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, target, True))
                raise
            known = await self.kept.row(row.tenant, row.name, number)
        await asyncio.to_thread(keeping.shed, folder)
        return f"{known.name}@{known.number}"

    async def text(
        self,
        version: Version,
        asked: Mapping[str, Any],
        data: Mapping[str, Any],
        seconds: float = 0.0,
        samples: Any = (),
    ) -> str:
        """The card of a version."""
        licence = await self.bases.licence(version.tenant, version.base)
        took = f" It took {seconds:.0f} s." if seconds else ""
        return await asyncio.to_thread(lambda: card.text(version, asked, data, samples, licence=licence, trained=took))

    async def version(self, tenant: str, label: str) -> Version:
        """See ``Versions``."""
        return self.seen(await self.kept.find(tenant, label))

    async def versions(self, tenant: str) -> AsyncIterator[Version]:
        """See ``Versions``."""
        async for row in self.kept.every(tenant):
            yield self.seen(row)

    def seen(self, row: Row) -> Version:
        return version_of(row, self.places.version(row.tenant, row.name, row.number))

    async def serve_version(self, principal: Principal, label: str, by: Actor | None = None) -> str:
        """See ``Versions``."""
        if self.serving is None:
            raise Unsupported("no model is served here", remedy="Ask a running server", param="version")
        row = await self.kept.find(principal.tenant, label, principal.groups)
        return await self.serving.serve(row, by or Actor(principal.key_id, ""))

    async def withdraw(self, principal: Principal, label: str, by: Actor) -> Row:
        """Take a version out of service for good; its row."""
        row = await self.kept.find(principal.tenant, label, principal.groups)
        if row.withdrawn_at is None:
            if self.serving is None:
                raise Unsupported("no model is served here", remedy="Ask a running server", param="version")
            await self.serving.withdraw(row, by)
        return await self.kept.row(row.tenant, row.name, row.number)

    async def withdraw_version(self, principal: Principal, label: str) -> None:
        """See ``Versions``."""
        await self.withdraw(principal, label, Actor(principal.key_id, ""))

    def chat_model(self, tenant: str, label: str) -> tuple[ChatModel, Responder]:
        """See ``Versions``."""
        if self.serving is None:
            raise Conflict("no model is served here", remedy="Ask a running server", param="version")
        return self.serving.chat(tenant, label)

    async def card(self, row: Row) -> str:
        """The card of a version, as it is now: it may have become stale."""
        version = self.seen(row)
        folder = Folder(self.places.job(row.job))
        samples = await asyncio.to_thread(folder.samples) if folder.path.exists() else []
        return await self.text(version, rows.load(row.asked), rows.load(row.data), 0.0, samples)

    async def withdraw_stale(self) -> None:
        """Withdraw what erasures have made stale, if the settings say so."""
        if self.serving is not None and self.settings.on_erasure == "withdraw":
            # Applications open some by themselves, such as translators: these are in no catalogue.
            for row in await self.kept.stale():
                await self.serving.withdraw(row, ITSELF)

    async def follow(self) -> None:
        """Withdraw what is stale, and do as other processes do."""
        await self.withdraw_stale()
        await self.follow_served()

    async def follow_served(self) -> None:
        """Serve what other processes serve, and serve no more what they withdrew."""
        if self.serving is not None:
            await self.serving.follow()

    async def engine(self, tenant: str, label: str) -> Encoder:
        """See ``Versions``."""
        row = await self.kept.find(tenant, label)
        if self.serving is None:
            raise Unsupported("no model is served here", remedy="Ask a running server", param="version")
        return self.serving.engine(tenant, f"{row.name}@{row.number}")

    async def delete_version(self, principal: Principal, label: str, by: Actor) -> str:
        """Take it out of service and delete its files; its label. Its row stays, for what was made from it."""
        row = await self.kept.find(principal.tenant, label, principal.groups)
        if self.serving is not None and row.served and row.withdrawn_at is None:
            await self.serving.withdraw(row, by)
        await self.kept.change(row.tenant, row.name, row.number, state="deleted")
        await asyncio.to_thread(shutil.rmtree, self.places.version(row.tenant, row.name, row.number), True)
        return f"{row.name}@{row.number}"
