"""Training without a server: a command orders a run in its home and works on it itself."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring import stores
from mainspring.command import WholeOpener
from mainspring.core.settings import Settings
from mainspring.core.types import Principal
from mainspring.features.train.jobs.store import OVER
from mainspring.features.train.service import Training
from mainspring.features.train.shapes import job_body, version_body
from mainspring.features.train.versions import keeping
from mainspring.features.train.working import training
from mainspring.stores.sql import rows
from mainspring.training.ports import Order

if TYPE_CHECKING:
    from mainspring.features.train.adopting import Adoption

Told = Callable[[str, int, dict[str, float], float], None]
_LOOK_S = 0.3


async def train(settings: Settings, order: Order, data: Path | None, told: Told, whole: WholeOpener) -> dict[str, Any]:
    """The job when it is over; ``told`` is called with its state, step, figures and seconds. The same order again goes
    on with the run that was stopped. Raises what ``Trainer.order`` raises."""
    async with _service(settings, order, whole) as (service, principal), _folder(data) as folder:
        named = replace(order, folder=folder)
        job_id = await _unfinished(service, principal, named)
        if job_id:
            row = await service.jobs.of(principal.tenant, job_id)
            if row.state == "paused":
                await service.resume(principal, job_id)
        else:
            job_id = (await service.order(principal, named)).id
        return await _over(service, principal.tenant, job_id, told)


async def adopt(settings: Settings, given: Adoption, tenant: str, told: Told, whole: WholeOpener) -> dict[str, Any]:
    """The job that took a result over, when it is over. Raises what ``adopting.adopt`` raises."""
    from mainspring.features.train import adopting

    async with _service(settings, Order(""), whole) as (service, local):
        job_id = await adopting.adopt(service, replace(local, tenant=tenant), given)
        return await _over(service, tenant, job_id, told)


async def _over(service: Training, tenant: str, job_id: str, told: Told) -> dict[str, Any]:
    async with training(service):
        while (view := await service.training_job(tenant, job_id)).state not in (*OVER, "paused"):
            told(view.state, view.step, dict(view.figures), view.seconds)
            await asyncio.sleep(_LOOK_S)
    body = job_body(await service.jobs.of(tenant, job_id), view)
    if view.version:
        # Nobody else can show it here.
        row = await service.kept.find(tenant, view.version)
        seen = service.seen(row)
        body |= {"measured": version_body(row, seen)["figures"], "card": str(seen.folder / keeping.CARD)}
    return body


async def plan(
    settings: Settings, recipe: str, options: dict[str, Any], base: str, whole: WholeOpener
) -> dict[str, Any]:
    """The memory of a run, as ``planning.plan`` tells it."""
    from mainspring.features.train import planning

    async with _service(settings, Order(recipe), whole) as (service, principal):
        return await planning.plan(service, principal, recipe, options, base)


async def bases(settings: Settings, recipe: str, option: str, whole: WholeOpener) -> dict[str, Any]:
    """What a run can start from, as ``planning.bases`` tells it."""
    from mainspring.features.train import planning

    async with _service(settings, Order(recipe), whole) as (service, principal):
        return await planning.bases(service, principal, recipe, option)


async def _unfinished(service: Training, principal: Principal, order: Order) -> str:
    """A run of the same order, by a command as well, that is not over; empty: there is none."""
    from mainspring.features.train.jobs import orders
    from mainspring.stores.sql.pages import Page

    wanted = rows.load(rows.dump(orders.plain(order)))
    for row in (await service.jobs.page(principal, Page(100))).rows:
        if row.key_id == principal.key_id and row.state not in OVER and rows.load(row.asked) == wanted:
            return str(row.id)
    return ""


@asynccontextmanager
async def _service(settings: Settings, order: Order, whole: WholeOpener) -> AsyncIterator[tuple[Training, Principal]]:
    if order.export:
        # The lake keeps exports: its service is one of a whole system.
        async with whole(settings) as (rooms, services):
            services[Training].checking.by_hand = True
            yield services[Training], rooms.local
        return
    async with stores.open(settings) as opened:
        local = Principal("default", "local", frozenset({"admin"}))
        service = Training(settings, opened, local)
        service.checking.by_hand = True
        yield service, local


@asynccontextmanager
async def _folder(data: Path | None) -> AsyncIterator[Path | None]:
    """A folder as it is; of a single file one with it as its training side."""
    if data is None or not await asyncio.to_thread(data.is_file):
        yield data
        return
    with contextlib.ExitStack() as stack:
        made = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mainspring-train-")))
        await asyncio.to_thread(shutil.copyfile, data, made / "train.jsonl")
        yield made
