"""Takes what was trained elsewhere over as a version: by ``torchrun``, on another machine, by peft or transformers.

It becomes a job whose result lies there already. Whoever works on jobs keeps it as he keeps every other result, also if
this process is killed; the gates before it answers are the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from mainspring.core import private_files
from mainspring.core.errors import InvalidRequest, MainspringError, ModelError, NotFound, StorageFull
from mainspring.core.types import Principal
from mainspring.engines.catalogue.gguf_weights import GgufWeights
from mainspring.engines.catalogue.lora import Adapter
from mainspring.features.train.data import placing
from mainspring.features.train.jobs import orders
from mainspring.features.train.jobs.store import PREFIX
from mainspring.features.train.service import Training
from mainspring.features.train.versions import foreign, keeping
from mainspring.features.train.versions.bases import Base
from mainspring.features.train.versions.card import ADOPTED
from mainspring.features.train.versions.foreign import Result
from mainspring.stores.sql import ids, rows
from mainspring.training.chat import base_weights
from mainspring.training.folder import Folder, RunRequest, read_json
from mainspring.training.ports import Order
from mainspring.training.recipe import Made, Makes

_OF_CHAT = ("adapter", "chat")


@dataclass(frozen=True, slots=True)
class Adoption:
    """What is told of a result besides its files; what is empty is taken from these. ``data`` is a folder as for a run,
    of which only the description is kept. ``figures`` were measured elsewhere."""

    folder: Path
    base: str = ""
    name: str = ""
    data: Path | None = None
    recipe: str = ""
    licence: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


async def adopt(service: Training, principal: Principal, given: Adoption) -> str:
    """The id of the job. Raises ``InvalidRequest`` naming what is missing or does not fit, ``Unsupported``,
    ``Conflict`` for a run that is not over, ``QuotaExceeded``, ``StorageFull``."""
    result = await asyncio.to_thread(foreign.read, given.folder)
    name, base = await _base(service, principal, given.base, result)
    if base.folder is not None and result.made.makes == "adapter":
        await asyncio.to_thread(_check, result, base.folder, name)
    recipe = given.recipe or result.recipe
    if not orders.NAME.fullmatch(recipe):
        raise InvalidRequest(f"{recipe!r} names no recipe", remedy="For example sft", param="recipe")
    order = Order(recipe, result.options, base=name, suffix=given.name, seed=result.seed)
    orders.check(dataclasses.replace(order, folder=given.folder))
    await service.jobs.admit(principal.tenant)
    service.stores.room.admit()
    job_id = ids.new(PREFIX)
    draft = Folder(service.places.draft(job_id))
    try:
        placed = await asyncio.to_thread(_place, draft, given, result, order)
        await service.disk.check(principal.tenant, draft.path)
        private_files.folder(service.places.root / "jobs")
        values = {
            "recipe": recipe,
            "name": orders.name_of(order),
            "base": name,
            "asked": rows.dump(orders.plain(order)),
            "data": rows.dump(dict(placed.manifest)),
            "groups": rows.names(principal.groups | frozenset(placed.manifest.get("groups", ())) | base.groups),
            "digest": "",
        }
        # The folder comes first, so a process that finds the job finds the folder, too.
        await asyncio.to_thread(draft.path.rename, service.places.job(job_id))
        await service.jobs.create(principal, job_id, values, placed.sources, "queued")
    except BaseException:
        for place in (draft.path, service.places.job(job_id)):
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, place, True))
        raise
    service.queued()
    return job_id


async def _base(service: Training, principal: Principal, told: str, result: Result) -> tuple[str, Base]:
    """The base and its name. Adapters and weights of transformers are served over a base of the catalogue; of anything
    else it is noted where it is known."""
    needed = result.made.makes in _OF_CHAT and not result.made.entry.get("files")
    if told or needed:
        name = told or result.base
        if not name:
            raise InvalidRequest(
                f"the result ({result.made.makes}) is served over its base, which its files do not name",
                remedy=f"Name it with --base. {await service.bases.choice(principal, ('chat',))}",
                param="base",
            )
        kinds = ("chat",) if result.made.makes in _OF_CHAT else get_args(Makes)
        try:
            return name, await service.bases.of(principal, name, kinds, "base")
        except NotFound as error:
            if told:
                raise
            raise InvalidRequest(
                f"the result says that its base is {name!r}, which is not in the catalogue",
                remedy=f"Name it with --base. {error.remedy}",
                param="base",
            ) from None
    with contextlib.suppress(MainspringError):
        if result.base:
            return result.base, await service.bases.of(principal, result.base, ("chat",), "base")
    return "", Base()


def _check(result: Result, folder: Path, base: str) -> None:
    """Raises ``InvalidRequest`` for an adapter that does not fit the base."""
    weights = base_weights.find(folder).gguf
    if weights is None:
        return
    alpha = float(result.made.entry["adapter"]["alpha"])
    try:
        read = GgufWeights(weights)
        found = Adapter.load(result.folder / result.made.entry["adapter"]["weights"]["name"], alpha)
        found.check(read)
        for name in found.pairs:
            wanted = tuple(int(each) for each in read.tensors[name].shape[::-1])
            down, up = found.pairs[name]
            if (up.shape[0], down.shape[1]) != wanted:
                raise ModelError(
                    f"its matrix {name} is {up.shape[0]} x {down.shape[1]}, the base's {wanted[0]} x {wanted[1]}"
                )
    except ModelError as error:
        raise InvalidRequest(
            f"the adapter does not fit {base}: {error.message}",
            remedy="Name the base that it was trained on",
            param="base",
        ) from None


def _place(draft: Folder, given: Adoption, result: Result, order: Order) -> placing.Placed:
    """Copies the result into the folder of a job. Links are not followed out of a run's output."""
    made = _made(given, result)
    private_files.folder(draft.path)
    try:
        draft.create(RunRequest(order.recipe, order.options, order.seed))
        if result.run is not None:
            keeping.check_output(result.run, made)
            shutil.copytree(result.folder, draft.output, dirs_exist_ok=True, copy_function=shutil.copyfile)
            for name in ("metrics.jsonl", "samples.jsonl"):
                if (result.run.path / name).is_file():
                    shutil.copyfile(result.run.path / name, draft.path / name)
        else:
            for name in made.files:
                shutil.copyfile(result.folder / name, draft.output / name)
            for step, figures in result.steps:
                draft.log(step, figures)
        data = given.data or (result.run.data if result.run is not None else None)
        told: dict[str, Any] = {"source": ADOPTED, "from": given.folder.resolve().name}
        if given.figures:
            told["told"] = True
        placed = placing.Placed({**told, "sides": {}, "rows": 0}, {})
        if data is not None:
            placed = _described(data, told, asked=given.data is not None)
        draft.finish(made)
    except OSError as error:
        raise StorageFull(
            f"the result cannot be copied: {error.strerror}", remedy="Free space, or let it be read"
        ) from None
    return placed


def _described(data: Path, told: Mapping[str, Any], *, asked: bool) -> placing.Placed:
    groups = (read_json(data / placing.MANIFEST) or {}).get("groups")
    found = placing.described(data, {**told, **({"groups": sorted(map(str, groups))} if groups else {})})
    if not found.manifest["sides"]:
        if asked and not (data / placing.MANIFEST).is_file():
            raise InvalidRequest(
                f"{data} has no train.jsonl and no {placing.MANIFEST}", remedy="Name one", param="data"
            )
        return placing.Placed({**found.manifest, **_kept(data)}, found.sources)
    return found


def _kept(data: Path) -> dict[str, Any]:
    """What the manifest says of rows that are not there any more."""
    before = read_json(data / placing.MANIFEST) or {}
    sides = before.get("sides")
    if not isinstance(sides, dict):
        return {}
    right = {
        str(side): dict(each)
        for side, each in sides.items()
        if isinstance(each, dict) and {"rows", "sha256"} <= each.keys()
    }
    told: dict[str, Any] = {name: before[name] for name in ("split", "sha256") if name in before}
    return {"sides": right, "rows": sum(int(each["rows"]) for each in right.values()), **told}


def _made(given: Adoption, result: Result) -> Made:
    made = result.made
    entry = {**made.entry, **({"license": given.licence} if given.licence else {})}
    if result.run is None or given.figures:
        notes = (*made.notes, "it was trained elsewhere")
        return dataclasses.replace(made, entry=entry, figures=dict(given.figures) or made.figures, notes=notes)
    return dataclasses.replace(made, entry=entry)
